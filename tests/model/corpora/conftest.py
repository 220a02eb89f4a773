"""Small recordings and manifests of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

MakeManifest = Callable[..., Path]


def write_tone(path: Path, *, seconds: float = 0.6, peak: float = 0.3) -> Path:
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
