"""What the synthetic corpus promises, on its small size, made for real."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from voicestress_model.corpora import CorpusError
from voicestress_model.corpora.synthetic import EngineError, missing_commands, synthesize_corpus
from voicestress_model.corpora.synthetic.cast import cast
from voicestress_model.corpora.synthetic.engines import require_engines, speak
from voicestress_model.corpora.synthetic.neutral import RATE_HZ, neutral_recording
from voicestress_model.corpora.synthetic.plan import plan
from voicestress_model.corpora.synthetic.sentences import DEVELOPMENT_SENTENCES, HELD_OUT_SENTENCES, TRAINING_SENTENCES
from voicestress_model.corpora.synthetic.synthesis import make, recording_count

TIERS = ("unseen_sentences", "unseen_voices", "unseen_engine", "unseen_manipulator")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.flac")}


def test_it_is_a_corpus_with_every_tier(small_corpus):
    assert small_corpus.labels == ("neutral", "sad", "anxious")
    assert small_corpus.splits == ("train", "dev", *TIERS)
    assert len(small_corpus.utterances) == recording_count("small")


@pytest.mark.parametrize("size", ["small", "demo"])
def test_every_class_says_every_sentence_with_every_speaker(size, small_corpus):
    if size == "small":
        said = Counter((u.split, u.speaker, u.details["sentence"], u.label) for u in small_corpus.utterances)
        groups = {key[:3] for key in said}
        assert said == Counter({(*group, label): 1 for group in groups for label in small_corpus.labels})
    for task in plan(size, 0):
        assert len(set(task.sentences)) == len(task.sentences)


def test_recordings_are_16_khz_16_bit_mono_of_a_few_seconds_and_never_clip(small_corpus):
    for utterance in small_corpus.utterances:
        info = soundfile.info(utterance.path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert 0.8 < info.duration < 9
        assert info.duration == pytest.approx(float(utterance.details["seconds"]), abs=1e-3)
        assert abs(soundfile.read(utterance.path)[0]).max() < 0.99


def test_the_same_seed_gives_the_same_bytes_whoever_makes_them(small_corpus, small_corpus_folder, tmp_path):
    """Two processes made the corpus; this one makes some of it again, and one of each engine."""
    tasks = plan("small", 0)
    again = [next(t for t in tasks if t.speaker.engine == engine) for engine in ("festival", "espeak-ng", "flite")]
    for task in again:
        make(task, tmp_path, 0)
    made = bytes_of(tmp_path)
    assert len(made) == sum(task.recordings for task in again)
    before = bytes_of(small_corpus_folder)
    assert all(before[name] == contents for name, contents in made.items())


def test_another_seed_gives_other_recordings(small_corpus_folder, tmp_path):
    make(plan("small", 1)[0], tmp_path, 1)
    before = bytes_of(small_corpus_folder)
    assert all(before.get(name) != contents for name, contents in bytes_of(tmp_path).items())


def test_held_out_tiers_hold_out_what_they_say():
    tasks = plan("demo", 0)
    heard: dict[str, dict[str, set[str]]] = {}
    for task in tasks:
        for split, manipulator in task.renderings:
            found = heard.setdefault(split, {"sentence": set(), "voice": set(), "engine": set(), "manipulator": set()})
            found["sentence"] |= {text for _, text in task.sentences}
            found["voice"].add(task.speaker.voice.split("+")[-1])
            found["engine"].add(task.speaker.engine)
            found["manipulator"].add(manipulator)
    train = heard["train"]
    for tier in TIERS:
        assert not heard[tier]["sentence"] & train["sentence"]
        assert (not heard[tier]["voice"] & train["voice"]) == (tier != "unseen_sentences")
    held_out = set().union(*(heard[tier]["sentence"] for tier in TIERS))
    assert not heard["dev"]["sentence"] & (train["sentence"] | held_out)
    assert not heard["dev"]["voice"] & (train["voice"] | heard["unseen_voices"]["voice"])
    assert not heard["unseen_engine"]["engine"] & (train["engine"] | heard["dev"]["engine"])
    assert not heard["unseen_manipulator"]["manipulator"] & train["manipulator"]


def test_sentences_are_all_different():
    sentences = TRAINING_SENTENCES + DEVELOPMENT_SENTENCES + HELD_OUT_SENTENCES
    assert len({sentence.lower() for sentence in sentences}) == len(sentences)
    assert all(2 <= len(sentence.split()) <= 18 for sentence in sentences)


def test_no_two_voices_of_the_cast_sound_the_same():
    """espeak-ng does not complain of a variant it does not know, it speaks with its plain voice."""
    voices = {(s.engine, s.voice): s for speakers in cast(0).values() for s in speakers if s.engine == "espeak-ng"}
    plain = {("espeak-ng", voice.split("+")[0]) for _, voice in voices}
    sounds = {speak(engine, voice, ["The road turns left."])[0][0].tobytes() for engine, voice in {*voices, *plain}}
    assert len(sounds) == len({*voices, *plain})


@pytest.mark.parametrize(("engine", "voice"), [("espeak-ng", "en+f3"), ("flite", "rms"), ("festival", "ked_diphone")])
def test_a_speaker_s_size_does_not_change_how_fast_it_speaks(engine, voice):
    """A smaller speaker is made by playing faster, which would make all small speakers sound hurried."""
    text = ["They planted a row of trees along the road."]

    def seconds(vocal_tract, pace):
        return len(neutral_recording(speak(engine, voice, text, pace=pace / vocal_tract)[0], vocal_tract)) / RATE_HZ

    assert seconds(1.11, 1.0) == pytest.approx(seconds(1.0, 1.0), rel=0.02)
    assert seconds(1.0, 1.2) == pytest.approx(seconds(1.0, 1.0) / 1.2, rel=0.04)


def test_sexes_are_in_every_split():
    for speakers in cast(0).values():
        assert {speaker.sex for speaker in speakers} == {"female", "male"}


def test_an_engine_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch, tmp_path):
    assert missing_commands() == ([], "")
    monkeypatch.setenv("PATH", str(tmp_path))
    missing, line = missing_commands(["flite", "festival"])
    assert missing == ["flite", "festival"]
    assert line.startswith("apt-get install --no-install-recommends flite festival festvox-kallpc16k")
    with pytest.raises(EngineError, match=r"not installed: espeak-ng, flite, festival\. On Debian: apt-get install"):
        synthesize_corpus(tmp_path / "out", size="small")


def test_a_voice_that_is_missing_says_so():
    require_engines()
    with pytest.raises(EngineError, match=r"said nothing|failed"):
        speak("festival", "nobody_diphone", ["Three."])


def test_a_corpus_that_is_there_is_not_overwritten(small_corpus_folder):
    with pytest.raises(CorpusError, match=r"manifest\.csv: there is a corpus already"):
        synthesize_corpus(small_corpus_folder, size="small")


def test_an_unknown_size_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"'huge' is no size of the synthetic corpus\. Sizes: small, demo"):
        synthesize_corpus(tmp_path, size="huge")


def test_workers_end_when_the_command_is_killed(tmp_path):
    """Workers that wait for work from a dead parent would wait forever."""
    code = "from voicestress_model.corpora import synthetic; import sys; from pathlib import Path\n"
    code += "if __name__ == '__main__': synthetic.synthesize_corpus(Path(sys.argv[1]), size='demo')"
    (tmp_path / "make.py").write_text(code)
    running = subprocess.Popen([sys.executable, tmp_path / "make.py", tmp_path / "corpus"])
    try:
        assert wait_until(lambda: any(tmp_path.glob("corpus/audio/*/*/*.flac")))
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    finally:
        running.kill()
        running.wait()
    assert children
    assert wait_until(lambda: not any(Path("/proc", child).exists() for child in children))


def wait_until(happened: Callable[[], bool], *, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.1)
    return happened()
