"""A run's settings are checked as a whole before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from voicestress_model.training import TrainingError, TrainingSettings, read_settings

from tests.model.training.voices import settings_of, write_settings


@pytest.fixture
def written(corpus, tmp_path):
    """Writes a config file with changes, and gives its path."""

    def write(**changes):
        return write_settings(tmp_path / "config.yaml", settings_of(corpus, tmp_path / "out", **changes))

    return write


def test_settings_are_read_from_yaml(written):
    settings = read_settings(written(epochs=7, augment={"telephone": {"probability": 0.25}}))
    assert settings.epochs == 7
    assert settings.augment.telephone.probability == 0.25
    assert settings.augment.speed is None
    assert settings.model.shape.fields()["conv_dim"] == (16,) * 7


def test_a_single_setting_can_be_changed_from_outside(written):
    changes = ["epochs=3", "corpus.shuffle_labels=true", "augment.speed={probability: 0.5, factor: [0.9, 1.1]}"]
    settings = read_settings(written(), changes)
    assert settings.epochs == 3
    assert settings.corpus.shuffle_labels
    assert settings.augment.speed.factor == (0.9, 1.1)


@pytest.mark.parametrize("name", ["finetune", "demo"])
def test_shipped_settings_are_found_by_name(name):
    settings = read_settings(Path(name), ["corpus.path=other.csv"])
    assert settings.corpus.path == Path("other.csv")


def test_a_file_goes_before_what_is_shipped(written, tmp_path, monkeypatch):
    written(epochs=7).rename(tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    assert read_settings(Path("demo")).epochs == 7


def test_settings_can_not_be_changed_afterwards(written):
    settings = read_settings(written())
    with pytest.raises(ValueError, match="frozen"):
        settings.epochs = 3


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"epoch": 3}, "epoch: there is no such setting"),
        ({"augment": {"nosie": {"probability": 1}}}, r"augment\.nosie: there is no such setting"),
        ({"model": {"shape": {"conv_stride": [5]}}}, r"model\.shape\.conv_stride: there is no such setting"),
        ({"epochs": 0}, r"epochs: .* greater than or equal to 1 \(it is 0\)"),
        ({"optimiser": {"peak_lr": -1.0}}, r"optimiser\.peak_lr: .*\(it is -1\.0\)"),
        ({"augment": {"noise": {"probability": 1.5}}}, r"augment\.noise\.probability"),
        ({"augment": {"noise": {"snr_db": [30, 5]}}}, "the first value must not be above the second"),
        ({"batches": {"crop_s": [3, 2]}}, "the first value must not be above the second"),
        ({"batches": {"crop_s": [0.1, 2]}}, "crop_s must not start below"),
        ({"corpus": {"longest_window_s": 0.6}}, "at least twice"),
        ({"model": {"backbone": "x"}}, "give one of backbone, checkpoint and architecture; given: backbone, arch"),
        ({"model": {"architecture": None}}, "given: none"),
        ({"model": {"architecture": None, "backbone": "x"}}, "shape changes an architecture"),
        ({"model": {"architecture": None, "checkpoint": "x", "shape": {}}}, "shape|a checkpoint keeps its own head"),
        ({"precision": "fp8"}, "precision"),
    ],
)
def test_a_setting_that_can_not_be_meant_is_refused_by_name(written, changes, complaint):
    with pytest.raises(TrainingError, match=complaint):
        read_settings(written(**changes))


@pytest.mark.parametrize("change", ["epochs", "epochs.x=3", "=3"])
def test_a_change_without_name_and_value_is_refused(written, change):
    with pytest.raises(TrainingError):
        read_settings(written(), [change])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [("", "name: value"), ("- 1\n- 2", "name: value"), ("a: [1", "is not YAML"), ("out: x", "corpus: is missing")],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, content, complaint):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(TrainingError, match=complaint):
        read_settings(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"nowhere\.yaml: can't be read"):
        read_settings(tmp_path / "nowhere.yaml")


def test_the_defaults_need_a_corpus_a_model_and_a_folder_only():
    settings = TrainingSettings.model_validate(
        {"corpus": {"path": "corpus.csv"}, "model": {"backbone": "facebook/wav2vec2-base"}, "out": "out"}
    )
    assert settings.augment.model_dump(exclude_none=True) == {}
