"""The padding-free Wav2Vec2: a batch of windows of any lengths, side by side, at the cost of its audio.

Read it with these letters in mind:

    B windows; S samples in all; N slots of 320 samples in all; R rows of a convolution; C channels; H hidden size;
    K windows of a padded view, T frames of the longest of them; E heads; D channels of a head

Four things make it work.

* **Slots.** A window of L samples gets ceil(L / 320) slots. All strides divide the slot, so after the last convolution
  each slot is one frame, and a window's frames are the first frame_count(L) <= slots - 1 of its slots. The last slot's
  frame looks into the neighbour: it is masked and never read.
* **Convolutions are matrix products.** A kernel of 3 with stride 2 on rows ``[R, C]`` is ``[R/2, 3C] @ [3C, C]``.
* **Group norm costs no pass over its input.** The first convolution is linear in 10 samples, so the mean and variance
  of each of its channels over a window follow from the mean and the covariance of those 10 samples over the window.
  These are sums of products of 16-bit integers: exact in double precision, whatever the order, whoever the neighbours.
  Normalisation and group norm then melt into per-window weights of the first convolution.
* **Views.** Attention, the position embedding and the head mix the frames of a window. They see the windows as
  ``[K, T]``, in a few views of like lengths: no window is padded far, and in small batches none at all.

A window shorter or longer than the model allows gets one empty slot and NaN logits.

The module exports to ONNX and compiles with TorchScript, which knows a part of Python only: no methods on a layout, no
closures, numbers by the name of their module. Products run in the type of their weights; residuals, norms and softmax
are in fp32 whatever that is (see ``half.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.cond import cond
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import Wav2Vec2Model

from voicestress_model import geometry, numerics
from voicestress_model.detector import StressDetector
from voicestress_model.layout import PaddedViews, collect, lay_out, padded_views, spread, take
from voicestress_model.packed_front_end import PackedFrontEnd


class PackedTransformer(nn.Module):
    """Features to frames: ``[N, C]`` to ``[N, H]``."""

    def __init__(self, backbone: Wav2Vec2Model, layer_weights: Tensor | None) -> None:
        super().__init__()
        encoder = backbone.encoder
        self.pre_norm = bool(backbone.config.do_stable_layer_norm)
        self.feature_norm = backbone.feature_projection.layer_norm
        self.projection = backbone.feature_projection.projection
        self.position = _without_weight_norm(encoder.pos_conv_embed.conv)
        self.norm = encoder.layer_norm
        self.layers = nn.ModuleList(PackedLayer(layer, pre_norm=self.pre_norm) for layer in encoder.layers)
        self.shares = None if layer_weights is None else layer_weights.detach().softmax(dim=-1).tolist()

    def forward(self, features: Tensor, views: PaddedViews) -> Tensor:
        """Frames ``[N, H]`` of features ``[N, C]``."""
        rows = self.feature_norm(features.float()).to(self.projection.weight.dtype)
        rows = self.projection(rows).float()  # [N, H]
        positions = [self._positions(spread(rows, view) * view.mask.unsqueeze(-1), view.mask) for view in views.views]
        rows = rows + collect(positions, views).float()
        if not self.pre_norm:
            rows = self.norm(rows)
        weighted = rows if self.shares is None else rows * self.shares[0]
        for number, layer in enumerate(self.layers):
            rows = layer(rows, views)
            if self.shares is not None:
                weighted = weighted + rows * self.shares[number + 1]
        if self.shares is not None:
            return weighted
        return self.norm(rows) if self.pre_norm else rows

    def _positions(self, padded: Tensor, mask: Tensor) -> Tensor:
        """The convolutional position embedding, ``[K, T, H]``; zeros beyond a window are its true padding.

        A view without frames would still cost reading all weights: it is left as it is.
        """
        rows = padded.to(self.position.weight.dtype).transpose(1, 2).contiguous()  # [K, H, T]
        if torch.jit.is_scripting():
            convolved = self._convolve(rows) if bool(mask.any()) else rows
        else:
            convolved = self._convolve_if_any(rows, mask)
        return convolved.transpose(1, 2)

    @torch.jit.unused
    def _convolve_if_any(self, rows: Tensor, mask: Tensor) -> Tensor:
        if torch.compiler.is_exporting():  # the choice is an operator of its own there
            return cond(mask.any(), self._convolve, torch.clone, (rows,))
        return self._convolve(rows) if mask.any() else rows

    def _convolve(self, rows: Tensor) -> Tensor:
        return F.gelu(self.position(rows)[..., : rows.shape[-1]]).contiguous()


class PackedLayer(nn.Module):
    """One transformer layer on packed rows; only the attention core sees the padded views."""

    def __init__(self, layer: nn.Module, *, pre_norm: bool) -> None:
        super().__init__()
        attention = layer.attention
        self.pre_norm = pre_norm
        self.heads = attention.num_heads
        scaling = attention.head_dim**-0.5
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        factors = (scaling, 1.0, 1.0)
        self.qkv = nn.Linear(attention.embed_dim, 3 * attention.embed_dim)
        self.qkv.weight.data = torch.cat([p.weight.detach() * f for p, f in zip(parts, factors, strict=True)])
        self.qkv.bias.data = torch.cat([p.bias.detach() * f for p, f in zip(parts, factors, strict=True)])
        self.out = attention.out_proj
        self.attention_norm, self.output_norm = layer.layer_norm, layer.final_layer_norm
        self.widen, self.narrow = layer.feed_forward.intermediate_dense, layer.feed_forward.output_dense

    def forward(self, rows: Tensor, views: PaddedViews) -> Tensor:
        """``[N, H]`` to ``[N, H]``."""
        if self.pre_norm:
            rows = rows + self._attend(self.attention_norm(rows), views)
            return rows + self._feed_forward(self.output_norm(rows))
        rows = self.attention_norm(rows + self._attend(rows, views))
        return self.output_norm(rows + self._feed_forward(rows))

    def _attend(self, rows: Tensor, views: PaddedViews) -> Tensor:
        rows = self.qkv(rows.to(self.qkv.weight.dtype))  # [N, 3H]
        mixed = [self._mix(spread(rows, view), view.mask) for view in views.views]
        return self.out(collect(mixed, views)).float()

    def _mix(self, rows: Tensor, mask: Tensor) -> Tensor:
        """The attention core: queries, keys and values ``[K, T, 3H]`` to ``[K, T, H]``."""
        query, key, value = rows.chunk(3, dim=-1)  # [K, T, H] each
        query, key, value = self._heads(query), self._heads(key), self._heads(value)  # [K, E, T, D] each
        penalty = torch.where(mask, 0.0, numerics.MASKED_SCORE)[:, None, None, :]  # [K, 1, 1, T]
        scores = (query @ key.transpose(-1, -2)).float() + penalty  # [K, E, T, T]
        return (scores.softmax(dim=-1).to(value.dtype) @ value).transpose(1, 2).flatten(2)  # [K, T, H]

    def _heads(self, part: Tensor) -> Tensor:
        return part.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _feed_forward(self, rows: Tensor) -> Tensor:
        return self.narrow(F.gelu(self.widen(rows.to(self.widen.weight.dtype)))).float()


class PackedWav2Vec2(nn.Module):
    """A stress detector on concatenated windows: the graph that is exported and served.

    Args:
        detector: the checkpoint; it is put into eval mode, and what is not rearranged here shares its parameters.
        normalize: whether each window is brought to zero mean and unit variance first.
        shortest_samples, longest_samples: bounds of a window; outside them its logits are NaN.
        tile_slots: slots that the front end works on at once, on a CPU and in an exported graph.
    """

    def __init__(
        self,
        detector: StressDetector,
        *,
        normalize: bool,
        shortest_samples: int,
        longest_samples: int,
        tile_slots: int = geometry.TILE_SLOTS,
    ) -> None:
        super().__init__()
        self.shortest_samples, self.longest_samples = shortest_samples, longest_samples
        self.front_end = PackedFrontEnd(detector.wav2vec2, normalize=normalize, tile_slots=tile_slots)
        self.transformer = PackedTransformer(detector.wav2vec2, getattr(detector, "layer_weights", None))
        self.head = detector.head
        self.eval()

    def forward(self, pcm: Tensor, lengths: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of int16 ``pcm [S]``, the windows one after another, and int32 ``lengths [B, 1]``."""
        layout = lay_out(lengths.flatten().long(), self.shortest_samples, self.longest_samples)
        views = padded_views(layout)
        frames = self.transformer(self.front_end(pcm, layout), views)  # [N, H]
        logits = torch.cat([self.head(spread(frames, view), view.mask) for view in views.views])  # [views * K, labels]
        logits = take(logits, views.row)  # [B, labels]
        return torch.where(layout.accepted.unsqueeze(1), logits, torch.nan)


def _without_weight_norm(conv: nn.Conv1d) -> nn.Conv1d:
    """A copy of ``conv`` with its weight norm folded into plain weights."""
    plain = nn.Conv1d(conv.in_channels, conv.out_channels, conv.kernel_size, padding=conv.padding, groups=conv.groups)
    plain.weight.data, plain.bias.data = conv.weight.detach().clone(), conv.bias.detach().clone()
    return plain
