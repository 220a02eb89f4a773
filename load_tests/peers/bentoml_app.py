"""BentoML: a service of worker processes, with an API that batches what comes together."""

from __future__ import annotations

import bentoml

from load_tests.peers.scorer import Score, Scorer, read_base64
from load_tests.peers.setting import Setting

_PATIENCE_S = 300
setting = Setting.from_environment()


# The latency is a bound: what would take longer is refused.
_BATCHES = {"batchable": True, "max_batch_size": setting.batch_size, "max_latency_ms": 1000 * _PATIENCE_S}


@bentoml.service(name="stress", workers=setting.workers, traffic={"timeout": _PATIENCE_S})
class Stress:
    """WAV files in base64 in, their scores out."""

    def __init__(self) -> None:
        self._scorer = Scorer(setting.threads)

    @bentoml.api(**(_BATCHES if setting.batch_size > 1 else {}))
    def analyze(self, windows: list[str]) -> list[Score]:
        """The scores of a batch, or of one request's window."""
        return self._scorer.score([read_base64(window) for window in windows])
