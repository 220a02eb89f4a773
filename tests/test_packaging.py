"""What a user gets with ``pip install``, and what is public."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.paths import ROOT

TORCH_SIDE = {"torch", "torchaudio", "transformers", "onnx", "onnxruntime"}
WEB_FRAMEWORKS = {"fastapi", "starlette", "flask", "aiohttp", "uvicorn"}
HEAVY = TORCH_SIDE | WEB_FRAMEWORKS
PUBLIC_PACKAGES = [
    "voicestress",
    "voicestress.look",
    "voicestress_audio",
    "voicestress_gateway",
    "voicestress_model",
    "voicestress_model.corpora",
    "voicestress_model.evaluation",
    "voicestress_model.quantisation",
    "voicestress_model.training",
    "voicestress_triton",
]


def test_the_thin_client_pulls_no_torch_no_onnxruntime_and_no_web_framework():
    command = ["pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", "."]
    report = json.loads(
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, check=True, timeout=200).stdout
    )
    installed = {item["metadata"]["name"].lower() for item in report["install"]}
    assert "voicestress" in installed
    assert "tritonclient" in installed
    assert not installed & HEAVY


def test_importing_the_client_loads_no_torch_and_no_onnxruntime():
    code = "import sys, voicestress, voicestress.cli; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & HEAVY


@pytest.mark.parametrize("package", PUBLIC_PACKAGES)
def test_what_is_public_is_listed_and_there(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name))
    for name in module.__all__:
        assert hasattr(module, name)


def test_the_readme_names_only_what_is_public():
    readme = (ROOT / "README.md").read_text()
    for package, names in re.findall(r"^from (voicestress\w*) import (.+)$", readme, flags=re.MULTILINE):
        public = set(importlib.import_module(package).__all__)
        assert set(re.split(r",\s*", names)) <= public


def test_the_changelog_has_the_version_of_the_package():
    assert f"## [{version('voicestress')}]" in (ROOT / "CHANGELOG.md").read_text()


def test_nothing_in_the_repository_names_this_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        contents = Path(ROOT, name).read_bytes()
        for trace in (str(ROOT).encode(), str(Path.home()).encode() + b"/", b'File "' + b"/"):
            assert trace not in contents, (name, trace)
