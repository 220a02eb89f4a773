from __future__ import annotations

import pytest
from voicestress_model.corpora import CorpusError

from tests.model.conftest import run_corpus

ROWS = ["a.wav,neutral,ann", "b.wav,sad,bob", "c.wav,anxious,ann", "d.wav,sad,cai"]


def test_synthesize_says_what_it_made(small_corpus_folder):
    said = (small_corpus_folder / "said.txt").read_text()
    assert "manifest.csv: 66 recordings" in said
    assert "unseen_manipulator       6    2 speakers" in said


def test_check_counts_a_good_corpus(make_manifest, capsys):
    assert run_corpus("check", make_manifest(ROWS)) == 0
    assert "calls: 4 recordings of 3 speakers: 1 neutral, 2 sad, 1 anxious" in capsys.readouterr().out


@pytest.mark.parametrize(("share", "code"), [("0", 1), ("0.2", 1), ("0.25", 0)])
def test_check_fails_when_more_is_unusable_than_the_user_allows(make_manifest, tmp_path, capsys, share, code):
    manifest = make_manifest(ROWS)
    (tmp_path / "d.wav").write_bytes(b"")
    assert run_corpus("check", manifest, "--max-rejected-share", share) == code
    captured = capsys.readouterr()
    assert "d.wav: is empty" in captured.err
    assert "left out, unusable: 1 of 4" in captured.out


def test_check_lists_every_unusable_recording_though_a_class_is_emptied(make_manifest, tmp_path, capsys):
    rows = [*ROWS, *(f"lost{number}.wav,sad,bob" for number in range(8))]
    manifest = make_manifest(rows)
    for row in rows:
        if ",sad," in row:
            (tmp_path / row.split(",")[0]).write_bytes(b"")
    with pytest.raises(CorpusError, match="no utterance is labelled 'sad'"):
        run_corpus("check", manifest)
    assert capsys.readouterr().err.count(": is empty") == 10


def test_check_takes_the_shortest_that_the_user_will_serve(make_manifest):
    manifest = make_manifest(ROWS)
    assert run_corpus("check", manifest, "--shortest-s", "0.6") == 0
    with pytest.raises(CorpusError, match=r"a\.wav: is 0\.60 s long, 0\.61 s needed"):
        run_corpus("check", manifest, "--shortest-s", "0.61")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("check", "calls.csv", "--max-rejected-share", "5"), "'5' is not a share from 0 to 1"),
        (("check", "calls.csv", "--shortest-s", "0"), "'0' is not a number of seconds above 0"),
        (("synthesize", "--out", "x", "--seed", "-1"), "'-1' is not a whole number"),
        (("synthesize", "--out", "x", "--workers", "0"), "'0' is not a whole number, 1 or more"),
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_is_read(argv, complaint, capsys):
    with pytest.raises(SystemExit):
        run_corpus(*argv)
    assert complaint in capsys.readouterr().err
