"""How good a detector is on the split "dev": scored padding-free, as it will be served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from voicestress_model.detector import StressDetector
from voicestress_model.geometry import RECEPTIVE_FIELD_SAMPLES, SAMPLE_RATE_HZ
from voicestress_model.packed import PackedWav2Vec2
from voicestress_model.training.clips import Clips

_BATCH_S = 30.0


def window_logits(
    detector: StressDetector, clips: Clips, numbers: Sequence[int], *, normalize: bool, device: torch.device
) -> npt.NDArray[np.float32]:
    """Logits ``[len(numbers), labels]`` of clips, whatever mode the detector is in."""
    training = detector.training
    detector.eval()
    longest = max((clips.clips[number].samples for number in numbers), default=RECEPTIVE_FIELD_SAMPLES)
    model = PackedWav2Vec2(
        detector, normalize=normalize, shortest_samples=RECEPTIVE_FIELD_SAMPLES, longest_samples=longest
    ).to(device)
    rows = [np.empty((0, detector.config.num_labels), np.float32)]
    with torch.inference_mode():
        for batch in _batches(clips, numbers):
            windows = [clips.read(number) for number in batch]
            lengths = torch.tensor([[len(window)] for window in windows], dtype=torch.int32, device=device)
            rows.append(model(torch.from_numpy(np.concatenate(windows)).to(device), lengths).float().cpu().numpy())
    detector.train(training)
    return np.concatenate(rows)


def unweighted_average_recall(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], recordings: npt.NDArray[np.integer]
) -> float:
    """Mean over the labels of the share of their recordings that were recognised, 0 to 1.

    ``logits [n, K]`` are of windows; a recording's probabilities are the mean of its windows'.
    """
    return float(np.mean([of_label.mean() for of_label in _recognised(logits, labels, recordings)]))


def unweighted_average_recall_error(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], recordings: npt.NDArray[np.integer]
) -> float:
    """The standard error of that recall, were the recordings drawn one by one: that of a mean of proportions."""
    found = _recognised(logits, labels, recordings)
    return float(np.sqrt(sum(of_label.var() / len(of_label) for of_label in found)) / len(found))


def _recognised(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], recordings: npt.NDArray[np.integer]
) -> list[npt.NDArray[np.bool_]]:
    """Whether each recording was recognised, by label."""
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    _, first, place = np.unique(recordings, return_index=True, return_inverse=True)
    totals = np.zeros((len(first), logits.shape[1]))
    np.add.at(totals, place, probabilities)
    truth, recognised = labels[first], totals.argmax(axis=1) == labels[first]
    return [recognised[truth == label] for label in np.unique(truth)]


def _batches(clips: Clips, numbers: Sequence[int]) -> Iterator[list[int]]:
    """``numbers`` in order, about 30 s of audio at a time."""
    batch: list[int] = []
    samples = 0
    for number in numbers:
        batch.append(number)
        samples += clips.clips[number].samples
        if samples >= _BATCH_S * SAMPLE_RATE_HZ:
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch
