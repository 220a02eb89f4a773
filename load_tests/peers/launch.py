"""Servers that are started by a command of theirs: ``python -m load_tests.peers.launch gunicorn|bentoml|mlserver``.

It takes ports and workers from the environment, as the other apps do, and becomes that command.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from load_tests.peers.setting import Setting, address


def gunicorn(setting: Setting) -> list[str]:
    """gunicorn with its default kind of workers, which take one request at a time."""
    host, port = address()
    workers = ["--workers", str(setting.workers), "--timeout", "300"]
    return ["gunicorn", *workers, "--bind", f"{host}:{port}", "load_tests.peers.flask_app:app"]


def bentoml(_: Setting) -> list[str]:
    """BentoML's server; the service says how many workers it wants."""
    host, port = address()
    return ["bentoml", "serve", "load_tests.peers.bentoml_app:Stress", "--host", host, "--port", str(port)]


def mlserver(setting: Setting) -> list[str]:
    """MLServer, which reads its settings from the folder it serves: this one."""
    host, port = address()
    server = {
        "host": host,
        "http_port": port,
        "grpc_port": int(os.environ["PEER_SECOND_PORT"]),
        "metrics_endpoint": None,
        "parallel_workers": setting.workers,
    }
    model = {
        "name": "stress",
        "implementation": "load_tests.peers.mlserver_app.StressRuntime",
        "max_batch_size": setting.batch_size if setting.batch_size > 1 else 0,
        "max_batch_time": setting.wait_s,
    }
    Path("settings.json").write_text(json.dumps(server), encoding="utf-8")
    Path("model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return ["mlserver", "start", "."]


if __name__ == "__main__":
    name, *words = {"gunicorn": gunicorn, "bentoml": bentoml, "mlserver": mlserver}[sys.argv[1]](
        Setting.from_environment()
    )
    program = str(Path(sys.executable).parent / name)
    os.execv(program, [program, *words])  # noqa: S606
