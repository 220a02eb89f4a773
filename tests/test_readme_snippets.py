"""What the README tells to type is typed, against a real Triton."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from tests.paths import JFK_WAV, ROOT

README = (ROOT / "README.md").read_text()
SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##+ |\Z)", README, re.MULTILINE | re.DOTALL))
PYTHON = {name: re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for name, text in SECTIONS.items()}
SHELL = [
    line.partition("  #")[0].strip()
    for name in ("Live", "From the shell", "Archives")
    for line in re.findall(r"^    (.*voicestress .*)$", SECTIONS[name], re.MULTILINE)
]
# What needs a microphone, or goes on until it is stopped.
NOT_HERE = {"voicestress listen", "voicestress serve model_repository"}


@pytest.fixture
def here(tmp_path, speech):
    """A folder with the recordings that the README names."""
    shutil.copy(JFK_WAV, tmp_path / "call.wav")
    soundfile.write(tmp_path / "interview.flac", speech, 16_000)
    (tmp_path / "recordings").mkdir()
    shutil.copy(JFK_WAV, tmp_path / "recordings")
    at_48_khz = soxr.resample(speech.astype(np.float32) / 32768, 16_000, 48_000)
    np.rint(at_48_khz * 32767).astype("<i2").tofile(tmp_path / "call.raw")
    return tmp_path


def test_there_is_a_section_for_each_way_in():
    wanted = {"From Python", "Asyncio", "Live", "Archives", "From another language", "Several servers, and networks"}
    assert wanted <= SECTIONS.keys()
    assert [name for name, snippets in PYTHON.items() if snippets] == [
        "From Python",
        "Asyncio",
        "Live",
        "Several servers, and networks",
    ]


@pytest.mark.parametrize("name", ["From Python", "Asyncio", "Live"])
def test_python(name, server, here):
    (snippet,) = PYTHON[name]
    program = snippet.replace("localhost:8001", server.url) + "\nassert report if 'report' in dir() else all(reports)\n"
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", program], cwd=here, check=True, timeout=60)


def test_python_with_several_servers_is_right_up_to_its_files(here):
    (snippet,) = PYTHON["Several servers, and networks"]
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=here, check=False, timeout=60, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1].startswith("voicestress.errors.ServiceError: ca.pem: can't be read")


@pytest.mark.parametrize("line", [line for line in SHELL if line not in NOT_HERE])
def test_shell(line, server, here):
    command = re.sub(r"^ffmpeg .*?\|", "cat call.raw |", line)
    command = command.replace("voicestress ", f"{sys.executable} -m voicestress ") if "|" in command else command
    command = re.sub(r"^voicestress ", f"{sys.executable} -m voicestress ", command)
    command = re.sub(r"( > \S+)?$", rf" --url {server.url}\1", command, count=1)
    done = subprocess.run(command, shell=True, cwd=here, check=False, timeout=100, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_shown_is_run():
    assert len(SHELL) >= 8
    assert set(SHELL) >= NOT_HERE
