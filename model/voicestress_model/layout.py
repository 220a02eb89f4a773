"""Where the windows of a batch lie: packed in slots for most of the work, padded for the little that mixes frames.

B windows; N slots of 320 samples in all; K windows of a padded view, T frames of the longest of them; X columns of
whatever is moved.

Annotations are not postponed here: TorchScript reads those of a tuple in a tuple as they are.
"""

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
    """The frames of K windows of like lengths as ``[K, T]``, for the few operations that mix the frames of a window."""

    slot: Tensor  # [K, T] the slot behind each place
    mask: Tensor  # [K, T] whether the place is one of the window's frames


class PaddedViews(NamedTuple):
    """All windows in ``geometry.VIEWS`` padded views: the longest K in the first, the shortest in the last.

    With as many windows as views none is padded. With fewer, the last views hold a window without frames, one place
    long: no shape is ever 0.
    """

    views: list[PaddedView]
    position: Tensor  # [N] where each slot stands in the flattened views, one after the other
    row: Tensor  # [B] where each window stands among the rows of the views, one after the other


def padded_views(layout: Layout) -> PaddedViews:
    """The padded views of a layout."""
    batch = layout.frames.shape[0]
    each = (batch + geometry.VIEWS - 1) // geometry.VIEWS  # K
    longest_first = layout.frames * batch - torch.arange(batch, device=layout.frames.device)  # [B] no two alike
    row = (longest_first > longest_first.unsqueeze(1)).sum(dim=1)  # [B]
    rows = torch.arange(geometry.VIEWS * each, device=layout.frames.device)
    stands = row == rows.unsqueeze(1)  # [views * K, B] whether the window stands in the row
    frames = (stands * layout.frames).sum(dim=1).unflatten(0, (geometry.VIEWS, each))  # [views, K]
    first_slot = (stands * layout.first_slot).sum(dim=1).unflatten(0, (geometry.VIEWS, each))
    last_slot = layout.window.shape[0] - 1
    places = frames.amax(dim=1, keepdim=True).clamp(min=1).expand(-1, each).flatten()  # [views * K] T of each row
    views: list[PaddedView] = []
    for number in range(geometry.VIEWS):
        longest = frames[number].max().clamp(min=1).item()
        if not torch.jit.is_scripting():
            torch._check(longest >= 1)
        time = torch.arange(longest, device=frames.device)  # [T]
        slot = (first_slot[number].unsqueeze(1) + time).clamp(max=last_slot)
        views.append(PaddedView(slot, time < frames[number].unsqueeze(1)))
    starts, places = take(places.cumsum(0) - places, row), take(places, row)  # [B], [B]
    position = take(starts, layout.window) + torch.minimum(layout.ordinal, take(places, layout.window) - 1)
    return PaddedViews(views, position, row)


def spread(rows: Tensor, view: PaddedView) -> Tensor:
    """``[N, X]`` to ``[K, T, X]``; what stands outside the mask is finite and meaningless."""
    return take(rows, view.slot)


def collect(padded: list[Tensor], views: PaddedViews) -> Tensor:
    """``[K, T, X]`` of each view back to ``[N, X]``."""
    return take(torch.cat([places.flatten(0, 1) for places in padded]), views.position)
