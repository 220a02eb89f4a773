"""A recording, wherever it is, as a stream of mono float32 blocks at its own sample rate."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from voicestress_audio import containers
from voicestress_audio.byte_source import ByteSource
from voicestress_audio.errors import InvalidAudio

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | tuple[npt.NDArray[Any], int]"

LOWEST_RATE_HZ = 8_000
HIGHEST_RATE_HZ = 192_000

# Measured at 48 kHz: blocks of ten seconds leave the processor's cache and take a third longer to read and resample,
# blocks of one lose 7 % of the detector's speed, as it and the resampler push each other out of the cache.
_BLOCK_S = 5
# 18 dB over full scale. Float recordings and lossy decoders pass 1 by a little; 16-bit values in floats by thousands.
_LOUDEST = 8.0
# Three MP3 frames: encoders count the last ones differently, by a frame or by their padding.
_MP3_MISSING_SAMPLES = 3 * 1152
_UNKNOWN_FRAMES = 2**62
_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}
_READABLE = "WAV, FLAC, Ogg, Opus, MP3 and AIFF can be read"
_RATES = f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz can be read"
# libsndfile's error numbers for headers it understands and refuses.
_HEADER_ERRORS = {
    24: f"its header gives a sample rate of 0 Hz, or one beyond 2147483647 Hz; {_RATES}",
    32: "its header gives 0 channels; mono and stereo can be read",
    33: "its header gives more than 1024 channels; mono and stereo can be read",
}


@dataclass(frozen=True)
class DecodedAudio:
    """A recording being decoded.

    ``blocks`` yields its samples once, in order: float32 ``[n]``, mono (stereo is averaged), finite, full scale -1 to 1
    (lossy and float recordings may pass that a little). It raises ``InvalidAudio`` where the recording turns out wrong.
    """

    name: str
    rate_hz: int
    blocks: Iterator[npt.NDArray[np.float32]]


@contextmanager
def open_audio(source: Source) -> Iterator[DecodedAudio]:
    """Open a recording: a path, encoded bytes, a binary file object or ``(samples, rate_hz)``.

    ``samples`` is ``[n]`` or ``[n, channels]``, int16, int32, float32 or float64; integers are scaled to -1 to 1.
    A file object is read from its start and left open; one that can't seek (a pipe, a socket) is read to memory first.

    Raises:
        InvalidAudio: the recording can't be used. The message names it, the value that is wrong and what would help.
        TypeError: ``source`` is none of these.
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        with _open_path(name) as file, _decode_file(file, name) as audio:
            yield audio
    elif isinstance(source, (bytes, bytearray, memoryview)):
        with _decode_file(io.BytesIO(source), "<bytes>") as audio:
            yield audio
    elif isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray):
        yield _decode_samples(*source)
    elif hasattr(source, "read") and not isinstance(source, io.TextIOBase):
        with _decode_file(source, "<stream>") as audio:
            yield audio
    else:
        what = "a text file; open it with mode 'rb'" if isinstance(source, io.TextIOBase) else type(source).__name__
        raise TypeError(f"a recording is a path, bytes, a binary file or (numpy array, rate in Hz), not {what}")


def _open_path(name: str) -> BinaryIO:
    try:
        path = Path(name)
        if path.is_dir():
            raise InvalidAudio(f"{name}: is a directory. Give the recordings in it one by one.")
        return path.open("rb")
    except FileNotFoundError as error:
        raise InvalidAudio(f"{name}: there is no such file. Check the path.") from error
    except PermissionError as error:
        raise InvalidAudio(f"{name}: this user may not read the file. Change its permissions.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InvalidAudio(f"{name!r}: can't be opened ({error}). Check the path.") from error


def _decode_samples(samples: npt.NDArray[Any], rate_hz: int) -> DecodedAudio:
    name = "<samples>"
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, (int, float, np.integer, np.floating)):
        raise InvalidAudio(f"{name}: the sample rate is {rate_hz!r}. Give it as a whole number of Hz.")
    if rate_hz != rate_hz or rate_hz in (np.inf, -np.inf) or int(rate_hz) != rate_hz:
        raise InvalidAudio(f"{name}: the sample rate is {rate_hz} Hz. Give it as a whole number of Hz.")
    if samples.dtype.name not in _FULL_SCALE:
        raise InvalidAudio(f"{name}: samples are {samples.dtype}. Convert them to int16, int32, float32 or float64.")
    if samples.ndim not in (1, 2):
        raise InvalidAudio(f"{name}: samples have the shape {samples.shape}. Give [samples] or [samples, channels].")
    _check_channels(samples.shape[1] if samples.ndim == 2 else 1, name, shape=samples.shape)
    _check_rate(int(rate_hz), name)
    if not len(samples):
        raise InvalidAudio(f"{name}: there are no samples.")
    step = _BLOCK_S * int(rate_hz)
    blocks = (samples[start : start + step] for start in range(0, len(samples), step))
    return DecodedAudio(name, int(rate_hz), _mono(blocks, int(rate_hz), name))


@contextmanager
def _decode_file(file: BinaryIO, name: str) -> Iterator[DecodedAudio]:
    """Decode an open binary file, whatever is behind it."""
    bytes_read = ByteSource(file, name)
    head = bytes_read.read(64)
    if not head:
        raise InvalidAudio(f"{name}: is empty (0 bytes).")
    if (foreign := containers.foreign_format(head)) is not None:
        raise InvalidAudio(
            f"{name}: {foreign} can't be read. Convert it to WAV or FLAC, e.g. `ffmpeg -i INPUT -ar 16000 OUTPUT.wav`."
        )
    _check_size(bytes_read, head, name)
    bytes_read.seek(0)
    with _open_sound(bytes_read, head, name) as sound:
        _check_rate(sound.samplerate, name)
        _check_channels(sound.channels, name)
        if (sizes := containers.promised_bytes_in_log(sound.extra_info)) is not None:
            raise _cut_off(name, f"its header promises {sizes[0]} bytes, there are {sizes[1]}")
        blocks = _file_blocks(sound, bytes_read, name)
        yield DecodedAudio(name, sound.samplerate, _mono(blocks, sound.samplerate, name))


def _check_size(file: ByteSource, head: bytes, name: str) -> None:
    """Refuse a WAV or Ogg file whose end is missing, and repair the size of a streamed WAV."""
    file_bytes = file.seek(0, os.SEEK_END)
    if (wav := containers.wav_data(file)) is not None:
        present = max(0, file_bytes - wav.start)
        if wav.promised_bytes is None:
            file.overlay(wav.start - 4, b"\xff\xff\xff\xff")  # the stand-in libsndfile takes for "up to the end"
        elif present < wav.promised_bytes:
            raise _cut_off(name, f"its header promises {wav.promised_bytes} bytes of samples, there are {present}")
    elif containers.readable_format(head) == "Ogg" and containers.ogg_ends_inside_a_page(file):
        raise _cut_off(name, f"its {file_bytes} bytes end inside an Ogg page")


def _cut_off(name: str, how: str) -> InvalidAudio:
    return InvalidAudio(f"{name}: is cut off or damaged: {how}. Copy or record it again.")


class _ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A SoundFile that reads on without seeking.

    ``SoundFile.read`` seeks after every read to where it already is. That restarts an MP3 decoder, which then returns
    other samples (up to 0.6 of full scale, depending on the block size), and loses the last good block of a FLAC.
    """

    def seekable(self) -> bool:
        """Never."""
        return False


def _open_sound(file: ByteSource, head: bytes, name: str) -> soundfile.SoundFile:
    try:
        sound = _ForwardSoundFile(file)
    except soundfile.LibsndfileError as error:
        file.raise_pending()
        if error.code in _HEADER_ERRORS:
            raise InvalidAudio(f"{name}: {_HEADER_ERRORS[error.code]}.") from error
        known = containers.readable_format(head)
        reason = error.error_string.rstrip(".")
        if known is None:
            raise InvalidAudio(f"{name}: is not audio, or in an unknown format ({reason}). {_READABLE}.") from error
        raise InvalidAudio(
            f"{name}: starts like {known}, but is damaged, cut off or in an unknown codec ({reason}). {_READABLE}."
        ) from error
    file.raise_pending()
    return sound


def _file_blocks(sound: soundfile.SoundFile, file: ByteSource, name: str) -> Iterator[npt.NDArray[Any]]:
    """The samples as they are stored, int16 or float32 ``[n]`` or ``[n, channels]``, to the end and not short of it."""
    # Lossless, and libsndfile's own conversion to float takes ten times as long as numpy's.
    dtype = "int16" if sound.subtype == "PCM_16" else "float32"
    rate_hz, frames = sound.samplerate, 0
    while True:
        try:
            block = sound.read(_BLOCK_S * rate_hz, dtype=dtype)
        except soundfile.LibsndfileError as error:
            file.raise_pending()
            raise _cut_off(name, f"decoding fails somewhere after {frames / rate_hz:.1f} s") from error
        file.raise_pending()
        if not len(block):
            break
        frames += len(block)
        yield block
    promised = sound.frames if sound.frames < _UNKNOWN_FRAMES else frames
    if sound.format == "MP3":
        promised = promised - _MP3_MISSING_SAMPLES if containers.mp3_counts_its_frames(file) else frames
    if frames < promised:
        raise _cut_off(name, f"its header promises {sound.frames / rate_hz:.1f} s, there are {frames / rate_hz:.1f} s")
    if not frames:
        raise InvalidAudio(f"{name}: there are no samples.")


def _check_rate(rate_hz: int, name: str) -> None:
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise InvalidAudio(f"{name}: the sample rate is {rate_hz} Hz; {_RATES}.")


def _check_channels(channels: int, name: str, shape: tuple[int, ...] | None = None) -> None:
    if channels not in (1, 2):
        of_shape = f" (shape {shape}, read as [samples, channels])" if shape else ""
        raise InvalidAudio(f"{name}: has {channels} channels{of_shape}. Mix it to mono, or pick the voice's channel.")


def _mono(blocks: Iterator[npt.NDArray[Any]], rate_hz: int, name: str) -> Iterator[npt.NDArray[np.float32]]:
    """Check blocks ``[n]`` or ``[n, channels]`` of any supported type, and make them mono float32 ``[n]``."""
    frames = 0
    for block in blocks:
        if block.dtype.kind == "f":
            _check_floats(block, frames, rate_hz, name)
        frames += len(block)
        scale = np.float32(1.0 / _FULL_SCALE[block.dtype.name])
        if block.ndim == 2 and block.shape[1] == 2:
            mono = np.add(block[:, 0], block[:, 1], dtype=np.float32)
            mono *= scale / 2
        elif scale == 1:
            mono = np.ascontiguousarray(block.reshape(-1), dtype=np.float32)
        else:
            mono = np.multiply(block.reshape(-1), scale, dtype=np.float32)
        yield mono


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
