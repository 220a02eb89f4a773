"""The microphone: PortAudio and ALSA for real, with a recording where the sound card would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

ALSA = """
pcm.!default {{
  type file
  slave.pcm null
  file /dev/null
  infile "{recording}"
  format raw
}}
"""


@pytest.fixture
def microphone(tmp_path, speech):
    """The environment of a process whose default microphone hears a voice, over and over."""
    np.tile(speech, 40).tofile(tmp_path / "voice.raw")
    (tmp_path / "asound.conf").write_text(ALSA.format(recording=tmp_path / "voice.raw"))
    return os.environ | {"ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{tmp_path}/asound.conf"}


def listen(server, environment, *options):
    command = [sys.executable, "-m", "voicestress", "listen", "--url", server.url, "--model", "group_norm", "--json"]
    return subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_what_the_microphone_hears_is_scored_until_ctrl_c(server, client, speech, microphone):
    with listen(server, microphone, "--rate", "16000") as process:
        updates = [json.loads(process.stdout.readline())["update"] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    report = json.loads(said.splitlines()[-1])["report"]
    assert "listening" in errors
    expected = client.analyze((speech, 16_000))
    for update, window in zip(updates, expected.windows, strict=False):
        assert update["window"]["stress_level"] == pytest.approx(window.stress_level, abs=0.01)
    assert report["windows"][:3] == [update["window"] for update in updates]


def test_a_microphone_that_is_not_there_is_named(server, tmp_path):
    (tmp_path / "asound.conf").write_text("pcm.!default { type hw card 99 }\n")
    environment = os.environ | {"ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{tmp_path}/asound.conf"}
    with listen(server, environment) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "microphone: can't be recorded" in errors
