"""The model as every peer runs it: Hugging Face eager, written as its documentation has it."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile
import torch
from transformers import Wav2Vec2FeatureExtractor
from voicestress_model.detector import StressDetector

_WEIGHTS = torch.tensor([0.0, 0.5, 1.0])  # neutral, sad, anxious

Score = dict[str, Any]


class Scorer:
    """A checkpoint folder, loaded; ``threads`` for torch. The folder is the environment's ``PEER_CHECKPOINT``."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        folder = os.environ["PEER_CHECKPOINT"]
        self._extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
        self._detector = StressDetector.from_pretrained(folder, dtype=torch.float32).eval()

    def score(self, waveforms: Sequence[np.ndarray]) -> list[Score]:
        """Logits and level of each waveform, float32 at 16 kHz; unequal lengths are padded to the longest.

        With zeros and without a mask, as the feature extractor of a group-norm checkpoint asks.
        """
        inputs = self._extractor(list(waveforms), sampling_rate=16_000, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = self._detector(inputs.input_values)  # [windows, labels]
        levels = 100 * logits.softmax(dim=-1) @ _WEIGHTS  # [windows]
        pairs = zip(logits.tolist(), levels.tolist(), strict=True)
        return [{"logits": row, "level": level} for row, level in pairs]


def read_wav(wav: bytes) -> np.ndarray:
    """The samples of a WAV file, float32."""
    return soundfile.read(io.BytesIO(wav), dtype="float32")[0]


def read_base64(text: str | bytes) -> np.ndarray:
    """The samples of a WAV file in base64, for frameworks that speak JSON."""
    return read_wav(base64.b64decode(text))
