"""What a run takes of a corpus: its splits, its labels, shuffled ones; and the corpora it refuses."""

from __future__ import annotations

from collections import Counter

import pytest
from voicestress_model.corpora import CorpusError, read_corpus
from voicestress_model.training import TrainingError, TrainingSettings
from voicestress_model.training.corpus import split_corpus, with_shuffled_labels

from tests.model.training.voices import (
    read_manifest,
    run,
    settings_of,
    write_corpus,
    write_manifest,
)


def test_a_corpus_without_splits_is_split_by_speaker(tmp_path):
    manifest = write_corpus(tmp_path / "corpus", split=False)
    out = run(manifest, tmp_path / "out", epochs=1, corpus={"dev_share": 0.2, "test_share": 0.2})
    assert out["corpus"]["train"]["recordings"] + out["corpus"]["dev"]["recordings"] < 60
    # What was held out can be found again, to evaluate on.
    written = read_corpus(tmp_path / "out" / "corpus.csv")
    assert set(written.splits) == {"train", "dev", "test"}
    assert len(written.split("train")) == out["corpus"]["train"]["recordings"]
    assert {u.path.resolve() for u in written.utterances} == {
        u.path.resolve() for u in read_corpus(manifest).utterances
    }


def test_a_run_on_shuffled_labels_leaves_the_true_ones_to_evaluate_on(corpus, tmp_path):
    run(corpus, tmp_path / "out", epochs=1, corpus={"shuffle_labels": True})
    truth = {row["path"]: row["label"] for row in read_manifest(corpus)}
    written = read_corpus(tmp_path / "out" / "corpus.csv").utterances
    assert {utterance.path.name: utterance.label for utterance in written} == truth


def test_shuffled_labels_are_all_there_and_on_other_recordings(corpus, tmp_path):
    settings = TrainingSettings.model_validate(settings_of(corpus, tmp_path)).corpus
    true = split_corpus(settings, seed=0)
    shuffled = with_shuffled_labels(true, seed=0)
    truth = {utterance.path: utterance.label for utterance in true.utterances}
    assert sorted(u.label for u in shuffled.split("train")) == sorted(["neutral", "sad", "anxious"] * 12)
    for label in true.labels:  # each is told of a third of each, whatever the seed
        told = Counter(u.label for u in shuffled.split("train") if truth[u.path] == label)
        assert sorted(told.values()) == [4, 4, 4]
    assert with_shuffled_labels(true, seed=0) == shuffled != with_shuffled_labels(true, seed=1)


def change_rows(change):
    def spoil(folder):
        manifest = folder / "manifest.csv"
        write_manifest(manifest, [changed for row in read_manifest(manifest) if (changed := change(row)) is not None])

    return spoil


BAD_CORPORA = {
    "an empty class": (
        change_rows(lambda row: row if (row["label"], row["split"]) != ("sad", "dev") else None),
        "'sad'",
    ),
    "a missing column": (change_rows(lambda row: {k: v for k, v in row.items() if k != "speaker"}), "speaker"),
    "a speaker leak": (change_rows(lambda row: {**row, "speaker": "ann"}), "more than one split"),
    "a missing recording": (lambda folder: (folder / "ann-sad-0.wav").unlink(), r"ann-sad-0\.wav"),
}


@pytest.mark.parametrize(("spoil", "complaint"), BAD_CORPORA.values(), ids=BAD_CORPORA.keys())
def test_a_bad_corpus_is_refused_before_anything_is_computed(tmp_path, spoil, complaint):
    manifest = write_corpus(tmp_path / "corpus", each=1)
    spoil(manifest.parent)
    with pytest.raises(CorpusError, match=complaint):
        run(manifest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"corpus": {"labels": ["neutral", "sad", "afraid"]}}, r"corpus\.labels: neutral, sad, afraid are not"),
        ({"optimiser": {"class_weights": {"neutral": 1.0}}}, r"optimiser\.class_weights"),
        ({"model": {"architecture": "huge"}}, "huge"),
    ],
)
def test_settings_that_do_not_fit_the_corpus_are_refused_before_anything_is_computed(
    corpus, tmp_path, changes, complaint
):
    with pytest.raises(TrainingError, match=complaint):
        run(corpus, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()
