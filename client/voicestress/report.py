"""What a caller gets: the stress report of one recording, and how it is made of the windows' logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from voicestress_audio import Recording, Window

from voicestress.contract import Policy, StressContract

Status = Literal["High", "Normal"]
Level = float
Emotions = dict[str, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ModelInfo(_Frozen):
    """Which model scored, as it describes itself."""

    name: str
    version: str
    checkpoint: str
    weights: Literal["trained", "random"] = Field(description="random: nobody trained it, and its levels mean nothing")
    precision: str
    status_threshold: float = Field(description="stress level above which the status is High")
    policy: Policy = Field(description="how emotions become a level; StressContract has the formulas")
    heuristic: bool = Field(description="the level is a rule of thumb: the model was trained for something else")


class WindowReport(_Frozen):
    """One window of speech."""

    start_s: float = Field(description="where the window starts in the recording, in seconds")
    end_s: float = Field(description="where it ends, in seconds")
    speech_s: float = Field(description="seconds of speech in it")
    stress_level: Level = Field(ge=0, le=100)
    emotions: Emotions = Field(
        description="probability of each label, summing to 1; of a dimensional model its dimensions, about 0 to 1 each"
    )


class StressReport(_Frozen):
    """The stress report of one recording.

    ``stress_level`` (0 to 100) and ``emotions`` are means over the windows, weighted by their seconds of speech.
    """

    stress_level: Level = Field(ge=0, le=100)
    status: Status
    emotions: Emotions
    duration_s: float
    speech_s: float
    windows: tuple[WindowReport, ...] = Field(min_length=1)
    model: ModelInfo


class StressUpdate(_Frozen):
    """One more window of a recording that is still going on."""

    window: WindowReport
    rolling_level: Level = Field(ge=0, le=100, description="mean over the last 30 s, weighted by seconds of speech")
    speech_s: float = Field(description="seconds of speech in all windows so far")
    heard_s: float = Field(description="seconds of the recording so far")


def stress_report(
    recording: Recording,
    logits: Sequence[npt.NDArray[np.float32]],
    contract: StressContract,
    *,
    name: str,
    version: str,
) -> StressReport:
    """The report of ``recording`` whose windows got ``logits [windows, labels]`` from model ``name``."""
    emotions = contract.emotions(np.array(logits))  # [windows, labels]
    levels = contract.levels(emotions)  # [windows]
    speech_s = np.array([window.speech_s for window in recording.windows])
    shares = speech_s / speech_s.sum()  # [windows]
    level = min(max(float(shares @ levels), 0.0), 100.0)  # a mean may pass its own bounds by a digit
    return StressReport(
        stress_level=level,
        status=contract.status(level),
        emotions=_by_label(contract, shares @ emotions),
        duration_s=recording.duration_s,
        speech_s=recording.speech_s,
        windows=tuple(
            _window_report(*of_window, contract) for of_window in zip(recording.windows, emotions, levels, strict=True)
        ),
        model=ModelInfo(
            name=name,
            version=version,
            checkpoint=contract.checkpoint,
            weights=contract.weights,
            precision=contract.precision,
            status_threshold=contract.status_threshold,
            policy=contract.policy,
            heuristic=contract.heuristic,
        ),
    )


def window_report(window: Window, logits: npt.NDArray[np.float32], contract: StressContract) -> WindowReport:
    """The report of one window that got ``logits [labels]``."""
    emotions = contract.emotions(logits)  # [labels]
    return _window_report(window, emotions, contract.levels(emotions), contract)


def _window_report(
    window: Window,
    emotions: npt.NDArray[np.float64],
    level: npt.NDArray[np.float64],
    contract: StressContract,
) -> WindowReport:
    return WindowReport(
        start_s=window.start_s,
        end_s=window.end_s,
        speech_s=window.speech_s,
        stress_level=float(level),
        emotions=_by_label(contract, emotions),
    )


def _by_label(contract: StressContract, emotions: npt.NDArray[np.float64]) -> Emotions:
    return dict(zip(contract.labels, emotions.tolist(), strict=True))
