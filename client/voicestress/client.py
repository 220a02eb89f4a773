"""StressClient: a recording in, a stress report out."""

from __future__ import annotations

import math
import queue
import time
import warnings
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferenceServerClient, InferResult
from tritonclient.utils import InferenceServerException
from voicestress_audio import Recording, Source, read_recording

from voicestress import wire
from voicestress.contract import StressContract
from voicestress.errors import ServiceError, StressError
from voicestress.report import StressReport, stress_report
from voicestress.retry import RetryBudget, RetryPolicy
from voicestress.schedule import Call, WindowSchedule

Answer = tuple[int, InferResult | None, InferenceServerException | None]
_DEFAULT_RETRIES = RetryPolicy()


class UntrainedModelWarning(UserWarning):
    """The model that is served has random weights: its stress levels mean nothing."""


class StressClient:
    """A connection to a stress model on a Triton server; keep one for the life of the process.

    It may be used from several threads at once, and as a context manager.

    Args:
        url: the server's gRPC address, ``host:port``.
        model: the model's name in the server's repository.
        deadline_s: seconds a window may take, its retries included. A recording makes one request a window.
        in_flight: how many windows of one recording are with the server at once.
        priority: who goes first where the server is busy: "live", then "normal", then "archive".
        retries: how often and when a request is made again that found the server full or away.
    """

    def __init__(
        self,
        url: str = "localhost:8001",
        *,
        model: str = "stress",
        deadline_s: float = 30.0,
        in_flight: int = 8,
        priority: wire.Priority = "normal",
        retries: RetryPolicy = _DEFAULT_RETRIES,
    ) -> None:
        if not (math.isfinite(deadline_s) and deadline_s > 0):
            raise ValueError(f"deadline_s is {deadline_s}; give a finite number of seconds above 0")
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; at least 1 window must be with the server")
        if priority not in wire.PRIORITIES:
            raise ValueError(f"priority is {priority!r}; it is one of {', '.join(wire.PRIORITIES)}")
        self._url, self._model = wire.check_address(url), model
        self._deadline_s, self._in_flight = deadline_s, in_flight
        self._priority, self._retries, self._budget = wire.PRIORITIES[priority], retries, RetryBudget()
        self._triton = InferenceServerClient(url)
        self._contract: StressContract | None = None
        self._version = ""
        self._outputs = wire.requested_output()

    def contract(self) -> StressContract:
        """What the model says of itself; read from the server once.

        Raises:
            Unavailable, DeadlineExceeded: the server can't be asked.
            ContractError: the model there is not one this client can read.
        """
        if self._contract is None:
            try:
                response = self._triton.get_model_config(self._model, client_timeout=self._deadline_s)
            except InferenceServerException as error:
                raise self._service_error(error) from error
            contract = wire.read_contract(response.config, model=f"{self._url}/{self._model}")
            if contract.weights == "random":
                warnings.warn(
                    f"{self._url}: {self._model} ({contract.checkpoint}) has random weights; its levels mean nothing",
                    UntrainedModelWarning,
                    stacklevel=3,  # of analyze, the usual way here
                )
            self._contract = contract
        return self._contract

    def analyze(self, source: Source, *, speech_detection: bool = True) -> StressReport:
        """Score a recording.

        Args:
            source: a path, the bytes of a file, a binary file object, or ``(samples, rate_hz)``.
            speech_detection: find the speech first; false for recordings that hold nothing else.

        Raises:
            InvalidAudio: the recording can't be used; ``NoSpeech`` if too little of it is speech.
            ServiceError: the service failed: ``Overloaded``, ``Unavailable``, ``DeadlineExceeded``.
            ContractError: the model there is not one this client can read.
        """
        contract = self.contract()
        recording = read_recording(
            source,
            shortest_window_samples=contract.shortest_window_samples,
            longest_window_samples=contract.longest_window_samples,
            speech_detection=speech_detection,
        )
        logits, version = self._logits(recording, contract)
        if self._version and version != self._version:  # another model is served since its contract was read
            self._contract = None
            contract = self.contract()
            logits, version = self._logits(recording, contract)
        self._version = version
        return stress_report(recording, logits, contract, name=self._model, version=version)

    def close(self) -> None:
        """Close the connection."""
        self._triton.close()

    def __enter__(self) -> StressClient:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def _logits(self, recording: Recording, contract: StressContract) -> tuple[npt.NDArray[np.float32], str]:
        """Logits ``[windows, labels]`` of a recording's windows, several in flight, and the model's version."""
        windows = recording.windows
        logits = np.empty((len(windows), len(contract.labels)), dtype=np.float32)
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        calls: dict[int, Any] = {}
        versions = set[str]()
        schedule = WindowSchedule(
            len(windows),
            in_flight=self._in_flight,
            deadline_s=self._deadline_s,
            policy=self._retries,
            budget=self._budget,
        )
        try:
            while not schedule.is_done:
                while (call := schedule.next_call(time.monotonic())) is not None:
                    calls[call.number] = self._send(call, windows[call.number].pcm, answers)
                answer = self._wait(answers, schedule.wait_s(time.monotonic()))
                if answer is None:
                    continue
                number, result, error = answer
                del calls[number]
                if error is not None or result is None:
                    failure = self._service_error(error or InferenceServerException("no answer"))
                    schedule.fail(number, failure, time.monotonic())
                    continue
                logits[number] = wire.window_logits(result, contract)
                versions.add(result.get_response().model_version)
                schedule.answer(number)
        finally:
            for call in calls.values():
                call.cancel()
        if len(versions) > 1:
            raise ServiceError(
                f"{self._url}: {self._model} changed from version {' to '.join(sorted(versions))} while the recording "
                "was scored; analyze it again"
            )
        return logits, versions.pop()

    def _wait(self, answers: queue.SimpleQueue[Answer], at_most_s: float | None) -> Answer | None:
        """The next answer, or None if there is none within ``at_most_s``."""
        # gRPC ends every call at its deadline; should it ever not, nothing here hangs.
        patience_s = 2 * self._deadline_s
        try:
            return answers.get(timeout=patience_s if at_most_s is None else at_most_s)
        except queue.Empty:
            if at_most_s is not None:
                return None
            raise ServiceError(f"{self._url}: neither answer nor time-out in {patience_s:g} s") from None

    def _send(self, call: Call, pcm: npt.NDArray[np.int16], answers: queue.SimpleQueue[Answer]) -> Any:
        def on_answer(result: InferResult | None, error: InferenceServerException | None) -> None:
            answers.put((call.number, result, error))

        return self._triton.async_infer(
            self._model,
            wire.window_input(pcm),
            on_answer,
            outputs=self._outputs,
            client_timeout=call.timeout_s,
            timeout=wire.queue_timeout_us(call.timeout_s),
            priority=self._priority,
        )

    def _service_error(self, error: InferenceServerException) -> StressError:
        return wire.service_error(error, url=self._url, model=self._model, deadline_s=self._deadline_s)
