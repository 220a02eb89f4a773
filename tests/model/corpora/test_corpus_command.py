from __future__ import annotations

import pytest

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
