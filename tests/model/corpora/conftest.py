"""Small recordings, small datasets in their true layouts, and one small synthetic corpus."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from voicestress_model.corpora import Corpus, command, read_corpus

MakeManifest = Callable[..., Path]


def write_tone(path: Path, *, seconds: float = 0.2, peak: float = 0.3) -> Path:
    """A recording that can be used, in folders made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    soundfile.write(path, peak * np.sin(2 * np.pi * 220 * time_s), 16_000, subtype="PCM_16")
    return path


@pytest.fixture
def make_manifest(tmp_path: Path) -> MakeManifest:
    """Writes a manifest of rows of text, and the recordings in its first column."""

    def make(rows: Iterable[str], *, header: str = "path,label,speaker", recordings: bool = True) -> Path:
        rows = list(rows)
        if recordings:
            for row in rows:
                write_tone(tmp_path / row.split(",")[0])
        manifest = tmp_path / "calls.csv"
        manifest.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return manifest

    return make


def run_corpus(*words: object) -> int:
    """``voicestress corpus`` with ``words``."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="session")
def small_corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic corpus in its small size, seed 0, made by the command with two processes; ``said.txt`` holds what
    the command printed.
    """
    folder = tmp_path_factory.mktemp("synthetic") / "small"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run_corpus("synthesize", "--out", folder, "--size", "small", "--workers", 2) == 0
    (folder / "said.txt").write_text(said.getvalue())
    return folder


@pytest.fixture(scope="session")
def small_corpus(small_corpus_folder: Path) -> Corpus:
    return read_corpus(small_corpus_folder / "manifest.csv")
