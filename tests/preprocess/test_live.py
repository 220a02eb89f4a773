"""Live PCM at the rates that sound cards and telephones have, in messages of any size, is the recording it would be."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from voicestress_audio import InvalidAudio, LiveRecording, read_recording

BOUNDS = {"shortest_window_samples": 8_000, "longest_window_samples": 48_000}


def described(windows):
    return [(w.start_sample, w.end_sample, w.speech_samples, w.pcm.tobytes()) for w in windows]


def heard(pieces, rate_hz: int, **options):
    with LiveRecording(rate_hz, **options, **BOUNDS) as live:
        return [window for piece in pieces for window in live.push(piece)] + live.finish(), live.duration_s


@pytest.mark.parametrize("rate_hz", [8_000, 8_001, 11_025, 12_345, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_gives_the_windows_of_the_whole(voice, rate_hz):
    pcm = np.rint(soxr.resample(voice, 16_000, rate_hz) * 32_000).astype("<i2")
    expected = read_recording((pcm, rate_hz), **BOUNDS)
    sound = pcm.tobytes()
    step = rate_hz // 7 + 1  # bytes: about 70 ms, half of the messages ending inside a sample
    windows, duration_s = heard((sound[at : at + step] for at in range(0, len(sound), step)), rate_hz)
    assert described(windows) == described(expected.windows)
    assert duration_s == expected.duration_s


def test_interleaved_bytes_are_what_arrays_are(voice):
    pcm = np.rint(voice * 32_000).astype("<i2")
    stereo = np.stack([pcm, pcm // 2], axis=1)
    as_array, _ = heard(np.array_split(stereo, 97), 16_000)
    as_bytes, _ = heard([stereo.tobytes()[:100_001], stereo.tobytes()[100_001:]], 16_000, channels=2)
    assert described(as_bytes) == described(as_array)


def test_nothing_in_a_message_is_nothing(voice):
    pieces = [b"", np.empty(0, np.int16), np.rint(voice * 32_000).astype("<i2").tobytes(), b"", memoryview(b"")]
    windows, duration_s = heard(pieces, 16_000)
    assert windows
    assert duration_s == len(voice) / 16_000


@pytest.mark.parametrize("broken", [np.full(100, np.inf), np.full(100, np.nan), np.full(100, 1e9)])
def test_broken_samples_are_refused_and_nothing_of_them_is_kept(voice, broken):
    with LiveRecording(16_000, **BOUNDS) as live:
        live.push(voice[:8_000])
        heard_s = live.duration_s
        with pytest.raises(InvalidAudio, match="<stream>"):
            live.push(broken)
        assert live.duration_s == heard_s


@pytest.mark.parametrize(("rate_hz", "channels"), [(7_999, 1), (192_001, 1), (16_000, 3)])
def test_what_no_voice_is_recorded_with_is_refused_before_anything_is_heard(rate_hz, channels):
    with pytest.raises(InvalidAudio):
        LiveRecording(rate_hz, channels=channels, **BOUNDS)
