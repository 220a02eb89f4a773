"""Each reader on a small tree with the dataset's own folders and file names."""

from __future__ import annotations

from pathlib import Path

import pytest
from voicestress_model.corpora import CorpusError, read_corpus
from voicestress_model.corpora import crema_d as crema_d_reader
from voicestress_model.corpora import iemocap as iemocap_reader
from voicestress_model.corpora import ravdess as ravdess_reader
from voicestress_model.corpora.corpus import ARTICLE_LABELS

from tests.model.corpora.conftest import write_tone
from tests.paths import ROOT


@pytest.fixture
def ravdess(tmp_path: Path) -> Path:
    for actor in ("01", "02"):
        for emotion in range(1, 9):
            write_tone(tmp_path / f"Actor_{actor}/03-01-{emotion:02d}-01-02-01-{actor}.wav")
    write_tone(tmp_path / "Actor_02/03-01-06-02-01-02-02.wav")
    write_tone(tmp_path / "Actor_02/03-02-04-01-01-01-02.wav")
    return tmp_path


@pytest.fixture
def iemocap(tmp_path: Path) -> Path:
    turns = [
        ("Ses01F_impro01", "F000", "neu", "Excuse me."),
        ("Ses01F_impro01", "M000", "fea", "Do you have your forms?"),
        ("Ses01F_impro01", "F001", "xxx", "Yeah."),
        ("Ses01M_script01_1", "F003", "sad", "I know."),
        ("Ses01M_script01_1", "MXX1", "exc", "What?"),
        ("Ses05M_impro02", "M004", "neu", "Okay."),
    ]
    for number, (dialogue, turn, label, sentence) in enumerate(turns):
        dialog = tmp_path / f"Session{dialogue[4]}" / "dialog"
        for folder in ("EmoEvaluation/Categorical", "transcriptions"):
            (dialog / folder).mkdir(parents=True, exist_ok=True)
        with (dialog / "EmoEvaluation" / f"{dialogue}.txt").open("a") as file:
            file.write("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n")
            file.write(f"[{number}.2901 - {number}.8235]\t{dialogue}_{turn}\t{label}\t[2.5000, 3.0000, 2.0000]\n")
            file.write("C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n")
        with (dialog / "transcriptions" / f"{dialogue}.txt").open("a") as file:
            file.write(f"{dialogue}_{turn} [00{number}.2901-00{number}.8235]: {sentence}\n")
        write_tone(tmp_path / f"Session{dialogue[4]}/sentences/wav/{dialogue}/{dialogue}_{turn}.wav")
    # What the release has beside these: folders of other ratings, and a Mac's shadows of files.
    (tmp_path / "Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt").write_text("F000 :Neutral;\n")
    (tmp_path / "Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    return tmp_path


@pytest.fixture
def crema_d(tmp_path: Path) -> Path:
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    names = [f"{actor}_DFA_{emotion}_XX" for actor in (1001, 1002) for emotion in emotions]
    for name in [*names, "1001_IEO_FEA_HI", "1040_ITH_SAD_X"]:
        write_tone(tmp_path / "AudioWAV" / f"{name}.wav")
    return tmp_path


def test_ravdess_is_recognised_and_mapped(ravdess):
    corpus = read_corpus(ravdess)
    assert corpus.name == "ravdess"
    assert corpus.labels == ("neutral", "sad", "anxious")
    labels = [(u.details["original_label"], u.label) for u in corpus.utterances if u.speaker == "actor_01"]
    assert labels == [("neutral", "neutral"), ("calm", "neutral"), ("sad", "sad"), ("fearful", "anxious")]
    assert corpus.dropped == {"happy": 2, "angry": 2, "disgust": 2, "surprised": 2, "song": 1}


def test_ravdess_names_tell_speaker_sex_sentence_and_intensity(ravdess):
    utterances = {u.path.name: u for u in read_corpus(ravdess).utterances}
    assert utterances["03-01-01-01-02-01-01.wav"].sex == "male"
    strong = utterances["03-01-06-02-01-02-02.wav"]
    assert (strong.speaker, strong.sex) == ("actor_02", "female")
    assert strong.details["intensity"] == "strong"
    assert strong.details["sentence"] == "Kids are talking by the door"


def test_ravdess_copies_that_hold_every_file_twice_count_once(ravdess):
    once = read_corpus(ravdess)
    for recording in list(ravdess.glob("Actor_*/*.wav")):
        write_tone(ravdess / "audio_speech_actors_01-24" / recording.parent.name / recording.name)
    twice = read_corpus(ravdess)
    assert twice.utterances == once.utterances
    files = len(once.utterances) + sum(once.dropped.values())
    assert twice.dropped == {**once.dropped, "duplicate": files}


def test_a_stray_file_in_ravdess_is_named(ravdess):
    stray = write_tone(ravdess / "Actor_01/take 2.wav")
    with pytest.raises(CorpusError, match=f"{stray.name}: not named like RAVDESS's"):
        read_corpus(ravdess)


def test_iemocap_is_recognised_and_mapped(iemocap):
    corpus = read_corpus(iemocap)
    assert corpus.name == "iemocap"
    assert [(u.path.stem, u.label) for u in corpus.utterances] == [
        ("Ses01F_impro01_F000", "neutral"),
        ("Ses01F_impro01_M000", "anxious"),
        ("Ses01M_script01_1_F003", "sad"),
        ("Ses05M_impro02_M004", "neutral"),
    ]
    assert corpus.dropped == {"xxx": 1, "exc": 1}


def test_iemocaps_speaker_is_the_turns_and_not_the_dialogues(iemocap):
    speakers = {u.path.stem: (u.speaker, u.sex) for u in read_corpus(iemocap).utterances}
    assert speakers["Ses01F_impro01_M000"] == ("Ses01M", "male")
    assert speakers["Ses01M_script01_1_F003"] == ("Ses01F", "female")


def test_iemocaps_sentences_and_sessions_are_kept(iemocap):
    first = read_corpus(iemocap).utterances[0]
    assert first.details["sentence"] == "Excuse me."
    assert (first.details["session"], first.details["scenario"]) == ("Session1", "improvised")
    assert first.details["activation"] == "3.0000"


def test_iemocap_without_its_recordings_is_refused(iemocap):
    next(iemocap.rglob("Ses01F_impro01_M000.wav")).unlink()
    with pytest.raises(CorpusError, match=r"1 of 4 recordings are not there: .*Ses01F_impro01_M000\.wav"):
        read_corpus(iemocap)


def test_crema_d_is_recognised_and_mapped(crema_d):
    corpus = read_corpus(crema_d)
    assert corpus.name == "crema-d"
    assert corpus.dropped == {"ANG": 2, "DIS": 2, "HAP": 2}
    utterances = {u.path.stem: u for u in corpus.utterances}
    assert utterances["1001_IEO_FEA_HI"].label == "anxious"
    assert utterances["1001_IEO_FEA_HI"].details["intensity"] == "high"
    assert utterances["1040_ITH_SAD_X"].speaker == "actor_1040"
    assert utterances["1001_DFA_NEU_XX"].details["sentence"] == "Don't forget a jacket"
    assert {u.sex for u in corpus.utterances} == {None}


def test_crema_d_takes_the_actors_sex_from_its_demographics(crema_d):
    (crema_d / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Caucasian,Not Hispanic\n"
        "1040,30,,Caucasian,Not Hispanic\n"
    )
    sexes = {u.speaker: u.sex for u in read_corpus(crema_d).utterances}
    assert sexes == {"actor_1001": "male", "actor_1002": "female", "actor_1040": None}


def test_a_dataset_without_one_of_the_classes_is_refused(crema_d):
    for recording in crema_d.glob("AudioWAV/*_FEA_*.wav"):
        recording.unlink()
    with pytest.raises(CorpusError, match="crema-d: no utterance is labelled 'anxious'"):
        read_corpus(crema_d)


def test_the_readme_lists_how_labels_are_mapped():
    readme = (ROOT / "README.md").read_text()
    for name, module in (("RAVDESS", ravdess_reader), ("IEMOCAP", iemocap_reader), ("CREMA-D", crema_d_reader)):
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| {name} |")]
        listed = dict(zip(ARTICLE_LABELS, (cell.strip().split(", ") for cell in row.split("|")[2:5]), strict=True))
        mapped = {label: [own for own, to in module.LABELS.items() if to == label] for label in ARTICLE_LABELS}
        assert listed == mapped
