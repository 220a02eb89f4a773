"""How fast wav2vec2-base runs: padding-free through ONNX Runtime, against Hugging Face eager (sdpa), same threads.

Each workload is run in turns, A B A B, in one process while nothing else should run; the ratio is the median of the
pairs' ratios. The absolute figures are this machine's, on this day.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import Wav2Vec2FeatureExtractor
from voicestress_model import StressCheckpoint, export_model, random_checkpoint, stress_contract
from voicestress_model.agreement import Pcm, onnx_logits, onnx_session, reference_logits

RATE_HZ = 16_000
ARCHITECTURE = "wav2vec2-base"
TARGET_RATIO = 1.3
REST_S = 0.5
WORKLOADS_S = {
    "one window of 5 s": [5.0],
    "eight windows of 5 s": [5.0] * 8,
    "ten windows of 1 to 5 s": [1.0, 2.0, 3.0, 4.0, 5.0] * 2,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7, help="pairs of runs a workload (default: 7)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of both engines")
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="where the exported model is kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    checkpoint = random_checkpoint(ARCHITECTURE)
    path = arguments.work / ARCHITECTURE / "1" / "model.onnx"
    difference = export_model(checkpoint, stress_contract(checkpoint), arguments.work / ARCHITECTURE)
    session = onnx_session(path, threads=arguments.threads)

    print(f"{ARCHITECTURE}, fp32, {arguments.threads} threads; logits agree to {difference:.1e}")
    print("audio-seconds scored a second (medians), and the median ratio of pairs with its range\n")
    print(f"{'workload':26}{'Hugging Face':>14}{'padding-free':>14}{'ratio':>8}")
    figures = {}
    for name, seconds in WORKLOADS_S.items():
        windows = speech_like(seconds)
        figures[name] = compare(
            lambda windows=windows: padded_logits(checkpoint, windows),
            lambda windows=windows: onnx_logits(session, windows),
            audio_s=sum(seconds),
            pairs=arguments.pairs,
        )
        f = figures[name]
        print(f"{name:26}{f['a']:14.2f}{f['b']:14.2f}{f['ratio']:8.2f}  ({f['lowest']:.2f} to {f['highest']:.2f})")
    reached = figures["one window of 5 s"]["ratio"]
    print(f"\none window of 5 s: {reached:.2f} times Hugging Face, {TARGET_RATIO} wanted")
    if arguments.json:
        arguments.json.write_text(json.dumps({"threads": arguments.threads, "workloads": figures}, indent=2))


def speech_like(seconds: list[float]) -> list[Pcm]:
    """Windows of noise; what it sounds like doesn't change what it costs."""
    generator = np.random.default_rng(0)
    return [generator.normal(scale=3000, size=round(s * RATE_HZ)).astype(np.int16) for s in seconds]


def padded_logits(checkpoint: StressCheckpoint, windows: list[Pcm]) -> object:
    """Hugging Face's way: a batch padded to its longest window; one alone goes as it is."""
    if len(windows) == 1:
        return reference_logits(checkpoint, windows)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=checkpoint.normalize)
    waveforms = [window.astype(np.float32) / 32768.0 for window in windows]
    values = extractor(waveforms, sampling_rate=RATE_HZ, padding=True, return_tensors="pt").input_values
    with torch.inference_mode():
        return checkpoint.detector(values)


def compare(a: Callable[[], object], b: Callable[[], object], *, audio_s: float, pairs: int) -> dict[str, float]:
    """Throughputs of ``a`` and ``b`` in audio-seconds a second, and how many times faster ``b`` is."""
    a()
    b()
    times = [(clock(a), clock(b)) for _ in range(pairs)]
    ratios = [of_a / of_b for of_a, of_b in times]
    of_a, of_b = (audio_s / float(np.median(column)) for column in zip(*times, strict=True))
    return {
        "a": of_a,
        "b": of_b,
        "ratio": float(np.median(ratios)),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def clock(run: Callable[[], object]) -> float:
    """Wall seconds of one run, after a pause: the other engine's threads spin while they wait, and would disturb it."""
    time.sleep(REST_S)
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
