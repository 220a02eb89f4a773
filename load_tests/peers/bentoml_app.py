"""BentoML: a service of worker processes, with an API that batches what comes together."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bentoml

from load_tests.peers.scorer import Score, Scorer, read_base64
from load_tests.peers.setting import Setting, address

_PATIENCE_S = 300
setting = Setting.from_environment()


@bentoml.service(name="stress", workers=setting.workers, traffic={"timeout": _PATIENCE_S})
class Stress:
    """WAV files in base64 in, their scores out."""

    def __init__(self) -> None:
        self._scorer = Scorer(setting.threads)

    # The latency is a bound: what would take longer is refused.
    @bentoml.api(batchable=setting.batch_size > 1, max_batch_size=setting.batch_size, max_latency_ms=1000 * _PATIENCE_S)
    def analyze(self, windows: list[str]) -> list[Score]:
        """The scores of a batch."""
        return self._scorer.score([read_base64(window) for window in windows])


if __name__ == "__main__":
    host, port = address()
    bento = Path(sys.executable).parent / "bentoml"
    serve = [str(bento), "serve", "load_tests.peers.bentoml_app:Stress", "--host", host, "--port", str(port)]
    os.execv(serve[0], serve)  # noqa: S606
