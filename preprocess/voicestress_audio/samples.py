"""Samples, in any type and shape that is supported, as mono float32 blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from voicestress_audio.errors import InvalidAudio

LOWEST_RATE_HZ = 8_000
HIGHEST_RATE_HZ = 192_000
READABLE_RATES = f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz can be read"

# 18 dB over full scale. Float recordings and lossy decoders pass 1 by a little; 16-bit values in floats by thousands.
_LOUDEST = 8.0
_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}


def check_array(samples: npt.NDArray[Any], rate_hz: object, name: str) -> tuple[npt.NDArray[Any], int]:
    """The samples as a plain array ``[n]`` or ``[n, channels]``, and their rate, or ``InvalidAudio``."""
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, (int, float, np.integer, np.floating)):
        raise InvalidAudio(f"{name}: the sample rate is {rate_hz!r}. Give it as a whole number of Hz.")
    if rate_hz != rate_hz or rate_hz in (np.inf, -np.inf) or int(rate_hz) != rate_hz:
        raise InvalidAudio(f"{name}: the sample rate is {rate_hz} Hz. Give it as a whole number of Hz.")
    if np.any(getattr(samples, "mask", False)):
        raise InvalidAudio(f"{name}: some samples are masked. Fill them, e.g. `samples.filled(0)`, or cut them out.")
    samples = np.asarray(samples)  # np.matrix would stay two-dimensional, whatever is done with it
    if samples.dtype.name not in _FULL_SCALE:
        raise InvalidAudio(f"{name}: samples are {samples.dtype}. Convert them to int16, int32, float32 or float64.")
    if samples.ndim not in (1, 2):
        raise InvalidAudio(f"{name}: samples have the shape {samples.shape}. Give [samples] or [samples, channels].")
    check_channels(samples.shape[1] if samples.ndim == 2 else 1, name, shape=samples.shape)
    check_rate(int(rate_hz), name)
    if not len(samples):
        raise InvalidAudio(f"{name}: the array has no samples. Check what was recorded, or cut from it.")
    return samples, int(rate_hz)


def check_rate(rate_hz: int, name: str) -> None:
    """Refuse a sample rate no voice is recorded at."""
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise InvalidAudio(f"{name}: the sample rate is {rate_hz} Hz; {READABLE_RATES}.")


def check_channels(channels: int, name: str, shape: tuple[int, ...] | None = None) -> None:
    """Refuse more than two channels, or none."""
    if channels not in (1, 2):
        of_shape = f" (shape {shape}, read as [samples, channels])" if shape else ""
        raise InvalidAudio(f"{name}: has {channels} channels{of_shape}. Mix it to mono, or pick the voice's channel.")


def mono_blocks(blocks: Iterator[npt.NDArray[Any]], rate_hz: int, name: str) -> Iterator[npt.NDArray[np.float32]]:
    """Check blocks ``[n]`` or ``[n, channels]`` of any supported type, and make them mono float32 ``[n]``."""
    frames = 0
    for block in blocks:
        yield mono(block, rate_hz, name, frames_before=frames)
        frames += len(block)


def mono(block: npt.NDArray[Any], rate_hz: int, name: str, *, frames_before: int) -> npt.NDArray[np.float32]:
    """Check a block ``[n]`` or ``[n, channels]``, ``frames_before`` into the recording, and make it mono ``[n]``."""
    if block.dtype.kind == "f":
        _check_floats(block, frames_before, rate_hz, name)
    scale = np.float32(1.0 / _FULL_SCALE[block.dtype.name])
    if block.ndim == 2 and block.shape[1] == 2:
        mixed = np.add(block[:, 0], block[:, 1], dtype=np.float32)
        mixed *= scale / 2
        return mixed
    if scale == 1:
        return np.ascontiguousarray(block.reshape(-1), dtype=np.float32)
    return np.multiply(block.reshape(-1), scale, dtype=np.float32)


def _check_floats(block: npt.NDArray[Any], frames_before: int, rate_hz: int, name: str) -> None:
    """Two passes that NaN and infinity can't hide from; the place is only looked for when there is something wrong."""
    lowest, highest = float(block.min()), float(block.max())
    if lowest >= -_LOUDEST and highest <= _LOUDEST:
        return
    finite = np.isfinite(block)
    if not finite.all():
        where = int(np.argwhere(~finite)[0][0])
        what = "not a number" if np.isnan(block[where]).any() else "infinite"
        at_s = (frames_before + where) / rate_hz
        raise InvalidAudio(f"{name}: the sample at {at_s:.3f} s is {what}. Samples must be finite, -1 to 1.")
    raise InvalidAudio(
        f"{name}: samples reach {max(-lowest, highest):g} where full scale is 1. "
        "Divide 16-bit values by 32768 when they become floats."
    )
