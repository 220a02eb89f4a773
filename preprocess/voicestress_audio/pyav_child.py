"""Decodes one recording with PyAV, in a process of its own: what crashes FFmpeg, or fills its memory, ends only that.

``pyav.py`` runs this file as a script, by ``pyav_child.py FOLDER DEMUXER BYTES MEMORY CPU``: the folder PyAV is in,
FFmpeg's name of the container, the size of the recording on standard input (0: that is a file, to be read where it is;
-1: the recording still goes on, and is decoded to 48 kHz as it comes in), bytes of memory to decode with and seconds of
processor time. Messages on standard output are a ``HEADER`` (kind, rate in Hz, channels, bytes that follow) and those
bytes:

    AUDIO    interleaved float32 samples of this machine's byte order
    REFUSAL  one of the words ``pyav.py`` has sentences for, and after a space what it is about
    END      the recording was decoded to its end

An output that stops without END or REFUSAL is a crash. Nothing is written anywhere else.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import struct
import sys
from pathlib import Path
from typing import Any

HEADER = struct.Struct("=cIII")
AUDIO, REFUSAL, END = b"A", b"R", b"E"
CHUNK_BYTES = 2**20
LIVE, LIVE_RATE_HZ = -1, 48_000
# 50 ms of stereo. And nobody waits until FFmpeg has seen enough of a live recording to be sure of what it is.
_LIVE_CHUNK_BYTES = 4 * 2 * LIVE_RATE_HZ // 20
_LIVE_OPTIONS = {"probesize": "32", "analyzeduration": "0", "fflags": "nobuffer"}

# What FFmpeg may decode, by its decoders' names: it has hundreds, and a recording may name any of them.
_DECODERS = frozenset(
    {
        *("aac", "alac", "amrnb", "amrwb", "opus", "libopus", "vorbis", "flac", "mp3", "mp3float", "mp2", "mp2float"),
        *("ac3", "eac3", "qcelp", "gsm", "gsm_ms", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le"),
        *("pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be"),
    }
)


def main(folder: str, demuxer: str, encoded_bytes: int, memory_bytes: int, cpu_s: int) -> None:
    """Decode standard input to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    sys.path.append(folder)
    try:
        import av
    except ImportError:
        _send(REFUSAL, b"no_pyav")
        return
    is_live = encoded_bytes == LIVE
    if is_live:
        recording: Any = _Pipe(sys.stdin.fileno())
    elif encoded_bytes:
        recording = io.BytesIO(sys.stdin.buffer.read(encoded_bytes))
    else:
        recording = sys.stdin.buffer
        recording.seek(0)
    _limit(memory_bytes, cpu_s)
    output = _Output(av, LIVE_RATE_HZ, _LIVE_CHUNK_BYTES) if is_live else _Output(av)
    try:
        _decode(av, recording, demuxer, output, _LIVE_OPTIONS if is_live else {})
    except _Refused as refused:
        _send(REFUSAL, refused.reason)
    except MemoryError:
        _send(REFUSAL, b"memory")
    except (av.FFmpegError, ValueError):  # ValueError: PyAV found what FFmpeg gave it wrong
        _send(REFUSAL, f"damaged {output.decoded_s:.1f}".encode())
    else:
        output.flush()
        _send(END)


class _Refused(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason.encode()


class _Pipe:
    """Standard input as PyAV wants it: no seeking, and no waiting for more than there is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytes:
        return os.read(self._descriptor, size)


class _Output:
    """Sends frames, in chunks of about ``chunk_bytes``. All have ``rate_hz``, or else the rate of the first."""

    def __init__(self, av: Any, rate_hz: int = 0, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.rate_hz, self._chunk_bytes = rate_hz, chunk_bytes
        self._av = av
        self._resampler: Any = None
        self._kind: tuple[str, str, int] | None = None  # of the frames the resampler takes
        self._channels = 0
        self._samples = 0
        self._pieces: list[bytes] = []
        self._pending_bytes = 0

    @property
    def decoded_s(self) -> float:
        """Seconds so far."""
        return self._samples / self.rate_hz if self.rate_hz else 0.0

    def push(self, frame: Any) -> None:
        """The next frame; its rate and channels may be other ones than before."""
        if self._pending_bytes >= self._chunk_bytes:
            self._send_pending()
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            self.flush()
            self.rate_hz = self.rate_hz or frame.sample_rate
            self._kind, self._channels = kind, frame.layout.nb_channels
            self._resampler = self._av.AudioResampler(format="flt", layout=frame.layout, rate=self.rate_hz)
        self._take(self._resampler.resample(frame))

    def shorten_last(self, samples: int) -> None:
        """Keep at most ``samples`` of the last frame."""
        if self._pieces and samples > 0:
            self._pieces[-1] = self._pieces[-1][: 4 * self._channels * samples]

    def flush(self) -> None:
        """Send what is left, also in the resampler."""
        if self._resampler is not None:
            self._take(self._resampler.resample(None))
        self._send_pending()

    def _take(self, frames: list[Any]) -> None:
        for frame in frames:
            if frame is not None:
                piece = bytes(memoryview(frame.planes[0])[: 4 * self._channels * frame.samples])
                self._samples += frame.samples
                self._pieces.append(piece)
                self._pending_bytes += len(piece)

    def _send_pending(self) -> None:
        if self._pending_bytes:
            _send(AUDIO, b"".join(self._pieces), self.rate_hz, self._channels)
            self._pieces, self._pending_bytes = [], 0


def _decode(av: Any, recording: Any, demuxer: str, output: _Output, how: dict[str, str]) -> None:
    options = {"codec_whitelist": ",".join(sorted(_DECODERS)), **how}
    with av.open(recording, "r", format=demuxer, options=options, metadata_errors="replace") as container:
        stream = _audio_stream(container)
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all  # not even read
        last = None
        for packet in container.demux(stream):
            if packet.has_sidedata("encryption_info"):
                raise _Refused("encrypted")
            if packet.is_corrupt:
                raise _Refused(f"damaged {output.decoded_s:.1f}")
            for frame in packet.decode():
                output.push(frame)
            if packet.size:
                last = packet
        if demuxer == "mov" and last is not None and last.duration:
            # All frames are equally long, and an encoder fills up the last: how much of it counts is its duration.
            output.shorten_last(round(last.duration * last.time_base * output.rate_hz))


def _audio_stream(container: Any) -> Any:
    """The first audio stream that can be decoded: the others of a recording are another language, or more channels."""
    refusal = "no_audio"
    for stream in container.streams.audio:
        codec = stream.codec_context
        if codec is None:
            refusal = "codec unknown"
        elif codec.name not in _DECODERS:
            refusal = f"codec {codec.name}"
        else:
            return stream
    raise _Refused(refusal)


def _limit(memory_bytes: int, cpu_s: int) -> None:
    """Bound what is allocated from now on, processor time and files; do nothing where the system can't."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {"RLIMIT_CPU": cpu_s, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0, "RLIMIT_AS": memory_bytes + _mapped_bytes()}
    for name, most in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has no bound on memory
            resource.setrlimit(kind, (allowed, hard))


def _mapped_bytes() -> int:
    """What is mapped already, libraries for the most part; 0 where the system doesn't tell."""
    import resource

    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _send(kind: bytes, payload: bytes = b"", rate_hz: int = 0, channels: int = 0) -> None:
    sys.stdout.buffer.write(HEADER.pack(kind, rate_hz, channels, len(payload)))
    sys.stdout.buffer.write(payload)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the parent wants no more of it
        main(sys.argv[1], sys.argv[2], *(int(number) for number in sys.argv[3:]))
