"""Streams an hour to a server and tells what this process held after each minute: ``... ADDRESS MODEL RECORDING``."""

from __future__ import annotations

import json
import sys

import numpy as np
import psutil
import soundfile
from voicestress import StressClient

STEP = 16_000


def main(address: str, model: str, recording: str) -> None:
    speech, rate_hz = soundfile.read(recording, dtype="int16")
    minute = np.tile(np.concatenate([speech, np.zeros(rate_hz, np.int16)]), 5)
    held_mb, process = [], psutil.Process()
    with StressClient(address, model=model) as client, client.stream(rate_hz) as stream:
        for _ in range(60):
            for at in range(0, len(minute), STEP):
                stream.push(minute[at : at + STEP])
            held_mb.append(process.memory_info().rss / 1e6)
        report = stream.finish()
    json.dump({"held_mb": held_mb, "duration_s": report.duration_s, "windows": len(report.windows)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
