"""Whatever a recording does to its decoder, it is an InvalidAudio, in time, and nothing of it is left."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voicestress_audio import AudioLimits, InvalidAudio, open_audio, pyav

from tests.paths import ROOT
from tests.preprocess.media import KINDS, STREAMED, child_processes, encode_kind, silent_webm
from tests.preprocess.test_bad_recordings import BrokenFile

FUZZED = ["m4a", "m4a, faststart", "mp4, fragmented", "mp4 with video", "aac", "3gp", "amr", "webm", "mkv with video"]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, monkeypatch):
    """No child, running or not waited for; no open file; no file of its own."""
    before, open_before = child_processes(), open_files()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield
    assert child_processes() <= before
    assert open_files() == open_before
    assert not list((tmp_path / "temporary").iterdir())


@pytest.fixture(scope="module")
def short_files(voice) -> dict[str, bytes]:
    """Two seconds of the voice in every kind of file."""
    return {kind: encode_kind(voice[:32_000], 16_000, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def long_file(voice_48k) -> bytes:
    """More than a pipe and a chunk hold, so that its decoder has to wait until it is read."""
    return encode_kind(np.tile(voice_48k, 3), 48_000, "m4a")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def decoded_s(source, limits=AudioLimits()) -> float:  # noqa: B008
    with open_audio(source, limits) as audio:
        return sum(len(block) for block in audio.blocks) / audio.rate_hz


def decoded_or_refused_s(source) -> float | None:
    try:
        return decoded_s(source)
    except InvalidAudio as refused:
        assert str(refused).startswith("<bytes>: ")  # noqa: PT017
        return None


def child_of(audio) -> int:
    (child,) = child_processes()
    return child


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_refused_or_was_cut_between_two_frames(short_files, kind):
    content = short_files[kind]
    whole_s = decoded_s(content)
    cuts = sorted({*range(1, 5), *np.linspace(5, len(content) - 1, 9).astype(int).tolist(), len(content) - 2})
    for cut in cuts:
        duration_s = decoded_or_refused_s(content[:cut])
        if kind in STREAMED:
            assert duration_s is None or duration_s <= whole_s
        else:
            assert duration_s is None, cut


@pytest.mark.parametrize("kind", ["aac", "amr", "mp4, fragmented", "webm, live"])
def test_a_streamed_file_cut_inside_a_frame_is_cut_off(short_files, kind):
    with pytest.raises(InvalidAudio, match="is cut off or damaged"):
        decoded_s(short_files[kind][:-3])


@pytest.mark.parametrize("kind", FUZZED)
def test_a_damaged_file_is_refused_or_decoded(short_files, kind):
    content = short_files[kind]
    # where the containers say what is where, and anywhere
    places = st.one_of(st.integers(0, 200), st.integers(len(content) - 900, len(content) - 1))
    damage = st.lists(st.tuples(st.one_of(places, st.integers(0, len(content) - 1)), st.binary(min_size=1, max_size=8)))

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damage.filter(bool))
    def check(changes) -> None:
        damaged = bytearray(content)
        for place, replacement in changes:
            damaged[max(0, place) : max(0, place) + len(replacement)] = replacement
        decoded_or_refused_s(bytes(damaged))

    check()


@pytest.mark.parametrize("container", ["WAV", "AIFF", "FLAC", "OGG", "MP3", "CAF", "W64", "AU"])
def test_a_damaged_file_of_the_other_formats_is_refused_or_decoded(voice, encode, container):
    content = encode(voice[:32_000], 16_000, container)
    damage = st.lists(
        st.tuples(st.one_of(st.integers(0, 100), st.integers(0, len(content) - 9)), st.binary(min_size=1, max_size=8))
    )

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damage.filter(bool), st.integers(0, len(content)))
    def check(changes, end) -> None:
        damaged = bytearray(content)
        for place, replacement in changes:
            damaged[place : place + len(replacement)] = replacement
        decoded_or_refused_s(bytes(damaged) if end % 2 else bytes(damaged[:end]))

    check()


@given(st.sampled_from(["m4a", "webm", "aac", "amr"]), st.binary(max_size=2000))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_noise_behind_the_first_bytes_of_a_format(short_files, kind, noise):
    decoded_or_refused_s(short_files[kind][:40] + noise)


def test_a_decoder_that_is_killed_midway(long_file):
    with open_audio(long_file) as audio:
        next(audio.blocks)
        os.kill(child_of(audio), signal.SIGKILL)
        with pytest.raises(InvalidAudio, match=r"^<bytes>: is damaged, or made to do harm: .* \(status -9\)"):
            list(audio.blocks)


def test_a_decoder_that_hangs_is_given_up(long_file, monkeypatch):
    with open_audio(long_file) as audio:
        next(audio.blocks)
        os.kill(child_of(audio), signal.SIGSTOP)
        monkeypatch.setattr(pyav, "_DEADLINE_S", 0.3)
        started = time.monotonic()
        with pytest.raises(InvalidAudio, match=r"takes longer than 0\.3 s"):
            list(audio.blocks)
        assert time.monotonic() - started < 2


def test_a_decoder_that_takes_nothing_is_given_up(long_file, monkeypatch):
    monkeypatch.setattr(pyav, "_DEADLINE_S", 0.0)
    with pytest.raises(InvalidAudio, match="takes longer than 0 s"):
        decoded_s(long_file)


def test_a_decoder_may_use_only_so_much_memory(long_file, monkeypatch):
    monkeypatch.setattr(pyav, "_MEMORY_BYTES", 0)
    with pytest.raises(InvalidAudio, match="is damaged, or made to do harm"):
        decoded_s(long_file)
    monkeypatch.undo()
    assert decoded_s(long_file) == pytest.approx(33, abs=0.05)


def test_a_decoder_may_use_only_so_much_processor_time(monkeypatch):
    monkeypatch.setattr(pyav, "_START_CPU_S", 1)
    monkeypatch.setattr(pyav, "_SLOWEST_SPEED", 1e9)
    with pytest.raises(InvalidAudio, match="takes more processor time than the longest recording would"):
        decoded_s(silent_webm(4 * 3600))


def test_a_recording_that_is_left_midway_leaves_nothing(long_file, tmp_path):
    path = tmp_path / "call.m4a"
    path.write_bytes(long_file)
    for source in (long_file, path):
        with open_audio(source) as audio:
            next(audio.blocks)
            assert child_processes()
        assert not child_processes()
        with pytest.raises(KeyError), open_audio(source) as audio:
            raise KeyError


@pytest.mark.parametrize("error", [OSError(5, "disk"), KeyboardInterrupt()])
def test_a_file_that_fails_while_it_is_sent(long_file, error):
    with pytest.raises((InvalidAudio, KeyboardInterrupt), match=r"can't be read \(\[Errno 5\] disk\)|^$"):
        decoded_s(BrokenFile(long_file, error))


def test_a_caller_that_is_slow_is_not_a_decoder_that_hangs(long_file, monkeypatch):
    with open_audio(long_file) as audio:
        samples = len(next(audio.blocks))
        monkeypatch.setattr(pyav, "_DEADLINE_S", 0.3)
        time.sleep(0.5)
        assert samples + sum(len(block) for block in audio.blocks) == pytest.approx(33 * 48_000, abs=2_400)


def test_a_decoder_ends_with_its_parent(long_file, tmp_path):
    path = tmp_path / "call.m4a"
    path.write_bytes(long_file)
    script = (
        "import os, signal, sys; from voicestress_audio import open_audio; "
        "from tests.preprocess.media import child_processes\n"
        "with open_audio(sys.argv[1]) as audio:\n"
        "    next(audio.blocks); print(*child_processes(), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    command = Path(f"/proc/{int(parent.stdout)}/cmdline")
    given_up = time.monotonic() + 10
    while time.monotonic() < given_up and command.exists() and command.read_bytes():  # nothing where it has ended
        time.sleep(0.02)
    assert not command.exists() or not command.read_bytes()


def test_the_name_of_a_recording_is_not_shown_to_other_users(long_file, tmp_path):
    path = tmp_path / "patient.m4a"
    path.write_bytes(long_file)
    with open_audio(path) as audio:
        assert b"patient" not in Path(f"/proc/{child_of(audio)}/cmdline").read_bytes()


def test_a_small_file_does_not_expand_into_a_large_one():
    hours = silent_webm(4 * 3600)
    assert len(hours) < 5_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidAudio, match=r"^<bytes>: goes on after 60 s; at most 60 s are read\. Cut it, or allow"):
        decoded_s(hours, AudioLimits(longest_s=60))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB; all of it would be 2.8 GB
