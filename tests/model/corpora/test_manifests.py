from __future__ import annotations

import re

import pytest
from voicestress_model.corpora import CorpusError, read_corpus

GOOD_ROWS = ["a1.wav,anxious,ann", "a2.wav,neutral,ann", "b1.wav,neutral,bob", "b2.wav,sad,bob"]


def test_a_manifest_becomes_a_corpus_with_labels_in_the_models_order(make_manifest, tmp_path):
    corpus = read_corpus(make_manifest(GOOD_ROWS))
    assert corpus.labels == ("neutral", "sad", "anxious")
    assert [u.speaker for u in corpus.utterances] == ["ann", "ann", "bob", "bob"]
    assert corpus.utterances[0].path == tmp_path / "a1.wav"
    assert corpus.splits == ()
    assert not corpus.dropped


def test_sex_is_understood_and_further_columns_are_kept_as_details(make_manifest):
    rows = ["a1.wav,sad,ann,F,4.5,Hello", "b1.wav,neutral,bob,male,,", "c1.wav,sad,cai,,1,"]
    first, second, third = read_corpus(make_manifest(rows, header="path,label,speaker,sex,score,sentence")).utterances
    assert (first.sex, second.sex, third.sex) == ("female", "male", None)
    assert first.details == {"score": "4.5", "sentence": "Hello"}
    assert second.details == {}


def test_csv_and_parquet_read_the_same(make_manifest, tmp_path):
    import pyarrow.csv
    import pyarrow.parquet

    manifest = make_manifest(GOOD_ROWS)
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(manifest), tmp_path / "calls.parquet")
    assert read_corpus(tmp_path / "calls.parquet") == read_corpus(manifest)


def test_a_spreadsheets_byte_order_mark_and_spaces_do_no_harm(make_manifest):
    manifest = make_manifest(GOOD_ROWS, header="path, label, speaker")
    plain = read_corpus(manifest)
    manifest.write_text("\ufeff" + manifest.read_text(encoding="utf-8").replace(",", " , "), encoding="utf-8")
    assert read_corpus(manifest) == plain


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (GOOD_ROWS, "path,emotion,speaker", r"column\(s\) label are missing; its first line has: path, emotion"),
        (["a.wav,sad,ann", "b.wav,,bob"], "path,label,speaker", r"line 3: has no label"),
        (["a.wav,sad,ann,x"], "path,label,speaker,sex", r"line 2: sex is 'x'; use female, male or nothing"),
        (["a.wav,sad,ann,well, now"], "path,label,speaker,said", r"line 2: has more values than the 4 columns"),
        (["a.wav,sad,ann", "a.wav,neutral,ann"], "path,label,speaker", r"line 3: .*a.wav is in line 2 already"),
        (["a.wav,sad,ann", "b.wav,sad,bob"], "path,label,speaker", r"labelled 'sad'; a classifier needs two"),
        ([], "path,label,speaker", r"there is no utterance in it"),
        (["a.wav,sad,ann,train", "b.wav,neutral,bob,"], "path,label,speaker,split", r"1 of 2 utterances have no split"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_with_the_row_and_the_value(make_manifest, rows, header, message):
    with pytest.raises(CorpusError, match=message):
        read_corpus(make_manifest(rows, header=header))


def test_missing_recordings_are_counted_and_the_first_are_listed(make_manifest):
    manifest = make_manifest((f"{n}.wav,sad,ann" for n in range(7)), recordings=False)
    with pytest.raises(CorpusError, match=r"7 of 7 recordings are not there: .*0\.wav \(line 2\).* and 2 more"):
        read_corpus(manifest)


@pytest.mark.parametrize(("one", "other"), [("train", "dev"), ("train", "test"), ("val", "test"), ("Train", "test")])
def test_a_speaker_in_two_splits_is_an_error(make_manifest, one, other):
    rows = [f"a1.wav,sad,ann,{one}", f"a2.wav,neutral,ann,{one}", f"a3.wav,sad,ann,{other}", f"b.wav,neutral,b,{other}"]
    manifest = make_manifest(rows, header="path,label,speaker,split")
    with pytest.raises(CorpusError, match=rf"1 speaker\(s\) in more than one split: ann\. ann is in '{one}' .*a1"):
        read_corpus(manifest)


def test_known_voices_may_say_unseen_sentences_where_all_sentences_are_known(make_manifest):
    rows = ["a1.wav,sad,ann,train,{}", "a2.wav,neutral,ann,train,Ho", "a3.wav,sad,ann,unseen_sentences,Hey"]
    header = "path,label,speaker,split,sentence"
    known = make_manifest([row.format("Hi") for row in rows], header=header)
    assert set(read_corpus(known).splits) == {"train", "unseen_sentences"}
    unknown = make_manifest([row.format("") for row in rows], header=header)
    with pytest.raises(CorpusError, match=r"1 utterances of it and of 'train' have no sentence, the first is .*a1"):
        read_corpus(unknown)


def test_unseen_sentences_are_unseen(make_manifest):
    rows = ["a1.wav,sad,ann,train,Hi", "a2.wav,neutral,ann,train,Ho", "a3.wav,sad,ann,unseen_sentences,Hi"]
    manifest = make_manifest(rows, header="path,label,speaker,split,sentence")
    with pytest.raises(CorpusError, match=r"1 sentence\(s\) in both 'train' and 'unseen_sentences': Hi"):
        read_corpus(manifest)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_every_label_is_needed_to_train_and_to_choose(make_manifest, split):
    rows = [f"{who}{label}.wav,{label},{who},{who}" for who in ("train", "dev") for label in ("sad", "neutral")]
    rows = [row for row in rows if row != f"{split}sad.wav,sad,{split},{split}"]
    with pytest.raises(CorpusError, match=rf"no utterance in the split '{split}' is labelled 'sad'"):
        read_corpus(make_manifest(rows, header="path,label,speaker,split"))


def test_what_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="nothing is there"):
        read_corpus(tmp_path / "nowhere.csv")
    with pytest.raises(CorpusError, match=r"'emodb' is no kind of corpus\. Known kinds: manifest, ravdess"):
        read_corpus(tmp_path, kind="emodb")
    with pytest.raises(CorpusError, match="not laid out like a known dataset"):
        read_corpus(tmp_path)
    with pytest.raises(CorpusError, match="this is a folder"):
        read_corpus(tmp_path, kind="manifest")
    for kind in ("ravdess", "iemocap", "crema-d"):
        with pytest.raises(CorpusError, match=re.escape(f"{tmp_path}: there are no")):
            read_corpus(tmp_path, kind=kind)
    (tmp_path / "not.parquet").write_bytes(b"hello")
    with pytest.raises(CorpusError, match="can't be read as Parquet"):
        read_corpus(tmp_path / "not.parquet")
    (tmp_path / "latin.csv").write_bytes("path,label,speaker\nä.wav,sad,ann\n".encode("latin-1"))
    with pytest.raises(CorpusError, match="is not UTF-8"):
        read_corpus(tmp_path / "latin.csv")
