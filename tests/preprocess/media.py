"""Recordings as phones and browsers make them, encoded here with PyAV, and what became of them when decoded."""

from __future__ import annotations

import io
import os
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# A muxer, an encoder and a rate for each kind of file. `faststart` has its index first, `fragmented` and `live` none.
KINDS = {
    "m4a": ("ipod", "aac", 48_000, {}),
    "m4a at 16 kHz": ("ipod", "aac", 16_000, {}),
    "m4a, faststart": ("ipod", "aac", 44_100, {"movflags": "faststart"}),
    "m4a, lossless": ("ipod", "alac", 48_000, {}),
    "mp4, fragmented": ("mp4", "aac", 48_000, {"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"}),
    "mp4 with video": ("mp4", "aac", 48_000, {}),
    "mov": ("mov", "pcm_s16le", 48_000, {}),
    "aac": ("adts", "aac", 48_000, {}),
    "3gp": ("3gp", "libopencore_amrnb", 8_000, {}),
    "amr": ("amr", "libopencore_amrnb", 8_000, {}),
    "webm": ("webm", "libopus", 48_000, {}),
    "webm, live": ("webm", "libopus", 48_000, {"live": "1"}),
    "mkv": ("matroska", "aac", 48_000, {}),
    "mkv with video": ("matroska", "libopus", 48_000, {}),
}
# These can't tell that they end too early, if they are cut between two frames.
STREAMED = {"mp4, fragmented", "aac", "amr", "webm, live"}


def encode_kind(samples: np.ndarray, rate_hz: int, kind: str, **options: str) -> bytes:
    """Samples ``[n]`` or ``[n, 2]``, -1 to 1, in a file of one of ``KINDS``."""
    muxer, encoder, encoded_hz, muxer_options = KINDS[kind]
    return encode(
        samples, rate_hz, muxer, encoder, encoded_hz, video="video" in kind, muxer_options=muxer_options | options
    )


def encode(
    samples: np.ndarray | None,
    rate_hz: int,
    muxer: str,
    encoder: str,
    encoded_hz: int,
    *,
    video: bool = False,
    muxer_options: dict[str, str] | None = None,
) -> bytes:
    """Samples in any container FFmpeg writes; None for one with video only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "call")  # some muxers read again what they wrote
        _write(path, samples, rate_hz, muxer, encoder, encoded_hz, video, muxer_options or {})
        return path.read_bytes()


def _write(path, samples, rate_hz, muxer, encoder, encoded_hz, video, muxer_options) -> None:
    with av.open(str(path), "w", format=muxer, options=muxer_options) as container:
        picture = container.add_stream("mpeg4", rate=5) if video else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        if samples is not None:
            layout = "mono" if samples.ndim == 1 else "stereo"
            sound = container.add_stream(encoder, rate=encoded_hz, layout=layout)
            if "amr" in encoder:
                sound.bit_rate = 12_200
            packed = np.clip(np.rint(samples * 32_767), -32_768, 32_767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
            container.start_encoding()
            if len(samples):
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        if picture is not None:
            for shown in range(10):
                image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * shown, np.uint8), format="rgb24")
                image.pts, image.time_base = shown, Fraction(1, 5)
                container.mux(picture.encode(image))
            container.mux(picture.encode(None))


def silent_webm(duration_s: float) -> bytes:
    """Hours of silence in a small file: the same 20 ms over and over."""
    packets = []
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, "mono", "s16", 6_000
    encoder.options = {"frame_duration": "60"}
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 2_880), np.int16), format="s16", layout="mono")
    frame.sample_rate = 48_000
    for _ in range(5):
        packets += encoder.encode(frame)
    silence = bytes(packets[-1])
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        for index in range(int(duration_s / 0.06)):
            packet = av.Packet(silence)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = index * 60
            packet.duration = 60
            container.mux(packet)
    return file.getvalue()


def likeness(decoded: np.ndarray, original: np.ndarray) -> tuple[float, int]:
    """The correlation of two recordings where it is highest, and by how many samples the first is later there."""
    size = 1 << (len(decoded) + len(original)).bit_length()
    spectrum = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size))
    correlation = np.fft.irfft(spectrum, size) / (np.linalg.norm(decoded) * np.linalg.norm(original))
    best = int(correlation.argmax())
    return float(correlation[best]), best if best < size // 2 else best - size


def child_processes() -> set[int]:
    """The children of this process that decode, and those that have ended and were not waited for."""
    children = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()  # nothing where it has ended
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == os.getpid() and (not command or b"pyav_child" in command):
            children.add(int(stat.parent.name))
    return children
