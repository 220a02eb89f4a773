"""A Locust user that asks Triton with the project's own client, in its gevent form: recordings, and live streams.

To be imported once gevent and gRPC are patched, as ``node.py`` does.
"""

from __future__ import annotations

import time
from typing import Any

import gevent
from locust import User
from voicestress import StressClient
from voicestress.commands.connecting import untrained_said_elsewhere
from voicestress.contract import WindowBounds
from voicestress.errors import StressError
from voicestress.retry import RetryPolicy
from voicestress.wire import PRIORITIES, Priority
from voicestress_audio import Recording, Window, read_recording

from voicestress_load.asking import SCORED, Ending, Model, Request, client_settings, ending_of
from voicestress_load.audio import Pcm
from voicestress_load.settings import Connection
from voicestress_load.workload import Component

CHUNK_S = 0.25
_RATE_HZ = 16_000


class GrpcUser(User):  # type: ignore[misc]  # Locust's User is of type Any where mypy can't see it
    """Sends what is asked of it, once: what the server turns away stays turned away, and is counted.

    One of it does for a whole worker: each request is a greenlet of its own, and gRPC shares the connection among them.
    """

    abstract = True
    rate_hz: int = _RATE_HZ  # what goes over the wire is 16 kHz, whatever the workload says

    def __init__(self, environment: Any, connection: Connection, *, speech_detection: bool) -> None:
        super().__init__(environment)
        self._speech_detection = speech_detection
        settings = client_settings(connection)
        self._clients = {
            priority: StressClient(**settings, priority=priority, retries=RetryPolicy(attempts=1))
            for priority in PRIORITIES
        }
        self._bounds: WindowBounds | None = None
        self.model: Model | None = None

    def introduce(self) -> int:
        """The shortest window that is scored there, in samples; every client reads its contract before any clock runs.

        Raises:
            StressError: no server answers, or the model is not one this client can read.
        """
        with untrained_said_elsewhere():
            contracts = [client.contract() for client in self._clients.values()]
        self._bounds = contracts[0].window_bounds
        return contracts[0].shortest_window_samples

    def payload(self, pcm: Pcm, component: Component) -> tuple[Any, int]:
        """What is sent of ``pcm`` [n] at 16 kHz, and its bytes: windows, cut before the time they are meant to go."""
        if component.live:
            return pcm, pcm.nbytes
        assert self._bounds is not None
        if not self._speech_detection and len(pcm) <= self._bounds["longest_window_samples"]:
            return _window(pcm), pcm.nbytes
        recording = read_recording((pcm, _RATE_HZ), speech_detection=self._speech_detection, **self._bounds)
        return recording, sum(window.pcm.nbytes for window in recording.windows)

    def send(self, request: Request) -> Ending:
        """Send a request and wait for what comes of it."""
        client = self._client(request.priority)
        try:
            report = self._speak(client, request) if request.live else client.score(request.payload)
        except StressError as error:
            return ending_of(error)
        if self.model is None:
            self.model = Model(report.model.name, report.model.version)
        return SCORED

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def _client(self, priority: Priority) -> StressClient:
        return self._clients[priority]

    def _speak(self, client: StressClient, request: Request) -> Any:
        """Push a live stream as fast as it is spoken; its report."""
        pcm: Pcm = request.payload
        chunk = round(CHUNK_S * _RATE_HZ)
        with client.stream(_RATE_HZ, speech_detection=self._speech_detection, priority=request.priority) as stream:
            for start in range(0, len(pcm), chunk):
                piece = pcm[start : start + chunk]
                spoken_at = request.begin_at + (start + len(piece)) / _RATE_HZ
                gevent.sleep(max(0.0, spoken_at - time.monotonic()))
                stream.push(piece)
            return stream.finish()


def _window(pcm: Pcm) -> Recording:
    """Speech ``pcm`` [n] at 16 kHz that is one window already, as ``read_recording`` would have it."""
    window = Window(pcm, 0, len(pcm), len(pcm))
    return Recording("<samples>", window.end_s, window.speech_s, (window,))
