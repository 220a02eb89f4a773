"""The microphone, as chunks of raw samples."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

from voicestress.errors import InvalidAudio

_HELD_CHUNKS = 300


def microphone(rate_hz: int, *, channels: int, step_s: float) -> Iterator[bytes]:
    """What the default microphone hears, 16-bit samples, a chunk every ``step_s`` seconds, until it is closed.

    Raises:
        InvalidAudio: there is no microphone, it can't record like this, or what it heard was not taken in time.
    """
    try:
        import sounddevice
    except OSError as error:
        raise InvalidAudio(f"microphone: {error}. Install it, e.g. `apt-get install libportaudio2`.") from error

    chunks: queue.Queue[bytes] = queue.Queue(_HELD_CHUNKS)
    lost: list[str] = []

    def on_chunk(samples: Any, frames: int, time: object, status: Any) -> None:
        try:
            chunks.put_nowait(bytes(samples))
        except queue.Full:
            lost.append("the server was too slow for half a minute")

    try:
        recording = sounddevice.RawInputStream(
            samplerate=rate_hz,
            channels=channels,
            dtype="int16",
            blocksize=max(1, round(step_s * rate_hz)),
            callback=on_chunk,
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise InvalidAudio(
            f"microphone: can't be recorded at {rate_hz} Hz with {channels} channels ({error}). Check --rate, "
            "`python -m sounddevice` for what there is, or pipe audio in."
        ) from error
    with recording:
        while True:
            try:
                yield chunks.get(timeout=10 * step_s)
            except queue.Empty:
                raise InvalidAudio("microphone: gives nothing any more. Is it still plugged in?") from None
            if lost:
                raise InvalidAudio(f"microphone: some of what it heard is lost: {lost[0]}")
