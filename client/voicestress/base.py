"""What every kind of client has: its settings, the model's contract, and what its requests are made of."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from tritonclient.utils import InferenceServerException
from voicestress_audio import LiveRecording, Recording

from voicestress import connection, tracing, wire
from voicestress.connection import Tls, Token
from voicestress.contract import StressContract
from voicestress.errors import ServiceError, StressError
from voicestress.live import LiveScore
from voicestress.replicas import Replicas
from voicestress.report import StressReport, stress_report
from voicestress.retry import RetryBudget, RetryPolicy
from voicestress.schedule import Call, WindowSchedule
from voicestress.scoring import Request, Scoring

# How often a recording is scored anew because another model is served than the one whose contract was read.
MODEL_CHANGES = 3
# Whether it is ready a server knows without computing anything.
READY_ANSWER_S = 2.0
_DEFAULT_RETRIES = RetryPolicy()


class UntrainedModelWarning(UserWarning):
    """The model that is served has random weights: its stress levels mean nothing."""


class BaseClient(ABC):
    """Connections to a stress model on one or more Triton servers; keep one for the life of the process.

    Args:
        url: the server's gRPC address, ``host:port``, or several, which take turns. Of a name with several addresses,
            ``dns:///host:port``, all are used in turn.
        model: the model's name in the servers' repository.
        deadline_s: seconds a window may take, its retries included. A recording makes one request a window.
        in_flight: how many windows of one recording are with the servers at once.
        priority: who goes first where the server is busy: "live", then "normal", then "archive".
        retries: how often and when a request is made again that found the server full or away.
        tls: TLS to the servers; None for none.
        token: sent as ``authorization: Bearer``; a function is asked for it before each request.
        connections: how many to each address: a load balancer that shares out connections needs several.
    """

    def __init__(
        self,
        url: str | Sequence[str] = "localhost:8001",
        *,
        model: str = "stress",
        deadline_s: float = 30.0,
        in_flight: int = 8,
        priority: wire.Priority = "normal",
        retries: RetryPolicy = _DEFAULT_RETRIES,
        tls: Tls | None = None,
        token: Token | None = None,
        connections: int = 1,
    ) -> None:
        if not (math.isfinite(deadline_s) and deadline_s > 0):
            raise ValueError(f"deadline_s is {deadline_s}; give a finite number of seconds above 0")
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; at least 1 window must be with the server")
        if priority not in wire.PRIORITIES:
            raise ValueError(f"priority is {priority!r}; it is one of {', '.join(wire.PRIORITIES)}")
        if connections < 1:
            raise ValueError(f"connections is {connections}; at least 1 is needed")
        self._urls = connection.check_addresses(url) * connections
        self._model, self._deadline_s, self._in_flight = model, deadline_s, in_flight
        self._priority: wire.Priority = priority
        self._retries, self._budget, self._replicas = retries, RetryBudget(), Replicas(len(self._urls))
        self._credentials = None if tls is None else tls.credentials()
        self._channel_options, self._token = connection.channel_options(tls), token
        self._service = f"{', '.join(dict.fromkeys(self._urls))}: {model}"
        self._outputs = wire.requested_output()
        self._contract: StressContract | None = None
        self._version = ""
        self._connect()

    @abstractmethod
    def _connect(self) -> None:
        """Make the connections to ``_urls``."""

    def _adopt(self, config: Any, call: Call) -> StressContract:
        """Keep the contract in a ``ModelConfig`` message, the answer to ``call``.

        Raises:
            ContractError: the model is not one this client can read.
        """
        contract = wire.read_contract(config, model=f"{self._urls[call.replica]}/{self._model}")
        if contract.weights == "random":
            warnings.warn(
                f"{self._service} ({contract.checkpoint}) has random weights; its levels mean nothing",
                UntrainedModelWarning,
                stacklevel=4,  # of analyze, the usual way here
            )
        self._contract = contract
        return contract

    def _schedule(self, *, what: str = "window", windows: int = 0) -> WindowSchedule:
        return WindowSchedule(
            windows,
            in_flight=self._in_flight,
            deadline_s=self._deadline_s,
            policy=self._retries,
            budget=self._budget,
            replicas=self._replicas,
            what=what,
        )

    def _scoring(self, contract: StressContract) -> Scoring:
        return Scoring(contract, self._schedule(), service=self._service)

    def _live(self, scoring: Scoring, rate_hz: int, *, channels: int, speech_detection: bool) -> LiveScore:
        recording = LiveRecording(
            rate_hz, channels=channels, speech_detection=speech_detection, **scoring.contract.window_bounds
        )
        return LiveScore(
            recording, scoring, model=self._model, backlog=2 * self._in_flight, is_outdated=self._is_outdated
        )

    def _is_outdated(self, scoring: Scoring) -> bool:
        """Whether another model is served since its contract was read; it is forgotten then."""
        if scoring.contract is not self._contract:
            return True  # another recording was told, meanwhile
        if self._version in ("", scoring.version):
            self._version = scoring.version
            return False
        self._contract, self._version = None, ""
        return True

    def _keeps_changing(self) -> ServiceError:
        return ServiceError(
            f"{self._service} changed {MODEL_CHANGES} times while a recording was scored; analyze it again"
        )

    def _report(self, recording: Recording, scoring: Scoring) -> StressReport:
        return stress_report(recording, scoring.take(), scoring.contract, name=self._model, version=scoring.version)

    def _headers(self) -> dict[str, str]:
        return {**connection.headers(self._token), **tracing.headers()}

    def _arguments(self, request: Request, priority: wire.Priority) -> dict[str, Any]:
        """What Triton's clients are told of a request, whichever kind they are."""
        timeout_s = request.call.timeout_s
        return {
            "model_name": self._model,
            "inputs": wire.window_input(request.pcm),
            "outputs": self._outputs,
            "client_timeout": timeout_s,
            "timeout": wire.queue_timeout_us(timeout_s),
            "priority": wire.PRIORITIES[priority],
            "headers": self._headers(),
        }

    def _service_error(self, error: InferenceServerException, call: Call) -> StressError:
        return wire.service_error(error, url=self._urls[call.replica], model=self._model, deadline_s=self._deadline_s)
