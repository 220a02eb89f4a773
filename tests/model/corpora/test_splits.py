from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from voicestress_model.corpora import Corpus, CorpusError, Utterance, split_by_speaker


def corpus_of(speakers: int, each: int = 9) -> Corpus:
    """Speakers with up to twice as many utterances as others, women and men in turns."""
    labels = ("neutral", "sad", "anxious")
    utterances = tuple(
        Utterance(Path(f"{s}/{n}.wav"), labels[n % 3], f"s{s}", sex="male" if s % 2 else "female")
        for s in range(speakers)
        for n in range(each * (1 + s % 2))
    )
    return Corpus("test", labels, utterances)


def test_no_speaker_is_in_two_splits_and_shares_are_kept():
    corpus = split_by_speaker(corpus_of(24), dev_share=0.2, test_share=0.2)
    splits_of = {speaker: {u.split for u in corpus.utterances if u.speaker == speaker} for speaker in corpus.speakers}
    assert all(len(splits) == 1 for splits in splits_of.values())
    share = {split: len(corpus.split(split)) / len(corpus.utterances) for split in corpus.splits}
    assert share == pytest.approx({"train": 0.6, "dev": 0.2, "test": 0.2}, abs=0.04)


def test_labels_and_sexes_are_balanced():
    corpus = split_by_speaker(corpus_of(24), dev_share=0.25, test_share=0.25)
    for split in corpus.splits:
        women = Counter(u.sex for u in corpus.split(split))["female"] / len(corpus.split(split))
        assert women == pytest.approx(1 / 3, abs=0.12)


def test_a_rare_label_reaches_train_and_dev():
    corpus = corpus_of(12)
    rare = {"s3", "s8", "s11"}
    kept = tuple(u for u in corpus.utterances if u.label != "anxious" or u.speaker in rare)
    corpus = split_by_speaker(dataclasses.replace(corpus, utterances=kept))
    for split in ("train", "dev"):
        assert {u.label for u in corpus.split(split)} == set(corpus.labels)


def test_the_same_seed_gives_the_same_splits_in_any_order():
    corpus = corpus_of(10)
    shuffled = dataclasses.replace(corpus, utterances=corpus.utterances[::-1])
    first, second = (
        {u.speaker: u.split for u in split_by_speaker(each, seed=3).utterances} for each in (corpus, shuffled)
    )
    assert first == second


def test_too_few_speakers_are_refused():
    with pytest.raises(CorpusError, match=r"2 speaker\(s\) can't fill 3 splits"):
        split_by_speaker(corpus_of(2))
    assert set(split_by_speaker(corpus_of(2), test_share=0).splits) == {"train", "dev"}


def test_splits_that_are_there_are_not_replaced():
    with pytest.raises(CorpusError, match="has splits already"):
        split_by_speaker(split_by_speaker(corpus_of(6)))


def test_asking_for_a_split_that_is_not_there_names_those_that_are():
    corpus = split_by_speaker(corpus_of(6))
    with pytest.raises(CorpusError, match=r"there is no split 'validation'\. Its splits: "):
        corpus.split("validation")
