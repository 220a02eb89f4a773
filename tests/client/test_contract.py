"""The contract a model states, and the level that follows from it."""

from __future__ import annotations

import numpy as np
import pytest
from voicestress import ContractError, StressContract

CONTRACT = StressContract(checkpoint="x", weights="trained")


DIMENSIONAL = StressContract(
    checkpoint="x",
    weights="trained",
    labels=("arousal", "dominance", "valence"),
    policy="arousal_valence",
    label_weights=(),
)


@pytest.mark.parametrize("contract", [CONTRACT, DIMENSIONAL], ids=["labels", "dimensions"])
def test_the_contract_survives_the_way_through_a_config(contract):
    assert StressContract.from_parameters(contract.to_parameters(), model="stress") == contract


@pytest.mark.parametrize(
    ("probabilities", "level"),
    [((1, 0, 0), 0), ((0, 1, 0), 50), ((0, 0, 1), 100), ((0.2, 0.3, 0.5), 65), ((1 / 3, 1 / 3, 1 / 3), 50)],
)
def test_the_level_is_the_weighted_sum_of_the_probabilities(probabilities, level):
    logits = np.log(np.maximum(np.array([probabilities]), 1e-30)).astype(np.float32)
    assert CONTRACT.levels(CONTRACT.emotions(logits)) == pytest.approx(level, abs=1e-4)


@pytest.mark.parametrize(
    ("arousal", "valence", "level"),
    [(0.5, 0.5, 25), (1, 0, 100), (0.8, 0.25, 60), (1.2, 0.1, 100), (0.9, 1.1, 0), (-0.1, 0.2, 0), (0, 0, 0)],
)
def test_a_dimensional_level_is_arousal_times_what_valence_lacks_to_one(arousal, valence, level):
    dimensions = np.array([[arousal, 0.7, valence]], dtype=np.float32)
    emotions = DIMENSIONAL.emotions(dimensions)
    assert emotions == pytest.approx(dimensions)  # they are no probabilities
    assert DIMENSIONAL.levels(emotions) == pytest.approx(level, abs=1e-4)
    assert DIMENSIONAL.heuristic
    assert not CONTRACT.heuristic


def test_the_dimensions_are_found_by_name():
    turned = DIMENSIONAL.model_copy(update={"labels": ("valence", "arousal")})
    assert turned.levels(np.array([0.25, 0.8])) == pytest.approx(60)


@pytest.mark.parametrize("seed", range(50))
def test_no_level_passes_100(seed):
    contract = StressContract(
        checkpoint="x", weights="trained", labels=("a", "b", "c", "d"), label_weights=(0.0, 1.0, 1.0, 1.0)
    )
    logits = np.random.default_rng(seed).normal(scale=20, size=(200, 4)).astype(np.float32)
    levels = contract.levels(contract.emotions(logits - np.float32([1e4, 0, 0, 0])))
    assert levels.max() <= 100
    assert levels.min() >= 0


def test_temperature_softens_the_probabilities():
    warm = CONTRACT.model_copy(update={"temperature": 2.0})
    logits = np.array([2.0, 0.0, -2.0], dtype=np.float32)
    expected = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum()
    assert warm.emotions(logits) == pytest.approx(expected)


def test_huge_logits_do_not_overflow():
    assert CONTRACT.emotions(np.array([3e38, -3e38, 0], dtype=np.float32)) == pytest.approx([1, 0, 0])


def test_the_status_is_high_only_above_the_threshold():
    assert CONTRACT.status(70.0) == "Normal"
    assert CONTRACT.status(70.01) == "High"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"stress_label_weights": "[0, 1]"}, "3 labels but 2 label weights"),
        ({"stress_label_weights": "[0, 0.5, 1.5]"}, "stress_label_weights"),
        ({"stress_labels": '["sad", "sad", "anxious"]'}, "labels repeat"),
        ({"stress_temperature": "0"}, "stress_temperature"),
        ({"stress_temperature": "NaN"}, "stress_temperature"),
        ({"stress_status_threshold": "101"}, "stress_status_threshold"),
        ({"stress_sample_rate_hz": "8000"}, "stress_sample_rate_hz"),
        ({"stress_contract_version": "2"}, "stress_contract_version"),
        ({"stress_shortest_window_samples": "399"}, "stress_shortest_window_samples"),
        ({"stress_shortest_window_samples": "100000"}, "at least twice the shortest"),
        ({"stress_surprise": "1"}, "stress_surprise"),
        ({"stress_policy": '"guess"'}, "stress_policy"),
        ({"stress_policy": '"arousal_valence"'}, "needs arousal and valence, not neutral, sad, anxious"),
        ({"stress_labels": "neutral, sad"}, "not JSON"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused_by_its_field(change, complaint):
    with pytest.raises(ContractError, match=complaint):
        StressContract.from_parameters({**CONTRACT.to_parameters(), **change}, model="here:8001/stress")


@pytest.mark.parametrize(
    "change", [{"stress_label_weights": "[0.0, 0.5, 1.0]"}, {"stress_temperature": "2.0"}], ids=["weights", "warmth"]
)
def test_dimensions_take_neither_weights_nor_a_temperature(change):
    with pytest.raises(ContractError, match="takes no label weights and no temperature"):
        StressContract.from_parameters({**DIMENSIONAL.to_parameters(), **change}, model="stress")


def test_other_parameters_of_the_model_are_left_alone():
    parameters = {**CONTRACT.to_parameters(), "intra_op_thread_count": "2"}
    assert StressContract.from_parameters(parameters, model="stress") == CONTRACT


def test_a_model_without_a_contract_is_not_a_stress_model():
    with pytest.raises(ContractError, match="here:8001/resnet: not a stress model"):
        StressContract.from_parameters({"intra_op_thread_count": "2"}, model="here:8001/resnet")
