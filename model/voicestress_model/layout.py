"""Where the windows of a batch lie: packed in slots for most of the work, padded for the little that mixes frames.

B windows; N slots of 320 samples in all; T frames of the longest window; X columns of whatever is moved.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from voicestress_model import geometry


class Layout(NamedTuple):
    """Where each window lies among the slots."""

    accepted: Tensor  # [B] whether the window's length is within bounds
    samples: Tensor  # [B] length, 0 where not accepted
    frames: Tensor  # [B] frames of its own, 0 where not accepted
    first_slot: Tensor  # [B]
    first_sample: Tensor  # [B] in the concatenation
    window: Tensor  # [N] the window a slot belongs to
    ordinal: Tensor  # [N] the slot's number in its window, from 0
    membership: Tensor  # [B, N] 1.0 where the slot belongs to the window


def lay_out(lengths: Tensor, shortest_samples: int, longest_samples: int) -> Layout:
    """Give every window of ``lengths [B]`` (samples) its slots."""
    accepted = (lengths >= shortest_samples) & (lengths <= longest_samples)  # [B]
    samples = torch.where(accepted, lengths, 0)  # [B]
    slots = torch.div(samples + geometry.SLOT_SAMPLES - 1, geometry.SLOT_SAMPLES, rounding_mode="trunc")  # [B]
    slots = slots.clamp(min=1)  # [B]
    ends = slots.cumsum(0)  # [B]
    total = ends[-1].item()
    if not torch.jit.is_scripting():
        torch._check(total >= 1)
    slot = torch.arange(total, device=lengths.device)  # [N]
    window = (slot.unsqueeze(1) >= ends).sum(dim=1)  # [N]
    first_slot = ends - slots  # [B]
    frames = (
        torch.div(samples - geometry.RECEPTIVE_FIELD_SAMPLES, geometry.SLOT_SAMPLES, rounding_mode="trunc") + 1
    )  # [B]
    return Layout(
        accepted=accepted,
        samples=samples,
        frames=torch.where(accepted, frames, 0),
        first_slot=first_slot,
        first_sample=lengths.cumsum(0) - lengths,
        window=window,
        ordinal=slot - take(first_slot, window),
        membership=(window == torch.arange(lengths.shape[0], device=lengths.device).unsqueeze(1)).double(),
    )


def take(rows: Tensor, index: Tensor) -> Tensor:
    """``rows[index]`` along the first dimension, in the form that exports as one Gather."""
    return rows.index_select(0, index.flatten()).unflatten(0, index.shape)


class PaddedView(NamedTuple):
    """The packed frames as ``[B, T]``, for the few operations that mix the frames of a window."""

    slot: Tensor  # [B, T] the slot behind each place
    mask: Tensor  # [B, T] whether the place is one of the window's frames
    position: Tensor  # [N] where each slot stands in the flattened view


def padded_view(layout: Layout) -> PaddedView:
    """The padded view of a layout."""
    longest = layout.frames.max().clamp(min=1).item()
    if not torch.jit.is_scripting():
        torch._check(longest >= 1)
    time = torch.arange(longest, device=layout.frames.device)  # [T]
    last_slot = layout.window.shape[0] - 1
    return PaddedView(
        slot=(layout.first_slot.unsqueeze(1) + time).clamp(max=last_slot),
        mask=time < layout.frames.unsqueeze(1),
        position=layout.window * longest + layout.ordinal.clamp(max=longest - 1),
    )


def spread(rows: Tensor, view: PaddedView) -> Tensor:
    """``[N, X]`` to ``[B, T, X]``; what stands outside the mask is finite and meaningless."""
    return take(rows, view.slot)


def collect(padded: Tensor, view: PaddedView) -> Tensor:
    """``[B, T, X]`` back to ``[N, X]``."""
    return take(padded.flatten(0, 1), view.position)
