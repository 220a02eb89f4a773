"""The seven convolutions of Wav2Vec2 on windows side by side: from samples to one row a slot.

The letters are those of ``packed.py``, where the idea is told.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional as F  # noqa: N812 - its usual name
from transformers import Wav2Vec2Model

from voicestress_model import geometry, numerics
from voicestress_model.layout import Layout, take


class PackedConvolution(nn.Module):
    """One convolution with stride 2 on rows, its norm if it has one, and GELU: ``[R, C]`` to ``[R/2, C]``."""

    def __init__(self, layer: nn.Module, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = _as_matrix(layer.conv.weight)  # [kernel * C, C]
        self.bias = layer.conv.bias
        self.norm = getattr(layer, "layer_norm", None)

    def forward(self, rows: Tensor) -> Tensor:
        """An even number of rows ``[R, C]`` to ``[R/2, C]``; with kernel 3 the last one means nothing."""
        rows = _neighbours(rows, self.kernel) @ self.weight
        if self.bias is not None:
            rows = rows + self.bias
        if self.norm is not None:
            rows = self.norm(rows.float()).to(self.weight.dtype)
        return F.gelu(rows)


class PackedFrontEnd(nn.Module):
    """PCM to features: ``pcm [S]`` and a layout to the rows ``[N, C]`` of the seventh convolution.

    It works in tiles of ``tile_slots`` at most: the first convolution makes 6.5 MB of a second, and a batch of that
    would be written to memory and read back at every layer.
    """

    def __init__(self, backbone: Wav2Vec2Model, *, normalize: bool, tile_slots: int = geometry.TILE_SLOTS) -> None:
        super().__init__()
        first, *others = backbone.feature_extractor.conv_layers
        self.normalize, self.tile_slots = normalize, tile_slots
        self.group_norm = backbone.config.feat_extract_norm == "group"
        self.first_weight = _as_matrix(first.conv.weight)  # [10, C]
        self.first_bias = first.conv.bias  # group norm takes it away again
        self.first_norm = first.layer_norm
        self.others = nn.ModuleList(PackedConvolution(*pair) for pair in zip(others, geometry.KERNELS[1:], strict=True))
        rows, taps = torch.arange(geometry.ROWS_PER_SLOT), torch.arange(geometry.FIRST_KERNEL)
        taps = rows.unsqueeze(1) * geometry.FIRST_STRIDE + taps
        self.register_buffer("taps", taps, persistent=False)  # [64, 10] samples of a slot that each row sees

    def forward(self, pcm: Tensor, layout: Layout) -> Tensor:
        """Features ``[N, C]`` of int16 ``pcm [S]``."""
        samples = self._gather(pcm, layout)  # [N, 64, 10]
        mean, scale = self._normalization(samples, layout)  # [B], [B]
        slot_mean, slot_scale = take(mean, layout.window), take(scale, layout.window)  # [N], [N]
        normalized = (samples - slot_mean[:, None, None]) * slot_scale[:, None, None]  # [N, 64, 10]
        inputs = torch.cat([normalized, torch.ones_like(normalized[..., :1])], dim=-1).float()  # [N, 64, 11]
        if self.group_norm:
            return self._in_tiles(inputs, layout.window, self._melted_first_layer(samples, mean, scale, layout).float())
        bias = torch.zeros_like(self.first_weight[0]) if self.first_bias is None else self.first_bias
        layer = torch.cat([self.first_weight, bias.unsqueeze(0)]).unsqueeze(0)  # [1, 11, C]
        return self._in_tiles(inputs, torch.zeros_like(layout.window), layer)

    def _in_tiles(self, inputs: Tensor, which: Tensor, layers: Tensor) -> Tensor:
        """All seven convolutions: ``inputs [N, 64, 11]``, slot n through first layer ``which[n]`` of ``[*, 11, C]``."""
        slots = inputs.shape[0]
        most = geometry.GPU_TILE_SLOTS if inputs.is_cuda else self.tile_slots
        tiles = (slots + most - 1) // most
        size = (slots + tiles - 1) // tiles
        starts = torch.arange(tiles, device=inputs.device).unsqueeze(1) * size  # [tiles, 1]
        slot = (starts + torch.arange(size + 1, device=inputs.device)).clamp(max=slots - 1)  # [tiles, size + 1]
        inputs, which = take(inputs, slot), take(which, slot)  # [tiles, size + 1, …]
        if torch.jit.is_scripting():
            features = torch.stack([self._tile(inputs[tile], which[tile], layers) for tile in range(tiles)])
        else:
            features = self._tiles(inputs, which, layers)  # [tiles, size, C]
        return features.flatten(0, 1)[:slots]  # [N, C]

    @torch.jit.unused
    def _tiles(self, inputs: Tensor, which: Tensor, layers: Tensor) -> Tensor:
        """``inputs [tiles, K + 1, 64, 11]`` to ``[tiles, K, C]``, one tile after the other."""
        if not torch.compiler.is_exporting():
            return torch.stack([self._tile(*tile, layers) for tile in zip(inputs, which, strict=True)])
        # A loop whose length the batch decides is an operator of its own there.
        nothing = torch.zeros(1, device=inputs.device)
        return scan(lambda carry, tile: (carry + 1, self._tile(*tile, layers)), nothing, (inputs, which))[1]

    def _tile(self, inputs: Tensor, which: Tensor, layers: Tensor) -> Tensor:
        """K + 1 slots ``[K + 1, 64, 11]`` with first layers ``which [K + 1]`` to the first K's rows ``[K, C]``.

        The last slot is there for the others to look into.
        """
        rows = torch.bmm(inputs, take(layers, which)).flatten(0, 1)  # [64(K + 1), C]
        if not self.group_norm:
            rows = self.first_norm(rows)
        rows = F.gelu(rows.to(self.others[0].weight.dtype))
        for convolution in self.others:
            rows = convolution(rows)  # [32(K + 1), C] … [K + 1, C]
        return rows[:-1]

    def _gather(self, pcm: Tensor, layout: Layout) -> Tensor:
        """The 10 samples under each row of the first convolution, ``[N, 64, 10]``; zero beyond a window's end."""
        offset = layout.ordinal * geometry.SLOT_SAMPLES  # [N]
        left = take(layout.samples, layout.window) - offset  # [N]
        start = take(layout.first_sample, layout.window) + offset  # [N]
        inside = self.taps < left[:, None, None]  # [N, 64, 10]
        index = torch.where(inside, self.taps + start[:, None, None], pcm.shape[0])  # [N, 64, 10]
        return take(torch.cat([pcm, pcm.new_zeros(1)]), index).double()

    def _normalization(self, samples: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Mean (in PCM units) and scale of each window, ``[B]`` each, as the feature extractor normalises."""
        if not self.normalize:
            zeros = torch.zeros_like(layout.samples, dtype=torch.float64)
            return zeros, zeros + numerics.PCM_SCALE
        once = samples[..., : geometry.FIRST_STRIDE].flatten(1)  # [N, 320] every sample once
        sums = torch.stack([once.sum(dim=1), once.square().sum(dim=1)], dim=1)  # [N, 2]
        totals = layout.membership @ sums  # [B, 2]
        count = layout.samples.clamp(min=1).double()  # [B]
        mean = totals[:, 0] / count
        variance = (totals[:, 1] / count - mean.square()) * numerics.PCM_SCALE**2
        return mean, numerics.PCM_SCALE / (variance + numerics.NORMALIZATION_EPS).sqrt()

    def _melted_first_layer(self, samples: Tensor, mean: Tensor, scale: Tensor, layout: Layout) -> Tensor:
        """The first convolution with each window's group norm melted in, as weights and shift: ``[B, 11, C]``."""
        average, covariance = self._moments(samples, layout)  # [B, 10], [B, 10, 10]
        weight = self.first_weight.double()  # [10, C]
        centre = ((average - mean.unsqueeze(1)) * scale.unsqueeze(1)) @ weight  # [B, C]
        spread = (covariance * scale.square()[:, None, None]) @ weight  # [B, 10, C]
        variance = (spread * weight).sum(dim=1).clamp(min=0)  # [B, C] diagonal of wᵀ Cov w
        gain = self.first_norm.weight.double() / (variance + self.first_norm.eps).sqrt()  # [B, C]
        shift = self.first_norm.bias.double() - centre * gain  # [B, C]
        return torch.cat([weight * gain.unsqueeze(1), shift.unsqueeze(1)], dim=1)

    def _moments(self, samples: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Mean ``[B, 10]`` and covariance ``[B, 10, 10]`` of the 10 samples over a window's rows, in PCM units."""
        last = layout.samples - geometry.FIRST_KERNEL  # [B] sample of the last row, or before it
        count = torch.div(last, geometry.FIRST_STRIDE, rounding_mode="trunc") + 1  # [B] true rows
        row = torch.arange(geometry.ROWS_PER_SLOT, device=samples.device)
        row = layout.ordinal.unsqueeze(1) * geometry.ROWS_PER_SLOT + row  # [N, 64]
        kept = samples * (row < take(count, layout.window).unsqueeze(1)).unsqueeze(-1)  # [N, 64, 10]
        products = torch.bmm(kept.transpose(1, 2), samples).flatten(1)  # [N, 100]
        rows = count.clamp(min=1).double().unsqueeze(1)  # [B, 1]
        average = layout.membership @ kept.sum(dim=1) / rows  # [B, 10]
        second = layout.membership @ products / rows  # [B, 100]
        second = second.unflatten(1, (geometry.FIRST_KERNEL, geometry.FIRST_KERNEL))  # [B, 10, 10]
        return average, second - average[:, :, None] * average[:, None]


def _as_matrix(weight: Tensor) -> nn.Parameter:
    """A convolution's weight ``[out, in, kernel]`` as the matrix ``[kernel * in, out]`` of its product."""
    return nn.Parameter(weight.detach().permute(2, 1, 0).flatten(0, 1).contiguous(), requires_grad=False)


def _neighbours(rows: Tensor, kernel: int) -> Tensor:
    """The rows under each step of a convolution with stride 2: ``[R, C]`` to ``[R/2, kernel * C]``.

    The last step of kernel 3 would need a row past the end. It belongs to a frame that is never read: any row will do.
    """
    if kernel == 2:
        return rows.unflatten(0, (-1, 2)).flatten(1)
    steps = torch.arange(0, rows.shape[0], 2, device=rows.device)  # [R/2]
    index = steps.unsqueeze(1) + torch.arange(kernel, device=rows.device)  # [R/2, kernel]
    return take(rows, index.clamp(max=rows.shape[0] - 1)).flatten(1)
