"""What turns frames into logits.

Every head takes the padded view ``frames [B, T, H]`` with ``mask [B, T]`` (true where a frame is one of the window's)
and gives logits ``[B, labels]`` that do not depend on what stands in the masked frames. So one implementation serves
training, the Hugging Face reference and the padding-free export.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from voicestress_model.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import Wav2Vec2Config


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """Mean over a window's own frames: ``[B, T, H]``, ``[B, T]`` to ``[B, H]``; zero for a window without frames."""
    weights = mask.to(frames.dtype)  # [B, T]
    totals = (frames * weights.unsqueeze(-1)).sum(dim=1)  # [B, H]
    return totals / weights.sum(dim=1, keepdim=True).clamp(min=1.0)


class MeanPoolMLP(nn.Module):
    """The article's head: mean over frames, then Linear, ReLU, Dropout, Linear."""

    def __init__(self, hidden_size: int, bottleneck: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(hidden_size, bottleneck), nn.ReLU(), nn.Dropout(dropout), nn.Linear(bottleneck, labels)
        )

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        logits: Tensor = self.layers(masked_mean(frames, mask))
        return logits


class ProjectionHead(nn.Module):
    """The head of ``Wav2Vec2ForSequenceClassification``: projector, mean over frames, classifier.

    The projector is linear, so it runs on the mean instead of on every frame.
    """

    def __init__(self, hidden_size: int, bottleneck: int, labels: int) -> None:
        super().__init__()
        self.projector = nn.Linear(hidden_size, bottleneck)
        self.classifier = nn.Linear(bottleneck, labels)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of ``frames [B, T, H]`` with ``mask [B, T]``."""
        logits: Tensor = self.classifier(self.projector(masked_mean(frames, mask)))
        return logits


def build_head(config: Wav2Vec2Config) -> nn.Module:
    """The head that ``config.stress_head`` names, for ``config.num_labels`` labels, freshly initialised.

    ``stress_head`` is ``{"kind": "mean_pool_mlp" | "projection", "bottleneck": int}``, with ``"dropout"`` for the MLP.

    Raises:
        CheckpointError: no head by that name.
    """
    options = dict(config.stress_head)
    kind = options.pop("kind", None)
    match kind:
        case "mean_pool_mlp":
            return MeanPoolMLP(config.hidden_size, labels=config.num_labels, **options)
        case "projection":
            return ProjectionHead(config.hidden_size, labels=config.num_labels, **options)
    raise CheckpointError(f"stress_head {kind!r} is unknown; known are: mean_pool_mlp, projection")
