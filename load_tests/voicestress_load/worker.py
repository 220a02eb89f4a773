"""A worker: sends its share of the requests, and tells the master of each.

It is a worker of Locust's: connecting, heartbeats, statistics and messages are Locust's own.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from voicestress.errors import StressError

from voicestress_load import messages
from voicestress_load.arrivals import Arrivals
from voicestress_load.audio import Voices
from voicestress_load.preparing import Asker, Preparing
from voicestress_load.sending import Callers, Row, Sending
from voicestress_load.settings import Connection
from voicestress_load.workload import Workload

_TELL_EVERY_S = 1.0
_IDLE_S = 10.0  # how long requests are sent one at a time, at most, after the first
_WARM_NUMBER = 2**40  # the audio of those is no request's of the run


def work(host: str, port: int) -> int:
    """Work for the master there until it says goodbye."""
    environment = Environment(user_classes=[])
    runner = environment.create_worker_runner(host, port)
    _Worker(environment).listen()
    runner.greenlet.join()
    return 0


class _Worker:
    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._rows: list[Row] = []
        self._user: Asker | None = None
        self._protocol = ""

    def listen(self) -> None:
        """Do what the master says, each in a greenlet of its own: its messages are read meanwhile."""
        answers: dict[str, Callable[[Any], None]] = {
            messages.SETTINGS: self._introduce,
            messages.IDLE: self._idle,
            messages.OPEN_LOOP: self._open_loop,
            messages.CLOSED_LOOP: self._closed_loop,
            messages.STOP: lambda _: self._sending.stop(),
        }
        for name, answer in answers.items():
            self._environment.runner.register_message(name, self._listener(answer))
        gevent.spawn(self._tell_rows)
        self._tell(messages.READY, {})

    def _listener(self, answer: Callable[[Any], None]) -> Callable[..., None]:
        def listen(environment: Environment, msg: Any, **_: Any) -> None:
            gevent.spawn(answer, msg.data)

        return listen

    def _introduce(self, told: dict[str, Any]) -> None:
        connection, workload = Connection(**told["connection"]), Workload(**told["workload"])
        self._protocol = connection.protocol
        try:
            self._user = user = _user(self._environment, connection, workload)
            shortest = user.introduce()
            self._preparing = Preparing(
                workload,
                user,
                Voices(workload.recordings, user.rate_hz),
                seed=told["seed"],
                all_live=connection.protocol == "live",
            )
        except StressError as error:
            self._tell(messages.INTRODUCED, {"problem": str(error)})
            return
        except Exception as error:
            self._tell(messages.INTRODUCED, {"problem": f"a worker failed: {_words(error)}"})
            raise
        self._sending = Sending(user, self._preparing, on_row=self._on_row, deadline_s=connection.deadline_s)
        self._tell(messages.INTRODUCED, {"problem": None, "shortest_samples": shortest})

    def _idle(self, told: dict[str, Any]) -> None:
        """One request to connect and warm up, then so many one at a time, for a few seconds."""
        latencies_ms: list[float] = []
        problem, until_at = None, float("inf")
        user = self._user
        assert user is not None
        for number in range(told["requests"] + 1):
            if time.monotonic() > until_at:
                break
            component, audio_s = self._preparing.drawn(_WARM_NUMBER + number)
            if component.live:  # it would take as long as it speaks
                component = component.model_copy(update={"live": False})
            request = self._preparing.request(_WARM_NUMBER + number, 0, component, audio_s)
            begin_at = time.monotonic()
            ending = user.send(request)
            if ending.outcome != "scored":
                problem = f"an idle server {_ENDED[ending.outcome]} a request of {audio_s:.1f} s: {ending.detail}"
                break
            if number:
                latencies_ms.append(1000.0 * (time.monotonic() - begin_at))
            else:
                until_at = time.monotonic() + _IDLE_S
        self._tell(
            messages.IDLED,
            {
                "problem": problem,
                "latencies_ms": latencies_ms,
                "model": None if user.model is None else [user.model.name, user.model.version],
            },
        )

    def _open_loop(self, told: dict[str, Any]) -> None:
        zero_at = time.monotonic() + told["zero_in_s"]
        arrivals = Arrivals.from_message(told["arrivals"])
        self._send(lambda: self._sending.open_loop(arrivals, zero_at=zero_at))

    def _closed_loop(self, told: dict[str, Any]) -> None:
        zero_at = time.monotonic() + told["zero_in_s"]
        callers = Callers(told["step"], tuple(told["first_numbers"]), told["stride"], told["from_s"], told["until_s"])
        self._send(lambda: self._sending.closed_loop(callers, zero_at=zero_at))

    def _send(self, loop: Callable[[], int]) -> None:
        problem, sent = None, 0
        gc.collect()
        gc.freeze()  # what is there by now stays: looking through it again would only make pauses
        try:
            sent = loop()
        except Exception as error:
            problem = f"a worker failed: {_words(error)}"
            raise
        finally:
            self._flush()
            self._tell(messages.SENT, {"sent": sent, "problem": problem})

    def _on_row(self, row: Row, latency_ms: float) -> None:
        self._rows.append(row)
        self._environment.events.request.fire(
            request_type=self._protocol,
            name=row[2],
            response_time=latency_ms,
            response_length=row[9],
            exception=None if row[10] == "scored" else RuntimeError(row[11] or row[10]),
            context={},
        )

    def _tell_rows(self) -> None:
        while True:
            gevent.sleep(_TELL_EVERY_S)
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self._tell(messages.ROWS, {"rows": messages.packed(rows)})

    def _tell(self, name: str, message: dict[str, Any]) -> None:
        self._environment.runner.send_message(name, message)


_ENDED = {"rejected": "turned away", "late": "was too slow for", "failed": "failed"}


def _user(environment: Environment, connection: Connection, workload: Workload) -> Asker:
    if connection.protocol == "http":
        from voicestress_load.http_user import HttpUser

        return HttpUser(
            environment, connection, speech_detection=workload.speech_detection, rate_hz=workload.sample_rate_hz
        )
    from voicestress_load.grpc_user import GrpcUser

    return GrpcUser(environment, connection, speech_detection=workload.speech_detection)


def _words(error: Exception) -> str:
    return traceback.format_exception_only(error)[-1].strip()
