from __future__ import annotations

import pytest
from voicestress_model.corpora import CorpusError, check_recordings, read_corpus

from tests.model.corpora.conftest import write_tone

ROWS = ["good1.wav,neutral,ann", "good2.wav,sad,bob", "bad.wav,sad,ann", "silent.wav,neutral,bob", "short.wav,sad,ann"]


def test_unusable_recordings_are_left_out_each_with_its_reason(make_manifest, tmp_path):
    manifest = make_manifest(ROWS)
    (tmp_path / "bad.wav").write_bytes(b"this is no audio at all, only text")
    write_tone(tmp_path / "silent.wav", peak=0.0)
    write_tone(tmp_path / "short.wav", seconds=0.3)
    corpus, rejected = check_recordings(read_corpus(manifest))
    assert [u.path.name for u in corpus.utterances] == ["good1.wav", "good2.wav"]
    reasons = {r.utterance.path.name: r.reason for r in rejected}
    assert "bad.wav: is not audio" in reasons["bad.wav"]
    assert "silent.wav: is silent" in reasons["silent.wav"]
    assert "short.wav: is 0.30 s long, 0.5 s needed" in reasons["short.wav"]


def test_a_class_that_is_unusable_throughout_is_an_error(make_manifest, tmp_path):
    manifest = make_manifest(ROWS[:2])
    (tmp_path / "good2.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match="no utterance is labelled 'sad'") as refused:
        check_recordings(read_corpus(manifest))
    assert "1 recordings can't be used:" in str(refused.value)
    assert "good2.wav: is empty" in str(refused.value)


def test_a_corpus_without_any_usable_recording_names_the_first_reason(make_manifest, tmp_path):
    manifest = make_manifest(ROWS[:2])
    for name in ("good1.wav", "good2.wav"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CorpusError, match=r"none of its 2 recordings can be used\. The first: .*good1.wav: is empty"):
        check_recordings(read_corpus(manifest))
