"""One small model for all benches that are tried out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import RANDOM_MODEL


@pytest.fixture
def tiny_model(repository: Path, tmp_path: Path) -> Path:
    """The untrained model of the tests' repository, copied into one of its own as ``stress``."""
    folder = shutil.copytree(repository / RANDOM_MODEL, tmp_path / "repository" / "stress")
    for config in (folder / "config.pbtxt", *(folder / "configs").iterdir()):
        text = config.read_text()
        assert f'name: "{RANDOM_MODEL}"' in text
        config.write_text(text.replace(f'name: "{RANDOM_MODEL}"', 'name: "stress"'))
    return folder
