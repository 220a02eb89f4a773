"""What a window costs by counting: floating-point operations and bytes, product by product.

A multiplication and an addition are two operations. Only matrix products count (convolutions are such): they are more
than 99 % of a Wav2Vec2. Bytes are what a product can't avoid: its input and output once, its weights once a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import Wav2Vec2Config
from voicestress_model.geometry import KERNELS, SLOT_SAMPLES, STRIDES


@dataclass(frozen=True)
class Product:
    """``count`` matrix products ``[rows, inner] @ [inner, columns]``; ``shared`` if the right side are weights.

    ``read`` is how many values the left side holds where its rows overlap, as a convolution's do.
    """

    name: str
    rows: float
    inner: int
    columns: int
    count: int = 1
    shared: bool = True
    read: float | None = None

    @property
    def operations(self) -> float:
        """Floating-point operations."""
        return 2.0 * self.rows * self.inner * self.columns * self.count

    @property
    def activations(self) -> float:
        """Values read and written that are no weights."""
        right = 0 if self.shared else self.inner * self.columns
        left = self.rows * self.inner if self.read is None else self.read
        return self.count * (left + self.rows * self.columns + right)

    @property
    def weights(self) -> int:
        """Values of the weights."""
        return self.count * self.inner * self.columns if self.shared else 0


def products(config: Wav2Vec2Config, windows_s: Sequence[float]) -> Iterator[Product]:
    """The products of a batch of windows of such lengths, padding-free."""
    slots = [-(-round(seconds * 16_000) // SLOT_SAMPLES) for seconds in windows_s]
    rows, inputs = float(sum(slots) * SLOT_SAMPLES), 1
    for number, (kernel, stride, outputs) in enumerate(zip(KERNELS, STRIDES, config.conv_dim, strict=True)):
        read, rows = rows * inputs, rows / stride
        yield Product(f"convolution {number}", rows, kernel * inputs, outputs, read=read)
        inputs = outputs
    tokens, hidden, wide = float(sum(slots)), config.hidden_size, config.intermediate_size
    groups, taps = config.num_conv_pos_embedding_groups, config.num_conv_pos_embeddings
    yield Product("projection", tokens, inputs, hidden)
    width = hidden // groups
    yield Product("positions", tokens, taps * width, width, count=groups, read=tokens * width)
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    yield Product("query, key, value", tokens, hidden, 3 * hidden, count=layers)
    for length in slots:
        size = hidden // heads
        yield Product("attention scores", length, size, length, count=layers * heads, shared=False)
        yield Product("attention mixture", length, length, size, count=layers * heads, shared=False)
    yield Product("attention output", tokens, hidden, hidden, count=layers)
    yield Product("feed-forward in", tokens, hidden, wide, count=layers)
    yield Product("feed-forward out", tokens, wide, hidden, count=layers)


def operations(config: Wav2Vec2Config, windows_s: Sequence[float]) -> float:
    """Floating-point operations of a batch."""
    return sum(product.operations for product in products(config, windows_s))
