"""``voicestress bulk`` against a real Triton: every recording scored exactly once, however often it is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet
import pytest
import soundfile
from voicestress import InvalidAudio, StressClient
from voicestress.bulk.decoding import Decoders
from voicestress_triton import TritonServer

from tests.client.test_client import closed_port
from tests.conftest import BOASTING_MODEL, CROWDED_MODEL
from tests.paths import MODEL_REPOSITORY

KILLS = 20


def make_archive(folder, speech, count, *, seconds=(0.8, 2.0)):
    """``count`` short recordings, no two alike; their names in order."""
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    names = []
    for number in range(count):
        length = round(generator.uniform(*seconds) * 16_000)
        start = generator.integers(6_000, 34_000 - min(length, 27_000))
        names.append(str(folder / f"{number:05d}.wav"))
        soundfile.write(names[-1], np.roll(speech, -start)[:length], 16_000)
    return names


def command(source, out, server, *options, model="group_norm"):
    words = ["bulk", str(source), "--out", str(out), "--url", server.url, "--model", model, "--no-speech-detection"]
    return [sys.executable, "-m", "voicestress", *words, *map(str, options)]


def run(*arguments, **settings):
    return subprocess.run(command(*arguments, **settings), capture_output=True, text=True, check=False, timeout=200)


def start(*arguments, **settings):
    return subprocess.Popen(command(*arguments, **settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def rows_of(out):
    return {row["recording"]: row for row in pyarrow.parquet.read_table(out).to_pylist()}


def test_an_archive_is_scored_as_each_of_its_recordings(server, client, speech, tmp_path):
    names = make_archive(tmp_path / "calls", speech, 12)
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server)
    assert done.returncode == 0, done.stderr
    assert "12 scored, 0 failed" in done.stdout
    rows = rows_of(tmp_path / "out.parquet")
    assert sorted(rows) == names
    for name in names[:3]:
        expected = client.analyze(name, speech_detection=False)
        assert rows[name]["stress_level"] == pytest.approx(expected.stress_level, abs=1e-3)
        assert len(rows[name]["windows"]) == len(expected.windows)
        assert dict(rows[name]["emotions"]) == pytest.approx(expected.emotions, abs=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls", "out.parquet"]


def test_what_cannot_be_used_goes_to_a_file_of_its_own_with_the_reason(server, speech, tmp_path):
    calls, out = tmp_path / "calls", tmp_path / "out.parquet"
    make_archive(calls, speech, 3)
    (calls / "broken.wav").write_text("no recording")
    soundfile.write(calls / "silent.wav", np.zeros(32_000, np.int16), 16_000)
    done = run(calls, out, server)
    assert done.returncode == 2
    failures = [json.loads(line) for line in (tmp_path / "out.failures.jsonl").read_text().splitlines()]
    assert {Path(f["recording"]).name: f["error"] for f in failures} == {
        "broken.wav": "InvalidAudio",
        "silent.wav": "NoSpeech",
    }
    assert all(failure["reason"] for failure in failures)
    assert len(rows_of(out)) == 3
    (calls / "broken.wav").unlink()
    make_archive(calls, speech, 4)
    assert "1 scored, 0 failed, 4 done before" in run(calls, out, server).stdout
    soundfile.write(calls / "silent.wav", speech[8_000:24_000], 16_000)
    again = run(calls, out, server, "--retry-failed")
    assert (again.returncode, "1 scored, 0 failed" in again.stdout) == (0, True)
    assert not (tmp_path / "out.failures.jsonl").exists()
    assert len(rows_of(out)) == 5


def test_shards_together_are_the_whole(server, speech, tmp_path):
    names = make_archive(tmp_path / "calls", speech, 10)
    found = []
    for index in range(3):
        assert run(tmp_path / "calls", tmp_path / "out.parquet", server, "--shard", f"{index}/3").returncode == 0
        found += rows_of(tmp_path / f"out-{index:05d}-of-00003.parquet")
    assert sorted(found) == names


@pytest.mark.timeout(280)
def test_killed_at_random_moments_it_scores_every_recording_exactly_once(server, speech, tmp_path):
    names = make_archive(tmp_path / "calls", speech, 400)
    out, journal = tmp_path / "out.parquet", tmp_path / "out.journal.jsonl"
    generator = random.Random(1)
    for kill in range(KILLS):
        process = subprocess.Popen(
            command(tmp_path / "calls", out, server, "--processes", 1),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wanted = (kill + 1) * len(names) // (KILLS + 2)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.read_bytes().count(b"\n") >= wanted:
                break
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        whole = journal.read_bytes().rpartition(b"\n")[0].splitlines() if journal.exists() else []
        scored = [json.loads(line)["recording"] for line in whole]
        assert len(scored) == len(set(scored)), "scored twice"
    done = run(tmp_path / "calls", out, server)
    assert done.returncode == 0, done.stderr
    scored_now = int(done.stdout.split(" scored")[0])
    assert 0 < scored_now < len(names), "it began anew, or the kills came too late"
    table = pyarrow.parquet.read_table(out)
    assert sorted(table["recording"].to_pylist()) == names


def test_killed_while_results_are_written_nothing_is_lost(server, speech, tmp_path):
    """From just before the last recording is scored to the end: the results are replaced there."""
    names = make_archive(tmp_path / "calls", speech, 8)
    out = tmp_path / "out.parquet"
    for delay_s in np.linspace(0, 0.06, 7):
        process = subprocess.Popen(
            command(tmp_path / "calls", out, server, "--processes", 1),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        journal = tmp_path / "out.journal.jsonl"
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.read_bytes().count(b"\n") >= 7:
                break
            time.sleep(0.001)
        time.sleep(delay_s)
        process.kill()
        process.wait()
        assert run(tmp_path / "calls", out, server).returncode == 0
        assert sorted(pyarrow.parquet.read_table(out)["recording"].to_pylist()) == names
        out.unlink()


@pytest.mark.slow
def test_a_server_that_is_full_only_slows_it_down(server, speech, tmp_path):
    make_archive(tmp_path / "calls", speech, 8)
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server, "--at-once", 4, model=CROWDED_MODEL)
    assert done.returncode == 0, done.stderr
    assert len(rows_of(tmp_path / "out.parquet")) == 8


def test_a_service_that_goes_away_is_waited_for(speech, tmp_path):
    names = make_archive(tmp_path / "calls", speech, 300)
    out, journal = tmp_path / "out.parquet", tmp_path / "out.journal.jsonl"
    with TritonServer(MODEL_REPOSITORY, models=["stress"]) as server:
        port = int(server.url.rpartition(":")[2])
        process = subprocess.Popen(
            command(tmp_path / "calls", out, server, model="stress"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            assert process.poll() is None
            time.sleep(0.01)
        server.stop()
    time.sleep(2)
    assert process.poll() is None
    with TritonServer(MODEL_REPOSITORY, models=["stress"], port=port):
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert b"300 scored, 0 failed" in said
    assert sorted(rows_of(out)) == names


def test_a_service_that_stays_away_ends_it_with_what_was_scored_kept(speech, tmp_path):
    names = make_archive(tmp_path / "calls", speech, 300)
    out, journal = tmp_path / "out.parquet", tmp_path / "out.journal.jsonl"
    with TritonServer(MODEL_REPOSITORY, models=["stress"]) as server:
        process = subprocess.Popen(
            command(tmp_path / "calls", out, server, "--patience-s", 1, model="stress"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            assert process.poll() is None
            time.sleep(0.01)
        server.stop()
        _, said = process.communicate(timeout=100)
    assert process.returncode == 3, said
    assert b"gave up" in said
    with TritonServer(MODEL_REPOSITORY, models=["stress"]) as server:
        done = run(tmp_path / "calls", out, server, model="stress")
    assert "done before" in done.stdout
    assert sorted(rows_of(out)) == names


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("out.csv", [], ".parquet"),
        ("nowhere/out.parquet", [], "directory that exists"),
        ("out.parquet", ["--shard", "3/2"], "0 to N - 1"),
        ("out.parquet", ["--at-once", "0"], "'0' is not a whole number, 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(server, tmp_path, out, options, message):
    done = run(tmp_path, tmp_path / out, server, *options)
    assert done.returncode in {1, 2}
    assert message in done.stderr


def test_a_server_that_is_not_there_is_named_before_anything_is_decoded(speech, tmp_path):
    make_archive(tmp_path / "calls", speech, 1)

    class Nowhere:
        url = f"127.0.0.1:{closed_port()}"

    done = run(tmp_path / "calls", tmp_path / "out.parquet", Nowhere, "--deadline-s", 2)
    assert done.returncode == 3
    assert "no Triton answers" in done.stderr


def test_recordings_are_fetched_from_urls(server, speech, tmp_path):
    names = make_archive(tmp_path / "calls", speech, 3)
    (tmp_path / "calls" / "broken.wav").write_text("no recording")
    done = run(f"file://{tmp_path}/calls", tmp_path / "out.parquet", server)
    assert done.returncode == 2, done.stderr
    assert sorted(rows_of(tmp_path / "out.parquet")) == [f"file://{name}" for name in names]
    assert f"file://{tmp_path}/calls/broken.wav: " in (tmp_path / "out.failures.jsonl").read_text()


def test_a_name_that_is_no_text_is_a_failure(server, speech, tmp_path):
    (name,) = make_archive(tmp_path / "calls", speech, 1)
    os.rename(name, os.fsencode(tmp_path / "calls") + b"/caf\xe9.wav")  # noqa: PTH104 - a path of bytes
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server, "--shard", "0/1")
    assert done.returncode == 2, done.stderr
    assert "Rename it" in (tmp_path / "out-00000-of-00001.failures.jsonl").read_text()


def test_a_recording_that_the_service_fails_is_a_failure_and_the_others_are_scored(server, speech, tmp_path):
    """The model answers windows that it says it takes with NaN."""
    names = make_archive(tmp_path / "calls", speech, 2)
    soundfile.write(tmp_path / "calls" / "short.wav", speech[8_000:12_800], 16_000)
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server, model=BOASTING_MODEL)
    assert done.returncode == 2, done.stderr
    assert sorted(rows_of(tmp_path / "out.parquet")) == names
    assert "ServiceError" in (tmp_path / "out.failures.jsonl").read_text()


def test_results_go_into_no_other_file(server, speech, tmp_path):
    make_archive(tmp_path / "calls", speech, 1)
    pyarrow.parquet.write_table(pyarrow.table({"other": [1]}), tmp_path / "out.parquet")
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server)
    assert (done.returncode, "other columns" in done.stderr) == (1, True)
    (tmp_path / "out.parquet").write_bytes(b"")
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server)
    assert (done.returncode, "no Parquet file" in done.stderr) == (1, True)


def test_it_tells_how_far_it_is(server, speech, tmp_path):
    make_archive(tmp_path / "calls", speech, 5)
    done = run(tmp_path / "calls", tmp_path / "out.parquet", server)
    assert "5/5 [00:0" in done.stderr
    assert "s of audio a second" in done.stderr


def test_a_recording_that_kills_its_decoder_is_a_failure(client, speech, tmp_path):
    """Played by killing the process that reads a long one, each time."""
    soundfile.write(tmp_path / "long.wav", np.tile(speech, 200), 16_000)

    async def read():
        decoders = Decoders(1, speech_detection=True, bounds=client.contract().window_bounds)
        reading = asyncio.create_task(decoders.read(str(tmp_path / "long.wav")))
        try:
            while not reading.done():
                await asyncio.sleep(0.05)
                for pid in decoders.process_ids:
                    os.kill(pid, signal.SIGKILL)
            return await reading
        finally:
            decoders.close()

    with pytest.raises(InvalidAudio, match="2 processes died"):
        asyncio.run(read())


def test_killed_it_leaves_no_process_behind(server, speech, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.tile(speech, 200), 16_000)
    process = subprocess.Popen(
        [word for word in command(tmp_path, tmp_path / "out.parquet", server) if word != "--no-speech-detection"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    parent = psutil.Process(process.pid)
    while len(pids := [child.pid for child in parent.children()]) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(1)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_the_client_is_not_left_open(server, speech, tmp_path):
    """The command ends by itself, soon after its last recording."""
    make_archive(tmp_path / "calls", speech, 2)
    start = time.monotonic()
    assert run(tmp_path / "calls", tmp_path / "out.parquet", server).returncode == 0
    assert time.monotonic() - start < 30
    with StressClient(server.url, model="group_norm") as client:
        client.contract()
