"""What GPUs could do at the very best, on paper: nothing here was run.

Each product takes the longer of its operations at the card's dense half-precision peak and its bytes at the card's
memory bandwidth (Williams, Waterman and Patterson 2009, Roofline). Real kernels reach perhaps half of that; norms,
softmax, gathers and the waiting of a server are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import Wav2Vec2Config

from load_tests.bench.operations import products

_BYTES = 2  # half precision


@dataclass(frozen=True)
class Card:
    """A GPU's data sheet: dense fp16 tensor TFLOP/s, and memory GB/s."""

    name: str
    tflops: float
    gb_per_s: float


# NVIDIA's data sheets; where they quote sparse figures, half of them.
CARDS = (
    Card("T4", 65.0, 320.0),
    Card("L4", 121.0, 300.0),
    Card("A100 80 GB (PCIe)", 312.0, 1935.0),
    Card("H100 (SXM)", 989.0, 3350.0),
)


def seconds(card: Card, config: Wav2Vec2Config, windows_s: Sequence[float]) -> float:
    """The least time a batch of windows could take on ``card``."""
    total = 0.0
    for product in products(config, windows_s):
        compute = product.operations / (card.tflops * 1e12)
        memory = _BYTES * (product.activations + product.weights) / (card.gb_per_s * 1e9)
        total += max(compute, memory)
    return total


def audio_s_per_s(card: Card, config: Wav2Vec2Config, windows_s: Sequence[float]) -> float:
    """Audio-seconds a second at that time."""
    return sum(windows_s) / seconds(card, config, windows_s)
