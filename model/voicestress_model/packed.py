"""The padding-free Wav2Vec2: a batch of windows of any lengths, side by side, at the cost of its audio.

Read it with these letters in mind:

    B windows; S samples in all; N slots of 320 samples in all; R rows of a convolution; C channels; H hidden size;
    T frames of the longest window; E heads; D channels of a head

Three things make it work.

* **Slots.** A window of L samples gets ceil(L / 320) slots. All strides divide the slot, so after the last convolution
  each slot is one frame, and a window's frames are the first frame_count(L) <= slots - 1 of its slots. The last slot's
  frame looks into the neighbour; it is never read.
* **Convolutions are matrix products.** A kernel of 3 with stride 2 on rows ``[R, C]`` is ``[R/2, 3C] @ [3C, C]``.
* **Group norm costs no pass over its input.** The first convolution is linear in 10 samples, so the mean and variance
  of each of its channels over a window follow from the mean and the covariance of those 10 samples over the window.
  These are sums of products of 16-bit integers: exact in double precision, whatever the order, whoever the neighbours.
  Normalisation and group norm then melt into per-window weights of the first convolution.

A window shorter or longer than the model allows gets one empty slot and NaN logits.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import Wav2Vec2Model

from voicestress_model.detector import StressDetector
from voicestress_model.geometry import (
    FIRST_KERNEL,
    FIRST_STRIDE,
    KERNELS,
    RECEPTIVE_FIELD_SAMPLES,
    ROWS_PER_SLOT,
    SLOT_SAMPLES,
)

_PCM_SCALE = 1.0 / 32768.0
_NORMALIZATION_EPS = 1e-7  # of Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm
_MASKED_SCORE = -1e4  # finite, so that a window without frames gives numbers, not NaN, until the very end


class Layout(NamedTuple):
    """Where each window lies among the slots."""

    accepted: Tensor  # [B] whether the window's length is within bounds
    samples: Tensor  # [B] length, 0 where not accepted
    frames: Tensor  # [B] frames of its own, 0 where not accepted
    first_slot: Tensor  # [B]
    first_sample: Tensor  # [B] in the concatenation
    window: Tensor  # [N] the window a slot belongs to
    place: Tensor  # [N] the slot's place in its window
    membership: Tensor  # [B, N] 1.0 where the slot belongs to the window


def lay_out(lengths: Tensor, shortest_samples: int, longest_samples: int) -> Layout:
    """Give every window of ``lengths [B]`` (samples) its slots."""
    accepted = (lengths >= shortest_samples) & (lengths <= longest_samples)  # [B]
    samples = torch.where(accepted, lengths, 0)  # [B]
    slots = (torch.div(samples + SLOT_SAMPLES - 1, SLOT_SAMPLES, rounding_mode="trunc")).clamp(min=1)  # [B]
    ends = slots.cumsum(0)  # [B]
    total = ends[-1].item()
    torch._check(total >= 1)
    slot = torch.arange(total, device=lengths.device)  # [N]
    window = (slot.unsqueeze(1) >= ends).sum(dim=1)  # [N]
    first_slot = ends - slots  # [B]
    frames = torch.div(samples - RECEPTIVE_FIELD_SAMPLES, SLOT_SAMPLES, rounding_mode="trunc") + 1  # [B]
    return Layout(
        accepted=accepted,
        samples=samples,
        frames=torch.where(accepted, frames, 0),
        first_slot=first_slot,
        first_sample=lengths.cumsum(0) - lengths,
        window=window,
        place=slot - take(first_slot, window),
        membership=(window == torch.arange(lengths.shape[0], device=lengths.device).unsqueeze(1)).double(),
    )


def take(rows: Tensor, index: Tensor) -> Tensor:
    """``rows[index]`` along the first dimension, in the form that exports as one Gather."""
    return rows.index_select(0, index.flatten()).unflatten(0, index.shape)


class PaddedView(NamedTuple):
    """The packed frames as ``[B, T]``, for the few operations that mix the frames of a window."""

    slot: Tensor  # [B, T] the slot behind each place
    mask: Tensor  # [B, T] whether the place is one of the window's frames
    place: Tensor  # [N] where each slot stands in the flattened view

    def spread(self, rows: Tensor) -> Tensor:
        """``[N, X]`` to ``[B, T, X]``; what stands outside the mask is finite and meaningless."""
        return take(rows, self.slot)

    def collect(self, padded: Tensor) -> Tensor:
        """``[B, T, X]`` back to ``[N, X]``."""
        return take(padded.flatten(0, 1), self.place)


def padded_view(layout: Layout) -> PaddedView:
    """The padded view of a layout."""
    longest = layout.frames.max().clamp(min=1).item()
    torch._check(longest >= 1)
    time = torch.arange(longest, device=layout.frames.device)  # [T]
    last_slot = layout.window.shape[0] - 1
    return PaddedView(
        slot=(layout.first_slot.unsqueeze(1) + time).clamp(max=last_slot),
        mask=time < layout.frames.unsqueeze(1),
        place=layout.window * longest + layout.place.clamp(max=longest - 1),
    )


class PackedFrontEnd(nn.Module):
    """PCM to the rows of the seven convolutions: ``pcm [S]`` and a layout to ``[N, C]``."""

    def __init__(self, backbone: Wav2Vec2Model, *, normalize: bool) -> None:
        super().__init__()
        layers = backbone.feature_extractor.conv_layers
        self.normalize = normalize
        self.group_norm = backbone.config.feat_extract_norm == "group"
        self.weights = nn.ParameterList(_as_matrix(layer.conv.weight) for layer in layers)
        self.biases = nn.ParameterList(_bias(layer.conv) for layer in layers)
        self.norms = nn.ModuleList(nn.Identity() if self.group_norm else layer.layer_norm for layer in layers)
        if self.group_norm:
            self.first_norm = layers[0].layer_norm
        taps = torch.arange(ROWS_PER_SLOT).unsqueeze(1) * FIRST_STRIDE + torch.arange(FIRST_KERNEL)
        self.register_buffer("taps", taps, persistent=False)  # [64, 10] samples of a slot that each row sees

    def forward(self, pcm: Tensor, layout: Layout) -> Tensor:
        """Features ``[N, C]`` of int16 ``pcm [S]``."""
        taps = self._gather(pcm, layout)  # [N, 64, 10]
        mean, scale = self._normalization(taps, layout)  # [B], [B]
        normalized = (taps - take(mean, layout.window)[:, None, None]) * take(scale, layout.window)[
            :, None, None
        ]  # [N, 64, 10]
        if self.group_norm:
            weight, shift = self._first_weights(taps, mean, scale, layout)  # [B, 10, C], [B, C]
            augmented = take(torch.cat([weight, shift.unsqueeze(1)], dim=1).float(), layout.window)  # [N, 11, C]
            ones = torch.ones_like(normalized[..., :1])
            rows = torch.bmm(torch.cat([normalized, ones], dim=-1).float(), augmented)  # [N, 64, C]
            rows = F.gelu(rows).flatten(0, 1)  # [R, C]
        else:
            rows = normalized.float().flatten(0, 1) @ self.weights[0] + self.biases[0]  # [R, C]
            rows = F.gelu(self.norms[0](rows))
        for kernel, weight, bias, norm in zip(
            KERNELS[1:], self.weights[1:], self.biases[1:], self.norms[1:], strict=True
        ):
            rows = _neighbours(rows, kernel) @ weight  # [R/2, C]
            rows = F.gelu(rows if self.group_norm else norm(rows + bias))
        return rows

    def _gather(self, pcm: Tensor, layout: Layout) -> Tensor:
        """The 10 samples under each row of the first convolution, ``[N, 64, 10]``; zero beyond a window's end."""
        offset = layout.place * SLOT_SAMPLES  # [N]
        left = take(layout.samples, layout.window) - offset  # [N]
        start = take(layout.first_sample, layout.window) + offset  # [N]
        index = torch.where(
            self.taps < left[:, None, None], self.taps + start[:, None, None], pcm.shape[0]
        )  # [N, 64, 10]
        return take(torch.cat([pcm, pcm.new_zeros(1)]), index).double()

    def _normalization(self, taps: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Mean (in PCM units) and scale of each window, ``[B]`` each, as the feature extractor normalises."""
        if not self.normalize:
            zeros = torch.zeros_like(layout.samples, dtype=torch.float64)
            return zeros, zeros + _PCM_SCALE
        once = taps[..., :FIRST_STRIDE].flatten(1)  # [N, 320] every sample once
        sums = torch.stack([once.sum(dim=1), once.square().sum(dim=1)], dim=1)  # [N, 2]
        totals = layout.membership @ sums  # [B, 2]
        count = layout.samples.clamp(min=1).double()  # [B]
        mean = totals[:, 0] / count
        variance = (totals[:, 1] / count - mean.square()) * _PCM_SCALE**2
        return mean, _PCM_SCALE / (variance + _NORMALIZATION_EPS).sqrt()

    def _first_weights(self, taps: Tensor, mean: Tensor, scale: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """The first convolution with each window's group norm melted in: ``[B, 10, C]`` and ``[B, C]``."""
        count = torch.div(layout.samples - FIRST_KERNEL, FIRST_STRIDE, rounding_mode="trunc") + 1  # [B] true rows
        row = torch.arange(ROWS_PER_SLOT, device=taps.device)  # [64]
        true_row = layout.place.unsqueeze(1) * ROWS_PER_SLOT + row < take(count, layout.window).unsqueeze(1)  # [N, 64]
        kept = taps * true_row.unsqueeze(-1)  # [N, 64, 10]
        moments = torch.cat([torch.bmm(kept.transpose(1, 2), taps).flatten(1), kept.sum(dim=1)], dim=1)  # [N, 110]
        square = FIRST_KERNEL * FIRST_KERNEL
        totals = (layout.membership @ moments) / count.clamp(min=1).double().unsqueeze(1)  # [B, 110]
        first = totals[:, square:]  # [B, 10]
        covariance = totals[:, :square].unflatten(1, (FIRST_KERNEL, FIRST_KERNEL)) - first[:, :, None] * first[:, None]
        covariance = covariance * scale.square()[:, None, None]  # [B, 10, 10]
        weight = self.weights[0].double()  # [10, C]
        variance = ((covariance @ weight) * weight).sum(dim=1).clamp(min=0)  # [B, C] diagonal of wᵀ Cov w
        gain = self.first_norm.weight.double() / (variance + self.first_norm.eps).sqrt()  # [B, C]
        centre = ((first - mean.unsqueeze(1)) * scale.unsqueeze(1)) @ weight  # [B, C]
        return weight * gain.unsqueeze(1), self.first_norm.bias.double() - centre * gain


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

    def forward(self, features: Tensor, view: PaddedView) -> Tensor:
        """Frames ``[N, H]`` of features ``[N, C]``."""
        rows = self.projection(self.feature_norm(features))  # [N, H]
        rows = rows + view.collect(self._positions(view.spread(rows) * view.mask.unsqueeze(-1)))
        if not self.pre_norm:
            rows = self.norm(rows)
        weighted = None if self.shares is None else rows * self.shares[0]
        for number, layer in enumerate(self.layers, start=1):
            rows = layer(rows, view)
            if weighted is not None:
                weighted = weighted + rows * self.shares[number]
        if weighted is not None:
            return weighted
        return self.norm(rows) if self.pre_norm else rows

    def _positions(self, padded: Tensor) -> Tensor:
        """The convolutional position embedding, ``[B, T, H]``; zeros beyond a window are its true padding."""
        time = padded.shape[1]
        return F.gelu(self.position(padded.transpose(1, 2))[..., :time]).transpose(1, 2)


class PackedLayer(nn.Module):
    """One transformer layer on packed rows; only the attention core sees the padded view."""

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
        self.expand, self.contract = layer.feed_forward.intermediate_dense, layer.feed_forward.output_dense

    def forward(self, rows: Tensor, view: PaddedView) -> Tensor:
        """``[N, H]`` to ``[N, H]``."""
        if self.pre_norm:
            rows = rows + self._attend(self.attention_norm(rows), view)
            return rows + self._feed_forward(self.output_norm(rows))
        rows = self.attention_norm(rows + self._attend(rows, view))
        return self.output_norm(rows + self._feed_forward(rows))

    def _attend(self, rows: Tensor, view: PaddedView) -> Tensor:
        parts = view.spread(self.qkv(rows)).chunk(3, dim=-1)  # [B, T, H] each
        query, key, value = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)  # [B, E, T, D] each
        penalty = torch.where(view.mask, 0.0, _MASKED_SCORE)[:, None, None, :]  # [B, 1, 1, T]
        attention = (query @ key.transpose(-1, -2) + penalty).softmax(dim=-1)  # [B, E, T, T]
        mixed = (attention @ value).transpose(1, 2).flatten(2)  # [B, T, H]
        return self.out(view.collect(mixed))

    def _feed_forward(self, rows: Tensor) -> Tensor:
        return self.contract(F.gelu(self.expand(rows)))


class PackedWav2Vec2(nn.Module):
    """A stress detector on concatenated windows: the graph that is exported and served.

    Args:
        detector: the checkpoint, whose parameters it shares.
        normalize: whether each window is brought to zero mean and unit variance first.
        shortest_samples, longest_samples: bounds of a window; outside them its logits are NaN.
    """

    def __init__(
        self, detector: StressDetector, *, normalize: bool, shortest_samples: int, longest_samples: int
    ) -> None:
        super().__init__()
        self.shortest_samples, self.longest_samples = shortest_samples, longest_samples
        self.front_end = PackedFrontEnd(detector.wav2vec2, normalize=normalize)
        self.transformer = PackedTransformer(detector.wav2vec2, getattr(detector, "layer_weights", None))
        self.head = detector.head
        self.eval()

    def forward(self, pcm: Tensor, lengths: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of int16 ``pcm [S]``, the windows one after another, and int32 ``lengths [B, 1]``."""
        layout = lay_out(lengths.flatten().long(), self.shortest_samples, self.longest_samples)
        view = padded_view(layout)
        frames = self.transformer(self.front_end(pcm, layout), view)  # [N, H]
        logits = self.head(view.spread(frames), view.mask)  # [B, labels]
        return torch.where(layout.accepted.unsqueeze(1), logits, torch.nan)


def _as_matrix(weight: Tensor) -> nn.Parameter:
    """A convolution's weight ``[out, in, kernel]`` as the matrix ``[kernel * in, out]`` of its product."""
    return nn.Parameter(weight.detach().permute(2, 1, 0).flatten(0, 1).contiguous(), requires_grad=False)


def _bias(conv: nn.Conv1d) -> nn.Parameter:
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
    return nn.Parameter(bias, requires_grad=False)


def _without_weight_norm(conv: nn.Conv1d) -> nn.Conv1d:
    """A copy of ``conv`` with its weight norm folded into plain weights."""
    plain = nn.Conv1d(conv.in_channels, conv.out_channels, conv.kernel_size, padding=conv.padding, groups=conv.groups)
    plain.weight.data, plain.bias.data = conv.weight.detach().clone(), conv.bias.detach().clone()
    return plain


def _neighbours(rows: Tensor, kernel: int) -> Tensor:
    """The rows under each step of a convolution with stride 2: ``[R, C]`` to ``[R/2, kernel * C]``.

    The last step of kernel 3 would need a row past the end. It belongs to a frame that is never read: any row will do.
    """
    if kernel == 2:
        return rows.unflatten(0, (-1, 2)).flatten(1)
    steps = torch.arange(0, rows.shape[0], 2, device=rows.device)  # [R/2]
    index = steps.unsqueeze(1) + torch.arange(kernel, device=rows.device)  # [R/2, kernel]
    return take(rows, index.clamp(max=rows.shape[0] - 1)).flatten(1)
