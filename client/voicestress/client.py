"""StressClient: a recording in, a stress report out."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from tritonclient.grpc import InferenceServerClient, InferResult
from tritonclient.utils import InferenceServerException
from voicestress_audio import AudioLimits, Recording, Source, read_recording
from voicestress_audio.limits import DEFAULT_LIMITS

from voicestress import tracing, wire
from voicestress.base import MODEL_CHANGES, READY_ANSWER_S, BaseClient
from voicestress.contract import StressContract
from voicestress.conversation import Answers, Conversation
from voicestress.errors import Unauthorized
from voicestress.report import StressReport
from voicestress.scoring import Request, Scoring
from voicestress.stream import StressStream


class StressClient(BaseClient):
    """A stress model on one or more Triton servers; keep one for the life of the process.

    It may be used from several threads at once, and as a context manager. ``BaseClient`` tells of its settings.
    """

    def _connect(self) -> None:
        self._tritons = [
            InferenceServerClient(url, creds=self._credentials, channel_args=self._channel_options)
            for url in self._urls
        ]

    def contract(self) -> StressContract:
        """What the model says of itself; read from a server once.

        Raises:
            Unavailable, DeadlineExceeded, Unauthorized: no server can be asked.
            ContractError: the model there is not one this client can read.
        """
        schedule = self._schedule(what="request", windows=1)
        while self._contract is None:
            now_s = time.monotonic()
            if (call := schedule.next_call(now_s)) is None:
                time.sleep(schedule.wait_s(now_s) or 0.0)
                continue
            try:
                response = self._tritons[call.replica].get_model_config(
                    self._model, headers=self._headers(), client_timeout=call.timeout_s
                )
            except InferenceServerException as error:
                schedule.fail(call, self._service_error(error, call), time.monotonic())
            else:
                schedule.answer(call)
                self._adopt(response.config, call)
        return self._contract

    def is_ready(self) -> bool:
        """Whether a server has the model ready; asked anew each time, in 2 s a server at most."""
        return any(map(self._has_model_ready, self._tritons))

    def analyze(
        self, source: Source, *, speech_detection: bool = True, limits: AudioLimits = DEFAULT_LIMITS
    ) -> StressReport:
        """Score a recording.

        Args:
            source: a path, the bytes of a file, a binary file object, or ``(samples, rate_hz)``.
            speech_detection: find the speech first; false for recordings that hold nothing else.
            limits: the longest and the largest recording that is read.

        Raises:
            InvalidAudio: the recording can't be used; ``NoSpeech`` if too little of it is speech.
            ServiceError: the service failed: ``Overloaded``, ``Unavailable``, ``DeadlineExceeded``, ``Unauthorized``.
            ContractError: the model there is not one this client can read.
        """
        with tracing.span("analyze"):
            contract = self.contract()
            with tracing.span("read"):
                recording = read_recording(
                    source, speech_detection=speech_detection, limits=limits, **contract.window_bounds
                )
            return self.score(recording)

    def score(self, recording: Recording) -> StressReport:
        """Score a recording that was read already, by ``read_recording`` with the bounds in the model's contract.

        Raises:
            ServiceError, ContractError: as ``analyze``.
        """
        with tracing.span("score", windows=len(recording.windows)):
            for _ in range(MODEL_CHANGES):
                scoring = self._score(recording)
                if not self._is_outdated(scoring):
                    return self._report(recording, scoring)
            raise self._keeps_changing()

    def stream(
        self,
        rate_hz: int,
        *,
        channels: int = 1,
        speech_detection: bool = True,
        priority: wire.Priority = "live",
    ) -> StressStream:
        """Score a recording while it goes on: push chunks of audio, get updates, and a report at the end.

        Args:
            rate_hz: sample rate of the chunks.
            channels: of chunks of bytes: 1 or 2, interleaved.
            speech_detection: find the speech first; false where there is nothing else.
            priority: who goes first where the server is busy.

        Raises:
            InvalidAudio: no voice is recorded at this rate, or with so many channels.
            ServiceError, ContractError: as ``contract``.
        """
        scoring = self._scoring(self.contract())
        live = self._live(scoring, rate_hz, channels=channels, speech_detection=speech_detection)
        return StressStream(live, self._conversation(scoring, priority))

    def close(self) -> None:
        """Close the connections."""
        for triton in self._tritons:
            triton.close()

    def __enter__(self) -> StressClient:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _score(self, recording: Recording) -> Scoring:
        scoring = self._scoring(self.contract())
        for window in recording.windows:
            scoring.add(window.pcm)
        conversation = self._conversation(scoring, self._priority)
        try:
            conversation.run()
        finally:
            conversation.cancel()
        return scoring

    def _has_model_ready(self, triton: InferenceServerClient) -> bool:
        try:
            return bool(triton.is_model_ready(self._model, headers=self._headers(), client_timeout=READY_ANSWER_S))
        except (InferenceServerException, Unauthorized):  # Unauthorized: there is no token to send
            return False

    def _conversation(self, scoring: Scoring, priority: wire.Priority) -> Conversation:
        def send(request: Request, answers: Answers) -> Any:
            def on_answer(result: InferResult | None, error: InferenceServerException | None) -> None:
                failure = None if error is None else self._service_error(error, request.call)
                answers.put((request.call, failure or result))

            triton = self._tritons[request.call.replica]
            return triton.async_infer(callback=on_answer, **self._arguments(request, priority))

        return Conversation(scoring, send, patience_s=2 * self._deadline_s)
