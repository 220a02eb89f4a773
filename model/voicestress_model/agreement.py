"""How far two implementations of one checkpoint disagree, measured on a batch of mixed lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from transformers import Wav2Vec2FeatureExtractor
from voicestress.contract import INPUT_NAME, OUTPUT_NAME, StressContract

from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.geometry import SAMPLE_RATE_HZ
from voicestress_model.onnx_graph import LENGTHS_NAME

Pcm = npt.NDArray[np.int16]
Logits = npt.NDArray[np.float32]


def reference_logits(checkpoint: StressCheckpoint, windows: Sequence[Pcm]) -> Logits:
    """Hugging Face's logits ``[windows, labels]``, one window at a time, as its feature extractor would feed it."""
    extractor = Wav2Vec2FeatureExtractor(do_normalize=checkpoint.normalize)
    rows = []
    with torch.inference_mode():
        for window in windows:
            values = extractor(
                window.astype(np.float32) / 32768.0, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt"
            ).input_values
            rows.append(checkpoint.detector(values)[0].numpy())
    return np.stack(rows)


def onnx_session(path: Path, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the CPU with ``threads`` threads (0: one a core)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnx_logits(session: onnxruntime.InferenceSession, windows: Sequence[Pcm]) -> Logits:
    """The exported graph's logits ``[windows, labels]``, all windows in one batch."""
    lengths = np.array([[len(window)] for window in windows], dtype=np.int32)
    (logits,) = session.run([OUTPUT_NAME], {INPUT_NAME: np.concatenate(windows), LENGTHS_NAME: lengths})
    return np.asarray(logits)


def torchscript_logits(model: torch.jit.ScriptModule, windows: Sequence[Pcm]) -> Logits:
    """The scripted model's logits ``[windows, labels]``, all windows in one batch, run as Triton runs it."""
    lengths = torch.tensor([[len(window)] for window in windows], dtype=torch.int32)
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        return np.asarray(model(torch.from_numpy(np.concatenate(windows)), lengths).numpy())


def mixed_windows(contract: StressContract, *, seed: int = 0) -> list[Pcm]:
    """Five windows from the shortest to the longest the model takes, loud and soft, low-pass noise from ``seed``."""
    generator = np.random.default_rng(seed)
    shortest, longest = contract.shortest_window_samples, contract.longest_window_samples
    lengths = [shortest, *sorted(generator.integers(shortest, longest + 1, size=3)), longest]
    generator.shuffle(lengths)
    return [_low_pass_noise(generator, int(length), peak=10 ** generator.uniform(2, 4.5)) for length in lengths]


def _low_pass_noise(generator: np.random.Generator, samples: int, *, peak: float) -> Pcm:
    noise = np.cumsum(generator.standard_normal(samples))
    noise -= np.linspace(noise[0], noise[-1], samples)
    return np.asarray(np.rint(noise * (peak / max(1.0, np.abs(noise).max()))), dtype=np.int16)
