"""The windows of one recording on their way to their logits.

Like ``schedule.py`` without clock, network and threads, so that every kind of client shares it: who drives it asks
``next_request``, sends it, and tells what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferResult

from voicestress import wire
from voicestress.contract import StressContract
from voicestress.errors import ServiceError, StressError
from voicestress.schedule import Call, WindowSchedule


@dataclass(frozen=True, eq=False)
class Request:
    """A window, int16 ``pcm [samples]``, to be sent as ``call`` has it."""

    call: Call
    pcm: npt.NDArray[np.int16]


class Scoring:
    """Sends windows and keeps their logits, in order.

    Args:
        contract: what the model says of itself.
        schedule: when and where each window is sent.
        service: what errors call the service.
    """

    def __init__(self, contract: StressContract, schedule: WindowSchedule, *, service: str) -> None:
        self.contract = contract
        self.version = ""  # of the model that answers
        self._schedule, self._service = schedule, service
        self._added = 0
        self._unanswered: dict[int, npt.NDArray[np.int16]] = {}
        self._logits: dict[int, npt.NDArray[np.float32]] = {}
        self._taken = 0

    @property
    def unanswered(self) -> int:
        """How many windows have no answer yet."""
        return len(self._unanswered)

    def add(self, pcm: npt.NDArray[np.int16]) -> None:
        """One more window, int16 ``[samples]``."""
        self._unanswered[self._added] = pcm
        self._added += 1
        self._schedule.add()

    def next_request(self, now_s: float) -> Request | None:
        """What to send at ``now_s``, if anything.

        Raises:
            StressError: a window is given up; with what was tried.
        """
        call = self._schedule.next_call(now_s)
        return None if call is None else Request(call, self._unanswered[call.number])

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until there may be something to send; None if only an answer can change that."""
        return self._schedule.wait_s(now_s)

    def answered(self, call: Call, result: InferResult) -> list[Call]:
        """A call was answered with ``result``; other calls for its window are of no use now, and returned.

        Raises:
            ServiceError: the answer breaks the contract, or is another version's than those before.
        """
        useless = self._schedule.answer(call)
        del self._unanswered[call.number]
        version = result.get_response().model_version
        if self.version not in ("", version):
            raise ServiceError(
                f"{self._service} changed from version {self.version} to {version} while the recording was scored; "
                "analyze it again"
            )
        self.version = version
        self._logits[call.number] = wire.window_logits(result, self.contract)
        return useless

    def failed(self, call: Call, error: StressError, now_s: float) -> None:
        """A call failed with ``error``: its window is sent again later, unless that is no use.

        Raises:
            StressError: ``error``, with what was tried.
        """
        self._schedule.fail(call, error, now_s)

    def cancelled(self, call: Call) -> None:
        """A call was cancelled, and its window is not asked for again."""
        self._schedule.cancel(call)

    def take(self) -> list[npt.NDArray[np.float32]]:
        """The logits ``[labels]`` of the windows after those taken before, in order, as far as they are known."""
        taken = []
        while self._taken in self._logits:
            taken.append(self._logits.pop(self._taken))
            self._taken += 1
        return taken
