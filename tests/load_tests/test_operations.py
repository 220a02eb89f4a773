"""What is counted is what is computed: every ceiling and every estimate on paper rests on it."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from voicestress_model import random_checkpoint

from load_tests.bench.operations import operations, products
from load_tests.bench.roofline import CARDS, audio_s_per_s


@pytest.mark.parametrize("architecture", ["tiny", "wav2vec2-base"])
def test_operations_are_those_of_hugging_face(architecture):
    detector, seconds = random_checkpoint(architecture).detector, 8.0
    # Fused attention would not be counted.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        detector(torch.zeros(1, round(seconds * 16_000)))
    # A frame or so less than the windows' slots, and the head, which is not counted.
    assert operations(detector.config, [seconds]) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_a_convolution_reads_its_input_once():
    config = random_checkpoint("wav2vec2-base").detector.config
    first, second = list(products(config, [1.0]))[:2]
    assert first.activations == 16_000 + 3_200 * 512
    assert second.activations == 3_200 * 512 + 1_600 * 512


def test_a_batch_s_operations_are_the_sum_of_its_windows_and_its_weights_are_read_once():
    config = random_checkpoint("wav2vec2-base").detector.config
    assert operations(config, [1.0, 3.0]) == operations(config, [1.0]) + operations(config, [3.0])
    for card in CARDS:
        rates = [audio_s_per_s(card, config, [4.0] * size) for size in (1, 8, 32)]
        assert rates == sorted(rates)
        assert rates[-1] < card.tflops * 1e12 / (operations(config, [4.0]) / 4.0)
