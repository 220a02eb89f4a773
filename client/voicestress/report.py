"""What a caller gets: the stress report of one recording, and how it is made of the windows' logits."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from voicestress_audio import Recording

from voicestress.contract import StressContract

Status = Literal["High", "Normal"]
Level = float
Probabilities = dict[str, float]


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


class WindowReport(_Frozen):
    """One window of speech."""

    start_s: float = Field(description="where the window starts in the recording, in seconds")
    end_s: float = Field(description="where it ends, in seconds")
    speech_s: float = Field(description="seconds of speech in it")
    stress_level: Level = Field(ge=0, le=100)
    emotions: Probabilities = Field(description="probability of each label, summing to 1")


class StressReport(_Frozen):
    """The stress report of one recording.

    ``stress_level`` (0 to 100) and ``emotions`` are means over the windows, weighted by their seconds of speech.
    """

    stress_level: Level = Field(ge=0, le=100)
    status: Status
    emotions: Probabilities
    duration_s: float
    speech_s: float
    windows: tuple[WindowReport, ...] = Field(min_length=1)
    model: ModelInfo


def stress_report(
    recording: Recording, logits: npt.NDArray[np.float32], contract: StressContract, *, name: str, version: str
) -> StressReport:
    """The report of ``recording`` whose windows got ``logits [windows, labels]`` from model ``name``."""
    probabilities = contract.probabilities(logits)  # [windows, labels]
    levels = contract.levels(probabilities)  # [windows]
    speech_s = np.array([window.speech_s for window in recording.windows])
    mean_probabilities = np.average(probabilities, axis=0, weights=speech_s)  # [labels]
    level = float(
        np.clip(np.average(levels, weights=speech_s), 0.0, 100.0)
    )  # a mean may pass its own bounds by a digit
    return StressReport(
        stress_level=level,
        status=contract.status(level),
        emotions=_by_label(contract, mean_probabilities),
        duration_s=recording.duration_s,
        speech_s=recording.speech_s,
        windows=tuple(
            WindowReport(
                start_s=window.start_s,
                end_s=window.end_s,
                speech_s=window.speech_s,
                stress_level=float(window_level),
                emotions=_by_label(contract, row),
            )
            for window, window_level, row in zip(recording.windows, levels, probabilities, strict=True)
        ),
        model=ModelInfo(
            name=name,
            version=version,
            checkpoint=contract.checkpoint,
            weights=contract.weights,
            precision=contract.precision,
            status_threshold=contract.status_threshold,
        ),
    )


def _by_label(contract: StressContract, probabilities: npt.NDArray[np.float64]) -> Probabilities:
    return dict(zip(contract.labels, probabilities.tolist(), strict=True))
