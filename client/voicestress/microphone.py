"""The microphone, as chunks of raw samples."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator

from voicestress.errors import InvalidAudio

# What is heard while the server is slow: half a minute, in chunks of 0.1 s.
_HELD_CHUNKS = 300
_NOTICE_S = 0.2


def microphone(rate_hz: int, *, channels: int, step_s: float) -> Iterator[bytes]:
    """What the default microphone hears, 16-bit samples, a chunk every ``step_s`` seconds, until it is closed.

    Raises:
        InvalidAudio: there is no microphone, it can't record like this, or what it heard was not taken in time.
    """
    try:
        import sounddevice
    except OSError as error:
        raise InvalidAudio(f"microphone: {error}. Install it, e.g. `apt-get install libportaudio2`.") from error

    frames = max(1, round(step_s * rate_hz))
    try:
        recording = sounddevice.RawInputStream(
            samplerate=rate_hz, channels=channels, dtype="int16", blocksize=frames, latency="high"
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise InvalidAudio(
            f"microphone: can't be recorded at {rate_hz} Hz with {channels} channels ({error}). Check --rate, "
            "`python -m sounddevice` for what there is, or pipe audio in."
        ) from error
    chunks: queue.Queue[bytes | None] = queue.Queue(_HELD_CHUNKS)
    over = threading.Event()

    def record() -> None:
        with contextlib.suppress(sounddevice.PortAudioError):  # it was closed, or is gone: no more chunks come
            while not over.is_set():
                samples, is_some_lost = recording.read(frames)
                chunk = None if is_some_lost else bytes(samples)
                while not over.is_set():
                    with contextlib.suppress(queue.Full):
                        chunks.put(chunk, timeout=_NOTICE_S)
                        break

    hearing = threading.Thread(target=record, daemon=True)
    with recording:
        hearing.start()
        try:
            while True:
                try:
                    chunk = chunks.get(timeout=20 * step_s)
                except queue.Empty:
                    raise InvalidAudio("microphone: gives nothing any more. Is it still plugged in?") from None
                if chunk is None:
                    raise InvalidAudio("microphone: some of what it heard is lost; this machine or the server is slow")
                yield chunk
        finally:
            over.set()
            hearing.join(timeout=10 * step_s)
