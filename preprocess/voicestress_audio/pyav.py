"""The formats phones and browsers send (M4A, MP4, 3GP, AAC, AMR, WebM, Matroska), through PyAV in a child process.

FFmpeg is large and reads what strangers made. So each recording has a decoder process of its own, with bounds on its
memory, its processor time and its silence: what crashes or hangs it is an ``InvalidAudio``, and nothing is left of it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from voicestress_audio import pyav_child
from voicestress_audio.byte_source import MOST_STREAM_BYTES, ByteSource
from voicestress_audio.errors import InvalidAudio
from voicestress_audio.limits import AudioLimits
from voicestress_audio.pyav_child import AUDIO, CHUNK_BYTES, END, HEADER, LIVE, REFUSAL
from voicestress_audio.refusals import CONVERT, cut_off, unreadable
from voicestress_audio.samples import check_channels, check_rate

# FFmpeg's names of the containers, by ours. It is never left to guess: it would take a text for a playlist, and open
# what that names.
DEMUXERS = {
    "M4A (AAC)": "mov",
    "MP4": "mov",
    "3GP": "mov",
    "QuickTime": "mov",
    "WebM": "matroska",
    "Matroska": "matroska",
    "AAC": "aac",
    "AMR": "amr",
}
_CODECS = "AAC, ALAC, AMR, FLAC, MP3, Opus, Vorbis and PCM"
# How long the decoder may say nothing while it is waited for: its start takes about 0.1 s, a chunk 0.01 s.
_DEADLINE_S = 30.0
# The processor time it may take: to start, and for the longest recording. Seconds of audio a second; 600 were measured.
_START_CPU_S = 60
_SLOWEST_SPEED = 20
# Beside the recording itself where it isn't a file, and what PyAV's libraries take.
_MEMORY_BYTES = 2**30
_MOST_CHUNK_BYTES = 64 * CHUNK_BYTES
_PIECE_BYTES = 2**20
_CPU_SIGNAL: int | None = getattr(signal, "SIGXCPU", None)  # not on Windows


class _Chunk(NamedTuple):
    samples: npt.NDArray[np.float32]  # [n, channels]
    rate_hz: int


@contextmanager
def decode_with_pyav(
    recording: ByteSource, path_file: IO[bytes] | None, format_name: str, name: str, limits: AudioLimits
) -> Iterator[tuple[int, Iterator[npt.NDArray[np.float32]]]]:
    """The rate in Hz and the float32 blocks ``[n, channels]`` of a recording in a container of ``DEMUXERS``.

    ``path_file`` is the open file behind ``recording`` if nobody else uses it: the child reads it where it is. Anything
    else is sent to the child, which holds it in memory.

    Raises:
        InvalidAudio: it can't be decoded, or PyAV isn't installed.
    """
    with _child(recording, path_file, format_name, name, limits) as child:
        first = child.next_chunk()
        if first is None:
            raise InvalidAudio(f"{name}: there are no samples. Record it again.")
        check_rate(first.rate_hz, name)
        samples = (chunk.samples for chunk in chain([first], child.rest()))
        yield first.rate_hz, samples


@contextmanager
def _child(
    recording: ByteSource, path_file: IO[bytes] | None, format_name: str, name: str, limits: AudioLimits
) -> Iterator[_Child]:
    sent_bytes = 0 if path_file is not None else recording.seek(0, os.SEEK_END)
    command = _command(format_name, name, sent_bytes, limits.longest_s)
    if sent_bytes > MOST_STREAM_BYTES:
        raise InvalidAudio(
            f"{name}: has {sent_bytes} bytes; at most {MOST_STREAM_BYTES} of {format_name} are read from memory or an "
            "open file. Save it to a file, and give its path."
        )
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE if path_file is None else path_file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            child = _Child(process, format_name, name)
            if path_file is None:
                child.feed(recording, sent_bytes)
            yield child
        finally:
            process.kill()


def live_command(format_name: str, *, longest_s: float, name: str) -> list[str]:
    """What decodes a recording of ``DEMUXERS`` that goes on, as ``pyav_child`` has it: for who runs it himself.

    Raises:
        InvalidAudio: PyAV isn't installed.
    """
    return _command(format_name, name, LIVE, longest_s)


def _command(format_name: str, name: str, size: int, longest_s: float) -> list[str]:
    folder = _pyav_folder()
    if folder is None:
        raise _no_pyav(format_name, name)
    cpu_s = int(min(_START_CPU_S + longest_s / _SLOWEST_SPEED, 2**30))
    # -I -S: nothing of the environment, the current folder or site-packages runs in it.
    command = [sys.executable, "-I", "-S", "-B", pyav_child.__file__, folder, DEMUXERS[format_name]]
    return [*command, str(size), str(_MEMORY_BYTES), str(cpu_s)]


class _Child:
    """The decoder process, as its parent sees it."""

    def __init__(self, process: subprocess.Popen[bytes], format_name: str, name: str) -> None:
        assert process.stdout is not None
        self._process, self._output = process, process.stdout
        self._format_name, self._name = format_name, name
        self._expired = False

    def feed(self, recording: ByteSource, size: int) -> None:
        """Send ``size`` bytes from the start of a recording. A child that has ended takes no more, and says why."""
        assert self._process.stdin is not None
        pipe = self._process.stdin.fileno()  # without its buffer: closing that would write again
        recording.seek(0)
        with suppress(BrokenPipeError):
            while size and (piece := memoryview(recording.read(min(size, _PIECE_BYTES)))):
                size -= len(piece)
                while piece:
                    with self._watched():
                        written = os.write(pipe, piece)
                    piece = piece[written:]
        self._process.stdin.close()

    def rest(self) -> Iterator[_Chunk]:
        """All further chunks."""
        while (chunk := self.next_chunk()) is not None:
            yield chunk

    def next_chunk(self) -> _Chunk | None:
        """The next samples, or None after the last."""
        with self._watched():
            header = self._output.read(HEADER.size).ljust(HEADER.size, b"\0")
            kind, rate_hz, channels, payload_bytes = HEADER.unpack(header)
            payload = self._output.read(min(payload_bytes, _MOST_CHUNK_BYTES))
        if len(payload) < payload_bytes or (kind == AUDIO and payload_bytes % (4 * max(1, channels))):
            raise self._crashed()
        if kind == AUDIO:
            check_channels(channels, self._name)
            return _Chunk(np.frombuffer(payload, dtype=np.float32).reshape(-1, channels), rate_hz)
        if kind == REFUSAL:
            raise refusal(payload.decode(errors="replace"), self._format_name, self._name) or self._crashed()
        if kind != END:
            raise self._crashed()
        return None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Kill the process when what is done takes too long; that ends the waiting for it."""
        timer = threading.Timer(_DEADLINE_S, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def _crashed(self) -> InvalidAudio:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._process.kill()  # it had not ended, but said what it can't say
        status = self._process.wait()
        if self._expired:
            how = f"takes longer than {_DEADLINE_S:g} s where it should take less than one"
        elif _CPU_SIGNAL is not None and status == -_CPU_SIGNAL:
            how = "takes more processor time than the longest recording would"
        else:
            how = f"ends the decoder (status {status})"
        return InvalidAudio(
            f"{self._name}: is damaged, or made to do harm: reading its {self._format_name} {how}. {CONVERT}."
        )


def refusal(words: str, format_name: str, name: str) -> InvalidAudio | None:
    """What a child's REFUSAL means; None if it is none it may say."""
    reason, _, what = words.partition(" ")
    if reason == "damaged" and what != "0.0":
        return cut_off(name, f"decoding fails somewhere after {what} s")
    if reason == "damaged":
        return cut_off(name, f"it starts like {format_name}, and can't be decoded from there")
    if reason == "no_pyav":
        return _no_pyav(format_name, name)
    sentences = {
        "no_audio": f"this {format_name} has no sound in it. Record it with a microphone.",
        "encrypted": "its sound is encrypted. Export or record it without protection.",
        "codec": f"its sound is in a codec that isn't read ({what}); {_CODECS} are. {CONVERT}.",
        "memory": f"is damaged, or made to do harm: decoding it takes more than {_MEMORY_BYTES} bytes. {CONVERT}.",
    }
    if reason not in sentences:
        return None
    kind = unreadable if reason == "codec" else InvalidAudio
    return kind(f"{name}: {sentences[reason]}")


def _pyav_folder() -> str | None:
    """The folder PyAV is installed in, without importing it."""
    spec = importlib.util.find_spec("av")
    return None if spec is None or spec.origin is None else str(Path(spec.origin).parents[1])


def _no_pyav(format_name: str, name: str) -> InvalidAudio:
    return unreadable(
        f"{name}: reading {format_name} needs PyAV: `pip install 'voicestress[codecs]'`. Or c{CONVERT[1:]}."
    )
