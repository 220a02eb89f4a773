"""The serving contract: what a stress model says of itself, and how its logits become a stress level.

A model carries its contract in the ``parameters`` of its config.pbtxt, one JSON value a field, each key starting with
``stress_``. The exporter writes them, the client reads them: both through this module, and nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voicestress.errors import ContractError

INPUT_NAME = "PCM"
OUTPUT_NAME = "LOGITS"
SHORTEST_SAMPLES = 400  # below its receptive field Wav2Vec2 has nothing to say
LONGEST_SAMPLES = 960_000  # a minute: attention is quadratic, and windows are what batching shares out
_PREFIX = "stress_"

Weight = Annotated[float, Field(ge=0, le=1)]


class StressContract(BaseModel):
    """What a stress model says of itself.

    The defaults are those of the article this project grew out of: sadness counting half is its choice, not a finding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    contract_version: Literal[1] = 1
    labels: tuple[str, ...] = Field(default=("neutral", "sad", "anxious"), min_length=1)
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
        if len(self.label_weights) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels but {len(self.label_weights)} label weights")
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

    def status(self, level: float) -> Literal["High", "Normal"]:
        """``"High"`` for a stress level (0 to 100) above the model's threshold, else ``"Normal"``."""
        return "High" if level > self.status_threshold else "Normal"

    def probabilities(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Label probabilities ``[..., labels]`` of logits ``[..., labels]``: ``softmax(logits / temperature)``."""
        scaled = logits.astype(np.float64) / self.temperature
        exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))

    def levels(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Stress levels ``[...]``, 0 to 100, of label probabilities ``[..., labels]``: 100 · Σ weight · probability."""
        levels = 100.0 * (probabilities @ np.asarray(self.label_weights))
        return np.asarray(np.clip(levels, 0.0, 100.0))  # a sum of probabilities may pass 1 in its last digit

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
