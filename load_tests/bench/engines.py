"""The engines that are compared, each as a function of a batch of windows. All compute the same model.

Engines that can't take unequal lengths get the batch padded to its longest window with zeros, as anybody would.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from transformers import Wav2Vec2FeatureExtractor
from voicestress_model.agreement import Pcm, onnx_logits, onnx_session, reference_logits
from voicestress_model.checkpoints import StressCheckpoint

_RATE_HZ = 16_000
_OPSET = 20

Run = Callable[[Sequence[Pcm]], object]


@dataclass(frozen=True)
class Engine:
    """``run`` scores a batch; ``padded`` if it pads."""

    name: str
    run: Run
    padded: bool


def hugging_face(checkpoint: StressCheckpoint) -> Engine:
    """Hugging Face eager, with scaled-dot-product attention."""
    return Engine("Hugging Face eager", lambda windows: _padded_torch(checkpoint, checkpoint.detector, windows), True)


def compiled(checkpoint: StressCheckpoint) -> Engine:
    """The same through ``torch.compile``, for any length."""
    model = torch.compile(checkpoint.detector, dynamic=True)
    return Engine("torch.compile", lambda windows: _padded_torch(checkpoint, model, windows), True)


def plain_onnx(checkpoint: StressCheckpoint, path: Path, threads: int) -> Engine:
    """Hugging Face's model exported as it is, through ONNX Runtime."""
    write_plain_onnx(checkpoint, path)
    session = onnx_session(path, threads=threads)

    def run(windows: Sequence[Pcm]) -> object:
        return session.run(None, {session.get_inputs()[0].name: _padded(checkpoint, windows).numpy()})

    return Engine("plain ONNX export", run, True)


def padding_free(path: Path, name: str, threads: int) -> Engine:
    """A graph exported by this project, through ONNX Runtime."""
    session: onnxruntime.InferenceSession = onnx_session(path, threads=threads)
    return Engine(name, lambda windows: onnx_logits(session, windows), False)


def write_plain_onnx(checkpoint: StressCheckpoint, path: Path) -> None:
    """The detector as ``torch.onnx.export`` makes it: float waveforms ``[batch, samples]``, both free."""
    values = torch.zeros(2, 20_000)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            checkpoint.detector,
            (values,),
            dynamo=True,
            opset_version=_OPSET,
            dynamic_shapes={"input_values": {0: "batch", 1: "samples"}},
            verbose=False,
        )
    assert program is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    program.save(str(path), external_data=False)


def _padded_torch(checkpoint: StressCheckpoint, model: Callable[..., object], windows: Sequence[Pcm]) -> object:
    if len(windows) == 1 and model is checkpoint.detector:
        return reference_logits(checkpoint, windows)
    with torch.inference_mode():
        return model(_padded(checkpoint, windows))


def _padded(checkpoint: StressCheckpoint, windows: Sequence[Pcm]) -> torch.Tensor:
    extractor = Wav2Vec2FeatureExtractor(do_normalize=checkpoint.normalize)
    waveforms = [window.astype(np.float32) / 32768.0 for window in windows]
    return extractor(waveforms, sampling_rate=_RATE_HZ, padding=True, return_tensors="pt").input_values
