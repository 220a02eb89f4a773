"""Ray Serve: a replica a worker, ``@serve.batch`` within each."""

from __future__ import annotations

import signal
import sys
import tempfile

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from load_tests.peers.scorer import Score, Scorer, read_wav
from load_tests.peers.setting import Setting, address

setting = Setting.from_environment()


@serve.deployment(
    num_replicas=setting.workers,
    ray_actor_options={"num_cpus": setting.threads},
    max_ongoing_requests=2 * setting.batch_size,
    max_queued_requests=-1,
)
class Stress:
    """A WAV file in, its score out."""

    def __init__(self) -> None:
        _stay_on_loopback()
        self._scorer = Scorer(setting.threads)

    async def __call__(self, request: Request) -> Score:
        """The score of the WAV file in a request's body."""
        return await self.score(read_wav(await request.body()))

    @serve.batch(max_batch_size=setting.batch_size, batch_wait_timeout_s=setting.wait_s)
    async def score(self, waveforms: list[np.ndarray]) -> list[Score]:
        """The scores of a batch."""
        return self._scorer.score(waveforms)


def _stay_on_loopback() -> None:
    """Replicas open a port to each other on all interfaces, which no setting of Ray's changes."""
    from ray.serve._private import replica

    add_port = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, at: add_port(server, at.replace("[::]", address()[0]))


if __name__ == "__main__":
    host, port = address()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ray.init(
        address="local",
        num_cpus=setting.workers * setting.threads,
        object_store_memory=200_000_000,
        include_dashboard=False,
        _temp_dir=tempfile.gettempdir(),
    )
    serve.start(http_options={"host": host, "port": port})
    serve.run(Stress.bind(), route_prefix="/analyze")
    try:
        signal.pause()
    finally:
        serve.shutdown()
        ray.shutdown()
