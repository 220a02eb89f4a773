"""The serving contract: what a stress model says of itself, and how its logits become a stress level.

A model carries its contract in the ``parameters`` of its config.pbtxt, one JSON value a field, each key starting with
``stress_``. The exporter writes them, the client reads them: both through this module, and nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voicestress.errors import ContractError

INPUT_NAME = "PCM"
OUTPUT_NAME = "LOGITS"
SHORTEST_SAMPLES = 400  # below its receptive field Wav2Vec2 has nothing to say
LONGEST_SAMPLES = 960_000  # a minute: attention is quadratic, and windows are what batching shares out
_PREFIX = "stress_"

_AROUSAL, _VALENCE = "arousal", "valence"
DIMENSIONS = (_AROUSAL, "dominance", _VALENCE)

Weight = Annotated[float, Field(ge=0, le=1)]
Policy = Literal["label_weights", "arousal_valence"]


class WindowBounds(TypedDict):
    """The bounds of a window, in samples, as ``read_recording`` and ``LiveRecording`` take them."""

    shortest_window_samples: int
    longest_window_samples: int


class StressContract(BaseModel):
    """What a stress model says of itself.

    The defaults are those of the article this project grew out of: sadness counting half is its choice, not a finding.

    ``policy`` names how a window's logits become its level:

    - ``label_weights``: 100 · Σ weight · probability, with the probabilities softmax(logits / temperature).
    - ``arousal_valence``, for models that tell arousal and valence, each about 0 to 1, instead of labels:
      100 · clip(arousal · (1 - valence), 0, 1). A heuristic: high arousal with low valence is where stress lies in the
      circumplex of affect (Russell 1980), but such a model was never asked about stress. It has no label weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    contract_version: Literal[1] = 1
    labels: tuple[str, ...] = Field(default=("neutral", "sad", "anxious"), min_length=1)
    policy: Policy = "label_weights"
    label_weights: tuple[Weight, ...] = (0.0, 0.5, 1.0)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    status_threshold: float = Field(default=70.0, ge=0, le=100)
    sample_rate_hz: Literal[16000] = 16000
    shortest_window_samples: int = Field(default=8_000, ge=SHORTEST_SAMPLES, le=LONGEST_SAMPLES)
    longest_window_samples: int = Field(default=128_000, ge=SHORTEST_SAMPLES, le=LONGEST_SAMPLES)
    checkpoint: str = Field(min_length=1)
    weights: Literal["trained", "random"]
    precision: Literal["fp32", "fp16", "int8"] = "fp32"

    @model_validator(mode="after")
    def _fits_together(self) -> StressContract:
        if self.policy == "label_weights" and len(self.label_weights) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels but {len(self.label_weights)} label weights")
        if self.heuristic and not {_AROUSAL, _VALENCE} <= set(self.labels) <= set(DIMENSIONS):
            raise ValueError(f"the policy {self.policy} needs arousal and valence, not {', '.join(self.labels)}")
        if self.heuristic and (self.label_weights or self.temperature != 1):
            raise ValueError(f"the policy {self.policy} takes no label weights and no temperature")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels repeat: {', '.join(self.labels)}")
        if self.longest_window_samples < 2 * self.shortest_window_samples:
            raise ValueError(
                f"the longest window ({self.longest_window_samples} samples) must be at least twice the shortest "
                f"({self.shortest_window_samples}): speech of a length between could not be cut"
            )
        return self

    @property
    def shortest_window_s(self) -> float:
        """Shortest window the model scores, in seconds."""
        return self.shortest_window_samples / self.sample_rate_hz

    @property
    def longest_window_s(self) -> float:
        """Longest window the model scores, in seconds."""
        return self.longest_window_samples / self.sample_rate_hz

    @property
    def window_bounds(self) -> WindowBounds:
        """The bounds of a window, in samples."""
        return {
            "shortest_window_samples": self.shortest_window_samples,
            "longest_window_samples": self.longest_window_samples,
        }

    def status(self, level: float) -> Literal["High", "Normal"]:
        """``"High"`` for a stress level (0 to 100) above the model's threshold, else ``"Normal"``."""
        return "High" if level > self.status_threshold else "Normal"

    @property
    def heuristic(self) -> bool:
        """Whether the level is a rule of thumb over what the model was trained for, not what it was trained for."""
        return self.policy != "label_weights"

    def emotions(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """What logits ``[..., labels]`` say of each label ``[..., labels]``.

        Probabilities, ``softmax(logits / temperature)``; by the policy ``arousal_valence`` the logits themselves, which
        are the dimensions, about 0 to 1.
        """
        if self.heuristic:
            return logits.astype(np.float64)
        scaled = logits.astype(np.float64) / self.temperature
        exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))

    def levels(self, emotions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Stress levels ``[...]``, 0 to 100, of ``emotions [..., labels]``, as the policy has it."""
        if self.heuristic:
            arousal, valence = (emotions[..., self.labels.index(name)] for name in (_AROUSAL, _VALENCE))
            levels = 100.0 * arousal * (1.0 - valence)
        else:
            levels = 100.0 * (emotions @ np.asarray(self.label_weights))
        return np.asarray(np.clip(levels, 0.0, 100.0))  # a sum of probabilities, too, may pass 1 in its last digit

    def to_parameters(self) -> dict[str, str]:
        """The contract as Triton model parameters."""
        return {f"{_PREFIX}{name}": json.dumps(value) for name, value in self.model_dump(mode="json").items()}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str], *, model: str) -> StressContract:
        """Read the contract from a model's parameters.

        Raises:
            ContractError: the parameters are not those of a stress model, or a value is out of range.
        """
        ours = {key[len(_PREFIX) :]: text for key, text in parameters.items() if key.startswith(_PREFIX)}
        if not ours:
            raise ContractError(
                f"{model}: not a stress model: its config has no {_PREFIX}* parameters. "
                "Serve one made by `voicestress export`."
            )
        try:
            values: dict[str, Any] = {key: json.loads(text) for key, text in ours.items()}
        except json.JSONDecodeError as error:
            raise ContractError(f"{model}: a {_PREFIX}* parameter is not JSON: {error.doc!r}") from error
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{_PREFIX}{'.'.join(map(str, e['loc']))}: {e['msg']}" if e["loc"] else e["msg"]
                for e in error.errors(include_url=False)
            )
            raise ContractError(
                f"{model}: this client can't read its contract ({problems}). "
                "Export the model again with this version of voicestress."
            ) from error
