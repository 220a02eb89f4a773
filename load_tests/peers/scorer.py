"""The model as every peer runs it: Hugging Face eager, written as somebody without this project would.

It imports nothing of voicestress: beside MLServer's own gRPC messages those of Triton's client can't even be loaded.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PreTrainedModel

_WEIGHTS = torch.tensor([0.0, 0.5, 1.0])  # neutral, sad, anxious

Score = dict[str, Any]


class Scorer:
    """The checkpoint folder of the environment's ``PEER_CHECKPOINT``, loaded; ``threads`` are torch's."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        folder = os.environ["PEER_CHECKPOINT"]
        self._extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
        self._classifier = _Classifier.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32).eval()

    def score(self, waveforms: Sequence[np.ndarray]) -> list[Score]:
        """Logits and level of each waveform, float32 at 16 kHz; unequal lengths are padded to the longest.

        With zeros and without a mask, as the feature extractor of a group-norm checkpoint asks.
        """
        inputs = self._extractor(list(waveforms), sampling_rate=16_000, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = self._classifier(inputs.input_values)  # [windows, labels]
        levels = 100 * logits.softmax(dim=-1) @ _WEIGHTS  # [windows]
        pairs = zip(logits.tolist(), levels.tolist(), strict=True)
        return [{"logits": row, "level": level} for row, level in pairs]


def read_wav(wav: bytes) -> np.ndarray:
    """The samples of a WAV file, float32."""
    return soundfile.read(io.BytesIO(wav), dtype="float32")[0]


def read_base64(text: str | bytes) -> np.ndarray:
    """The samples of a WAV file in base64, for frameworks that speak JSON."""
    return read_wav(base64.b64decode(text))


class _Head(nn.Module):
    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width = config.stress_head["bottleneck"]
        self.layers = nn.Sequential(
            nn.Linear(config.hidden_size, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, config.num_labels)
        )

    def forward(self, frames: Tensor) -> Tensor:
        return self.layers(frames.mean(dim=1))  # [B, T, H] to [B, labels]


class _Classifier(Wav2Vec2PreTrainedModel):
    """The article's model, with the weights named as in this project's checkpoints."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        self.head = _Head(config)
        self.post_init()

    def forward(self, input_values: Tensor) -> Tensor:
        return self.head(self.wav2vec2(input_values).last_hidden_state)
