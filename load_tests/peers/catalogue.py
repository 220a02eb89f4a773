"""The peers: how each is started, and how it is asked."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from voicestress_model.agreement import Pcm

from load_tests.peers.setting import Setting

_ROOT = Path(__file__).parents[2]
_LAYOUTS = (Setting(1, 2), Setting(2, 1))
# Nothing here asks a hub, and nothing reports home.
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "BENTOML_DO_NOT_TRACK": "True",
    # Whatever the name says: Ray on loopback, where it would choose an address that others reach.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}

Request = tuple[bytes, str]  # a body and its content type


@dataclass(frozen=True)
class Peer:
    """A server somebody would pick instead.

    ``layouts`` are the settings its search starts from, each with batches of one; ``batches`` if it can do more.
    ``app`` is its module here, which is a program unless it is ``launched_by`` a command or the setting's runner.
    ``request`` makes a request of a WAV file, ``read_logits`` reads the JSON answer to it.
    """

    name: str
    package: str
    environment: str
    app: str
    path: str
    request: Callable[[bytes], Request]
    read_logits: Callable[[Any], list[float]]
    layouts: tuple[Setting, ...] = _LAYOUTS
    batches: bool = True
    launched_by: str = ""

    @property
    def folder(self) -> Path:
        """Its Python environment."""
        return _ROOT / ".venv" / self.environment

    def refusal(self) -> str | None:
        """Why it can't be run here, or None if it can."""
        refused = self.folder / "refused.txt"
        if refused.exists():
            return f"it could not be installed: {refused.read_text(encoding='utf-8').strip()}"
        if not (self.folder / ".ready").exists():
            return f"it is not installed: make .venv/{self.environment}/.ready"
        return None

    def version(self) -> str:
        """The version that is installed."""
        ask = f"import importlib.metadata as m; print(m.version({self.package!r}))"
        return subprocess.run([self._python, "-c", ask], capture_output=True, check=True, text=True).stdout.strip()

    def command(self, setting: Setting) -> list[str]:
        """What to run for it to serve."""
        launched = setting.runner or self.launched_by
        words = ["load_tests.peers.launch", launched] if launched else [f"load_tests.peers.{self.app}"]
        return [self._python, "-m", *words]

    def variables(self, setting: Setting, checkpoint: Path) -> dict[str, str]:
        """What it needs in its environment to serve the Hugging Face folder ``checkpoint``."""
        return {
            **_QUIET,
            **setting.to_environment(),
            "PEER_CHECKPOINT": str(checkpoint.resolve()),
            "OMP_NUM_THREADS": str(setting.threads),
            "PYTHONPATH": str(_ROOT),
        }

    @property
    def _python(self) -> str:
        return str(self.folder / "bin" / "python")


def wav(pcm: Pcm) -> bytes:
    """A window as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, pcm, 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _upload(recording: bytes) -> Request:
    boundary = "voicestress-3f1c0b7e"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="audio"; filename="window.wav"\r\n'
    parts = [head.encode(), b"Content-Type: audio/wav\r\n\r\n", recording, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _body(recording: bytes) -> Request:
    return recording, "audio/wav"


def _json(payload: object) -> Request:
    return json.dumps(payload).encode(), "application/json"


def _text(recording: bytes) -> str:
    return base64.b64encode(recording).decode()


def _inference_request(recording: bytes) -> Request:
    audio = {
        "name": "audio",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [_text(recording)],
    }
    return _json({"inputs": [audio]})


def _own_logits(answer: Any) -> list[float]:
    return list(answer["logits"])


FLASK = Peer(
    "the article's Flask app",
    "flask",
    "peers",
    "flask_app",
    "/analyze",
    _upload,
    _own_logits,
    layouts=(Setting(1, 2), Setting(1, 2, runner="gunicorn"), Setting(2, 1, runner="gunicorn")),
    batches=False,
)
LITSERVE = Peer(
    "LitServe",
    "litserve",
    "peers",
    "litserve_app",
    "/predict",
    lambda recording: _json({"audio": _text(recording)}),
    _own_logits,
)
MLSERVER = Peer(
    "MLServer",
    "mlserver",
    "mlserver",
    "mlserver_app",
    "/v2/models/stress/infer",
    _inference_request,
    lambda answer: list(answer["outputs"][0]["data"]),
    launched_by="mlserver",
)
RAY_SERVE = Peer("Ray Serve", "ray", "peers", "ray_serve_app", "/analyze", _body, _own_logits)
BENTOML = Peer(
    "BentoML",
    "bentoml",
    "peers",
    "bentoml_app",
    "/analyze",
    lambda recording: _json({"windows": [_text(recording)]}),
    lambda answer: list(answer[0]["logits"]),
    launched_by="bentoml",
)
PEERS = (FLASK, LITSERVE, MLSERVER, RAY_SERVE, BENTOML)
