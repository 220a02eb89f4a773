"""MLServer: a custom runtime, adaptive batching, a pool of inference workers. It serves a folder with settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from load_tests.peers.scorer import Scorer, read_wav
from load_tests.peers.setting import Setting, address


class StressRuntime(MLModel):
    """Windows as base64 WAV files in, logits out."""

    async def load(self) -> bool:
        """Load the model, in a worker."""
        self._scorer = Scorer(Setting.from_environment().threads)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Logits and levels of the windows that MLServer batched."""
        scores = self._scorer.score([read_wav(wav) for wav in Base64Codec.decode_input(payload.inputs[0])])
        logits = np.array([score["logits"] for score in scores], dtype=np.float32)
        levels = np.array([[score["level"]] for score in scores], dtype=np.float32)
        outputs = [NumpyCodec.encode_output("logits", logits), NumpyCodec.encode_output("level", levels)]
        return InferenceResponse(model_name=self.name, outputs=outputs)


def write_settings(folder: Path, setting: Setting) -> None:
    """Everything MLServer reads, in ``folder``. Ports that nobody asks are free ones."""
    host, port = address()
    server = {
        "host": host,
        "http_port": port,
        "grpc_port": int(os.environ["PEER_SECOND_PORT"]),
        "metrics_endpoint": None,
        "parallel_workers": setting.workers,
        "environments_dir": str(folder / "environments"),
        "metrics_dir": str(folder),
    }
    model = {
        "name": "stress",
        "implementation": "load_tests.peers.mlserver_app.StressRuntime",
        "max_batch_size": setting.batch_size if setting.batch_size > 1 else 0,
        "max_batch_time": setting.wait_s,
    }
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(model))


if __name__ == "__main__":
    write_settings(Path.cwd(), Setting.from_environment())
    command = [str(Path(sys.executable).parent / "mlserver"), "start", "."]
    os.execv(command[0], command)  # noqa: S606
