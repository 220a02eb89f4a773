"""What a browser's MediaRecorder makes is decoded as it comes in, wherever it is cut and whatever is wrong with it."""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import contextmanager, suppress

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voicestress_audio import InvalidAudio
from voicestress_audio import pyav as pyav_parent
from voicestress_audio.pyav import live_command, refusal
from voicestress_audio.pyav_child import AUDIO, END, HEADER, LIVE_RATE_HZ, REFUSAL

from tests.preprocess.media import encode, encode_kind, likeness, silent_webm


@contextmanager
def decoder(longest_s: float = 3_600.0):
    command = live_command("WebM", longest_s=longest_s, name="recording")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield child
        finally:
            child.kill()
            with suppress(BrokenPipeError):
                child.stdin.close()


def feed(child, pieces: Iterable[bytes], *, end: bool = True) -> threading.Thread:
    """Send all pieces, each by itself, while others read."""

    def send() -> None:
        with suppress(BrokenPipeError, ValueError):  # it has ended
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(child.stdin.fileno(), rest) :]
            if end:
                child.stdin.close()

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def next_message(child) -> tuple[bytes, int, bytes]:
    """Its kind, its channels and its payload; no kind where the child has ended."""
    kind, rate_hz, channels, size = HEADER.unpack(child.stdout.read(HEADER.size).ljust(HEADER.size, b"\0"))
    assert kind != AUDIO or rate_hz == LIVE_RATE_HZ
    return kind.strip(b"\0"), channels, child.stdout.read(size)


def decoded(pieces: Iterable[bytes]) -> tuple[np.ndarray, bytes, str]:
    """All samples ``[n, channels]``, and the kind and words of the last message."""
    chunks = [np.empty((0, 1), np.float32)]
    with decoder() as child:
        feeding = feed(child, pieces)
        while (message := next_message(child))[0] == AUDIO:
            chunks.append(np.frombuffer(message[2], np.float32).reshape(-1, message[1]))
        child.kill()
        feeding.join()
    return np.concatenate(chunks[1:] or chunks), message[0], message[2].decode()


@pytest.fixture(scope="module")
def webm(speech) -> bytes:
    return encode_kind(speech / 32768, 16_000, "webm, live")


@pytest.fixture(scope="module")
def whole(webm) -> np.ndarray:
    samples, kind, _ = decoded([webm])
    assert kind == END
    return samples


def test_the_voice_is_the_one_that_was_recorded(whole, voice_48k):
    assert whole.shape[1] == 1
    assert len(whole) / LIVE_RATE_HZ == pytest.approx(len(voice_48k) / 48_000, abs=0.05)
    alike, late_samples = likeness(whole[:, 0], voice_48k)
    assert alike > 0.98
    assert abs(late_samples) < 0.03 * LIVE_RATE_HZ


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 60_000), min_size=1, max_size=40))
def test_it_may_be_cut_anywhere(webm, whole, cuts):
    edges = [0, *sorted({cut for cut in cuts if cut < len(webm)}), len(webm)]
    pieces = [webm[low:high] for low, high in itertools.pairwise(edges)]
    samples, kind, _ = decoded(pieces)
    assert kind == END
    assert np.array_equal(samples, whole)


def test_it_may_come_byte_by_byte(webm, whole):
    part = webm[:3_000]
    samples, _, _ = decoded(part[at : at + 1] for at in range(len(part)))
    assert len(samples)
    assert np.array_equal(samples, whole[: len(samples)])


def test_samples_come_while_it_goes_on(webm):
    with decoder() as child:
        feed(child, [webm[: len(webm) // 2]], end=False).join()
        heard = 0
        while heard < 4 * LIVE_RATE_HZ:  # of about 5.5 s; that more would come, nobody has said
            kind, _, payload = next_message(child)
            assert kind == AUDIO
            heard += len(payload) // 4


def test_two_channels_stay_two(speech):
    stereo = np.stack([speech, np.zeros_like(speech)], axis=1) / 32768
    samples, kind, _ = decoded([encode_kind(stereo, 16_000, "webm, live")])
    assert (kind, samples.shape[1]) == (END, 2)
    assert np.abs(samples[:, 0]).max() > 0.3
    assert np.abs(samples[:, 1]).max() < 0.1


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3" + bytes(50_000),
        bytes(range(256)) * 200,
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
    ],
    ids=["nothing", "four bytes", "zeros", "no webm", "a wav"],
)
def test_what_is_no_webm_is_refused_in_words(broken):
    samples, kind, words = decoded([broken])
    assert (len(samples), kind) == (0, REFUSAL)
    error = refusal(words, "WebM", "recording")
    assert isinstance(error, InvalidAudio)
    assert str(error).startswith("recording: ")


def test_a_film_without_sound_is_refused():
    _, kind, words = decoded([encode(None, 16_000, "matroska", "libopus", 48_000, video=True)])
    assert kind == REFUSAL
    assert refusal(words, "WebM", "recording") is not None


@pytest.mark.parametrize("seed", range(6))
def test_damage_ends_it_in_words_or_is_got_over(webm, seed):
    """Never without a word: who reads must be able to tell."""
    generator = np.random.default_rng(seed)
    damaged = np.frombuffer(webm, np.uint8).copy()
    places = generator.integers(300, len(damaged), 200)
    damaged[places] = generator.integers(0, 256, len(places))
    _, kind, words = decoded([damaged.tobytes()])
    assert kind == END or refusal(words, "WebM", "recording") is not None


def test_who_stops_half_way_keeps_what_was_heard(webm, whole):
    samples, kind, _ = decoded([webm[: len(webm) // 2 + 7]])
    assert kind in (END, REFUSAL)
    assert len(samples) > 4 * LIVE_RATE_HZ
    assert np.array_equal(samples, whole[: len(samples)])


def test_hours_of_silence_take_no_memory_and_wait_for_who_does_not_read():
    with decoder(longest_s=7_200) as child:
        process = psutil.Process(child.pid)
        feeding = feed(child, [silent_webm(1_800)])
        time.sleep(1.0)
        used_s = sum(process.cpu_times()[:2])
        time.sleep(0.5)
        assert sum(process.cpu_times()[:2]) - used_s < 0.1  # nobody took what it has, and it does no more
        for _ in range(2_000):
            kind, _, _ = next_message(child)
            assert kind == AUDIO
        assert process.memory_info().rss < 150 * 2**20
        assert process.rlimit(psutil.RLIMIT_FSIZE)[0] == 0
        assert process.rlimit(psutil.RLIMIT_CPU)[0] == 60 + 7_200 // 20
        child.kill()
        feeding.join()


def test_without_pyav_it_says_so(monkeypatch):
    monkeypatch.setattr(pyav_parent, "_pyav_folder", lambda: None)
    with pytest.raises(InvalidAudio, match=r"voicestress\[codecs\]") as caught:
        live_command("WebM", longest_s=60, name="recording")
    assert caught.value.is_unreadable_format
