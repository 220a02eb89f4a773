"""Recordings of hours, made in seconds."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import soundfile


def spoken_flac(speech: np.ndarray, duration_s: float) -> bytes:
    """``speech``, int16 ``[n]`` at 16 kHz, over and over, at 8 kHz."""
    file = io.BytesIO()
    soundfile.write(file, np.tile(speech[::2], int(16_000 * duration_s / len(speech))), 8_000, format="FLAC")
    return file.getvalue()


def spoken_webm(speech: np.ndarray, duration_s: float) -> bytes:
    """The same in Opus, its packets encoded once. How long it is, only decoding it tells."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 16_000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(speech[: len(speech) // 320 * 320].reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts = 16_000, 0
    packets = [bytes(packet) for part in (frame, None) for packet in encoder.encode(part)]
    file = io.BytesIO()
    with av.open(file, "w", format="webm", options={"live": "1"}) as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        for index in range(int(duration_s / 0.02)):
            packet = av.Packet(packets[index % len(packets)])
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = index * 20
            packet.duration = 20
            container.mux(packet)
    return file.getvalue()
