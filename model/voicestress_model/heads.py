"""What turns frames into logits.

Every head takes the padded view ``frames [B, T, H]`` with ``mask [B, T]`` (true where a frame is one of the window's)
and gives logits ``[B, labels]`` that do not depend on what stands in the masked frames, nor on T. So one
implementation serves training, the Hugging Face reference and the padding-free export. A window without frames gets
finite logits that mean nothing; whoever calls decides what becomes of them.

Letters: B windows; T frames of the longest; H hidden size; C channels of the head.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from voicestress_model import numerics
from voicestress_model.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import Wav2Vec2Config

_TCN_KERNEL = 3


def zero_masked(frames: Tensor, mask: Tensor) -> Tensor:
    """``frames [B, T, C]`` with zeros where ``mask [B, T]`` is false, whatever stood there."""
    return torch.where(mask.unsqueeze(-1), frames, 0.0)


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """Mean over a window's own frames: ``[B, T, H]``, ``[B, T]`` to ``[B, H]``; zero for a window without frames."""
    totals = zero_masked(frames, mask).sum(dim=1)  # [B, H]
    return totals / mask.to(frames.dtype).sum(dim=1, keepdim=True).clamp(min=1.0)


def _mlp(inputs: int, bottleneck: int, labels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, bottleneck), nn.ReLU(), nn.Dropout(dropout), nn.Linear(bottleneck, labels))


class MeanPoolMLP(nn.Module):
    """The article's head: mean over frames, then Linear, ReLU, Dropout, Linear."""

    def __init__(self, hidden_size: int, labels: int, *, bottleneck: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = _mlp(hidden_size, bottleneck, labels, dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        logits: Tensor = self.layers(masked_mean(frames, mask))
        return logits


class ProjectionHead(nn.Module):
    """The head of ``Wav2Vec2ForSequenceClassification``: projector, mean over frames, classifier.

    The projector is linear, so it runs on the mean instead of on every frame.
    """

    def __init__(self, hidden_size: int, labels: int, *, bottleneck: int) -> None:
        super().__init__()
        self.projector = nn.Linear(hidden_size, bottleneck)
        self.classifier = nn.Linear(bottleneck, labels)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        logits: Tensor = self.classifier(self.projector(masked_mean(frames, mask)))
        return logits


class DenseTanhHead(nn.Module):
    """The head of ``Wav2Vec2ForSpeechClassification``, audEERING's among them: mean, Linear, tanh, Linear.

    What comes out is logits, or arousal, dominance and valence as they are (Wagner et al. 2023, Dawn of the
    Transformer Era in Speech Emotion Recognition).
    """

    def __init__(self, hidden_size: int, labels: int, *, bottleneck: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden_size, bottleneck)
        self.out_proj = nn.Linear(bottleneck, labels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        hidden = torch.tanh(self.dense(self.dropout(masked_mean(frames, mask))))  # [B, bottleneck]
        logits: Tensor = self.out_proj(self.dropout(hidden))
        return logits


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling (Okabe, Koshinaka and Shinoda 2018, equations 3 to 6), then the MLP.

    Each frame gets a score ``v · tanh(W h + b)``; their softmax weighs the mean and the standard deviation of the
    frames, so that the head sees how much a voice moves and not only where it stands.
    """

    def __init__(
        self, hidden_size: int, labels: int, *, bottleneck: int, attention: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.expand = nn.Linear(hidden_size, attention)
        self.score = nn.Linear(attention, 1, bias=False)  # a bias would cancel in the softmax
        self.layers = _mlp(2 * hidden_size, bottleneck, labels, dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        frames = zero_masked(frames, mask)
        scores = self.score(torch.tanh(self.expand(frames)))  # [B, T, 1]
        weights = torch.where(mask.unsqueeze(-1), scores, numerics.MASKED_SCORE).softmax(dim=1)  # [B, T, 1]
        mean = (weights * frames).sum(dim=1, keepdim=True)  # [B, 1, H]
        # Around the mean, not E[h²] - E[h]²: that loses its digits where frames are far from zero and alike.
        variance = (weights * (frames - mean).square()).sum(dim=1)  # [B, H]
        deviation = (variance + numerics.SMALLEST_VARIANCE).sqrt()  # [B, H]
        logits: Tensor = self.layers(torch.cat([mean.squeeze(1), deviation], dim=-1))
        return logits


class TemporalConvolution(nn.Module):
    """A temporal convolutional network over the frames (after Bai, Kolter and Koltun 2018), mean, then the MLP.

    ``blocks`` residual blocks of one dilated convolution each, with dilations 1, 2, 4, …; they look both ways, since a
    window is scored when it is over. Layer norm works within a frame, so a window's length changes nothing.
    """

    def __init__(
        self,
        hidden_size: int,
        labels: int,
        *,
        bottleneck: int,
        channels: int = 128,
        blocks: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if blocks < 1:
            raise ValueError(f"{blocks} blocks, at least 1 needed")
        self.reduce = nn.Linear(hidden_size, channels)
        self.blocks = nn.ModuleList(_DilatedBlock(channels, 2**number, dropout) for number in range(blocks))
        self.norm = nn.LayerNorm(channels)
        self.layers = _mlp(channels, bottleneck, labels, dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        frames = self.reduce(zero_masked(frames, mask))  # [B, T, C]
        for block in self.blocks:
            frames = block(frames, mask)  # [B, T, C]
        logits: Tensor = self.layers(masked_mean(self.norm(frames), mask))
        return logits


class _DilatedBlock(nn.Module):
    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv1d(channels, channels, _TCN_KERNEL, padding=dilation, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        # Zeros beyond a window's end are what the convolution's own padding would be.
        inputs = zero_masked(self.norm(frames), mask).transpose(1, 2)  # [B, C, T]
        added: Tensor = self.dropout(F.gelu(self.conv(inputs).transpose(1, 2)))  # [B, T, C]
        return frames + added


HEADS: dict[str, type[nn.Module]] = {
    "mean_pool_mlp": MeanPoolMLP,
    "projection": ProjectionHead,
    "dense_tanh": DenseTanhHead,
    "attentive_statistics": AttentiveStatistics,
    "temporal_convolution": TemporalConvolution,
}


def build_head(config: Wav2Vec2Config) -> nn.Module:
    """The head that ``config.stress_head`` names, for ``config.num_labels`` labels, freshly initialised.

    ``stress_head`` is ``{"kind": name, **options}``, with a name of ``HEADS`` and the keyword options of its class:
    ``bottleneck`` for all; ``dropout`` for all but ``projection``; ``attention`` for ``attentive_statistics``;
    ``channels`` and ``blocks`` for ``temporal_convolution``.

    Raises:
        CheckpointError: no head by that name, or an option it lacks, doesn't know or can't use.
    """
    options = dict(config.stress_head)
    kind = options.pop("kind", None)
    if kind not in HEADS:
        raise CheckpointError(f"stress_head {kind!r} is unknown; known are: {', '.join(HEADS)}")
    head = HEADS[kind]
    try:
        inspect.signature(head).bind(config.hidden_size, config.num_labels, **options)
        return head(config.hidden_size, config.num_labels, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"stress_head {kind!r} with {options}: {error}") from error
