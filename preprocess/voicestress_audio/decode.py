"""A recording, wherever it is, as a stream of blocks at its own sample rate."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from voicestress_audio import containers
from voicestress_audio.boxes import BoxEnd, matroska_end, mp4_end
from voicestress_audio.byte_source import ByteSource
from voicestress_audio.decoded import DecodedAudio
from voicestress_audio.errors import InvalidAudio
from voicestress_audio.limits import DEFAULT_LIMITS, AudioLimits
from voicestress_audio.mp3 import mp3_counts_its_frames, mp3_ends_inside_a_frame, mp3_is_joined
from voicestress_audio.ogg import OggEnd, ogg_end
from voicestress_audio.pyav import DEMUXERS, decode_with_pyav
from voicestress_audio.refusals import CONVERT, cut_off, several, unreadable
from voicestress_audio.samples import READABLE_RATES, check_array, check_channels, check_rate

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | tuple[npt.NDArray[Any], int]"

# Measured at 48 kHz: blocks of ten seconds leave the processor's cache and take a third longer to read and resample,
# blocks of one lose 7 % of the detector's speed, as it and the resampler push each other out of the cache.
_BLOCK_S = 5
# Three MP3 frames: encoders count the last ones differently, by a frame or by their padding.
_MP3_MISSING_SAMPLES = 3 * 1152
_UNKNOWN_FRAMES = 2**62
# libsndfile reads others, some of them without a way to tell that their end is missing.
_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"})
_READABLE = (
    "WAV, RF64, W64, AIFF, AU, CAF, FLAC, Ogg (Vorbis or Opus) and MP3 can be read, "
    "with voicestress[codecs] also M4A, MP4, 3GP, AAC, AMR, WebM and Matroska"
)
# libsndfile's error numbers for headers it understands and refuses.
_HEADER_ERRORS = {
    24: "its header is incomplete or contradicts itself: it gives no sample rate, one beyond 2147483647 Hz, or more "
    f"than one place for the samples; {READABLE_RATES}. Record or convert it again",
    32: "its header gives 0 channels; mono and stereo can be read",
    33: "its header gives more than 1024 channels; mono and stereo can be read",
}


@contextmanager
def open_audio(source: Source, limits: AudioLimits = DEFAULT_LIMITS) -> Iterator[DecodedAudio]:
    """Open a recording: a path, encoded bytes, a binary file object or ``(samples, rate_hz)``.

    ``samples`` is ``[n]`` or ``[n, channels]``, int16, int32, float32 or float64; integers are scaled to -1 to 1.
    A file object is read from its start and left open; one that can't seek (a pipe, a socket) is read to memory first,
    up to 1 GiB. A path must be that of a regular file. What is larger than ``limits`` is refused.

    M4A, MP4, 3GP, AAC, AMR, WebM and Matroska need PyAV (``voicestress[codecs]``), and are decoded in a process of
    their own; of several sound tracks the first that can be decoded counts.

    A file whose end is missing is refused, where its format can tell: a FLAC of unknown length cut between two frames
    can't, nor can an MP3 without a Xing header, an AAC, AMR, or an MP4 or WebM that was streamed. Ogg streams chained
    to one another are refused, and so are joined MP4 and WebM files and MP3 joined to an MP3 that counts its bytes.

    Raises:
        InvalidAudio: the recording can't be used. The message names it, the value that is wrong and what would help.
        TypeError: ``source`` is none of these.
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        with _open_path(name) as file, _decode_file(file, name, limits, path_file=file) as audio:
            yield audio
    elif isinstance(source, (bytes, bytearray, memoryview)):
        encoded = source.tobytes() if isinstance(source, memoryview) else source  # BytesIO takes only contiguous views
        with _decode_file(io.BytesIO(encoded), "<bytes>", limits) as audio:
            yield audio
    elif isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray):
        yield _decode_array(*source, limits)
    elif hasattr(source, "read") and not _is_text(source):
        with _decode_file(source, "<stream>", limits) as audio:
            yield audio
    else:
        raise TypeError(
            f"a recording is a path, bytes, a binary file or (numpy array, rate in Hz), not {_what(source)}"
        )


def _is_text(file: object) -> bool:
    # tempfile's wrappers are no TextIOBase, whatever they wrap.
    return isinstance(file, io.TextIOBase) or hasattr(file, "encoding")


def _what(source: object) -> str:
    if hasattr(source, "read"):
        return "a text file; open it with mode 'rb'"
    if isinstance(source, tuple):
        inside = ", ".join(type(item).__name__ for item in source)
        return f"a tuple of ({inside}); make the samples a numpy array, e.g. `(numpy.asarray(samples), 16000)`"
    return type(source).__name__


def _open_path(name: str) -> BinaryIO:
    try:
        if not name:
            raise InvalidAudio("'': is an empty path. Give that of a recording.")
        path = Path(name)
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InvalidAudio(f"{name}: is a directory. Give the recordings in it one by one.")
        if not stat.S_ISREG(mode):  # opening a pipe waits for its writer, for ever if there is none
            kind = "a named pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
            raise InvalidAudio(f"{name}: is {kind}, not a file. Give it as an open file object, or on standard input.")
        return path.open("rb")
    except FileNotFoundError as error:
        raise InvalidAudio(f"{name}: there is no such file. Check the path.") from error
    except PermissionError as error:
        raise InvalidAudio(f"{name}: this user may not read the file. Change its permissions.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InvalidAudio(f"{name!r}: can't be opened ({error}). Check the path.") from error


def _decode_array(samples: npt.NDArray[Any], rate_hz: object, limits: AudioLimits) -> DecodedAudio:
    name = "<samples>"
    samples, whole_rate_hz = check_array(samples, rate_hz, name)
    limits.check_samples(len(samples), whole_rate_hz, name)
    step = _BLOCK_S * whole_rate_hz
    blocks = (samples[start : start + step] for start in range(0, len(samples), step))
    return DecodedAudio(name, whole_rate_hz, blocks)


@contextmanager
def _decode_file(
    file: BinaryIO, name: str, limits: AudioLimits, path_file: BinaryIO | None = None
) -> Iterator[DecodedAudio]:
    """Decode an open binary file, whatever is behind it; ``path_file`` is the same file if nobody else uses it."""
    bytes_read = ByteSource(file, name, limits)
    head = bytes_read.read(64)
    if not head:
        raise InvalidAudio(f"{name}: is empty (0 bytes). Copy or record it again.")
    limits.check_bytes(bytes_read.seek(0, os.SEEK_END), name)
    foreign = containers.foreign_format(head)
    if foreign in DEMUXERS:
        _check_boxes(bytes_read, foreign, name)
        with decode_with_pyav(bytes_read, path_file, foreign, name, limits) as (rate_hz, blocks):
            yield DecodedAudio(name, rate_hz, limits.within(blocks, rate_hz, name))
    elif foreign is not None:
        raise unreadable(f"{name}: {foreign} can't be read. {CONVERT}.")
    else:
        with _decode_sound(bytes_read, head, name, limits) as audio:
            yield audio


@contextmanager
def _decode_sound(bytes_read: ByteSource, head: bytes, name: str, limits: AudioLimits) -> Iterator[DecodedAudio]:
    """Decode what libsndfile reads."""
    _check_end(bytes_read, head, name)
    bytes_read.seek(0)
    with _open_sound(bytes_read, head, name) as sound:
        if sound.format not in _FORMATS:
            raise unreadable(f"{name}: {sound.format_info} ({sound.format}) can't be read. {CONVERT}.")
        check_rate(sound.samplerate, name)
        check_channels(sound.channels, name)
        if (sizes := containers.promised_bytes_in_log(sound.extra_info)) is not None:
            raise cut_off(name, f"its header promises {sizes[0]} bytes, there are {sizes[1]}")
        if sound.frames < _UNKNOWN_FRAMES and sound.format != "MP3":  # an MP3's is an estimate
            limits.check_samples(sound.frames, sound.samplerate, name)
        blocks = _file_blocks(sound, bytes_read, name)
        yield DecodedAudio(name, sound.samplerate, limits.within(blocks, sound.samplerate, name))


def _check_boxes(file: ByteSource, format_name: str, name: str) -> None:
    """Refuse an MP4 or Matroska whose end is missing, or is another recording's."""
    ends = {"mov": mp4_end, "matroska": matroska_end}
    if (find_end := ends.get(DEMUXERS[format_name])) is None:
        return
    end = find_end(file)
    if end is BoxEnd.JOINED:
        raise several(name, f"{format_name} files")
    if end is not BoxEnd.WHOLE:
        raise cut_off(name, f"it ends {end.value}")


def _check_end(file: ByteSource, head: bytes, name: str) -> None:
    """Refuse a file whose end is missing, or is another recording's; hide what decoders stumble over."""
    file_bytes = file.seek(0, os.SEEK_END)
    known = containers.readable_format(head)
    if (wav := containers.wav_data(file)) is not None:
        present = max(0, file_bytes - wav.start)
        if wav.promised_bytes is None:
            file.overlay(wav.start - 4, b"\xff\xff\xff\xff")  # the stand-in libsndfile takes for "up to the end"
        elif present < wav.promised_bytes:
            raise cut_off(name, f"its header promises {wav.promised_bytes} bytes of samples, there are {present}")
    elif known == "FLAC":
        file.end_at(containers.bytes_before_id3v1(file))
    elif known == "Ogg":
        end = ogg_end(file)
        if end is OggEnd.CHAINED:
            raise several(name, "Ogg streams")
        if end is not OggEnd.WHOLE:
            raise cut_off(name, f"its {file_bytes} bytes end {end.value}")
    elif known == "MP3":
        if mp3_is_joined(file):
            raise several(name, "MP3 files")
        if not mp3_counts_its_frames(file) and mp3_ends_inside_a_frame(file):
            raise cut_off(name, f"its {file_bytes} bytes end inside an MP3 frame")


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
            raise unreadable(f"{name}: is not audio, or in an unknown format ({reason}). {_READABLE}.") from error
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
            raise cut_off(name, f"decoding fails somewhere after {frames / rate_hz:.1f} s") from error
        file.raise_pending()
        if not len(block):
            break
        frames += len(block)
        yield block
    promised = sound.frames if sound.frames < _UNKNOWN_FRAMES else frames
    if sound.format == "MP3":
        promised = promised - _MP3_MISSING_SAMPLES if mp3_counts_its_frames(file) else frames
    if frames < promised:
        raise cut_off(name, f"its header promises {sound.frames / rate_hz:.1f} s, there are {frames / rate_hz:.1f} s")
    if not frames:
        raise InvalidAudio(f"{name}: there are no samples. Record it again.")
