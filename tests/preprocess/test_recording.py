import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soxr
import voicestress_audio
from voicestress_audio import read_recording

VOICE = Path(__file__).parents[1] / "data" / "jfk.wav"
LIMITS = {"shortest_window_samples": 8_000, "longest_window_samples": 128_000}


def test_a_real_recording_gives_its_phrases():
    recording = read_recording(VOICE, **LIMITS)
    assert recording.name == str(VOICE)
    assert recording.duration_s == 11.0
    assert recording.speech_s == pytest.approx(7.9, abs=0.2)
    assert recording.speech_s == pytest.approx(sum(window.speech_s for window in recording.windows))
    assert [round(window.start_s) for window in recording.windows] == [0, 3, 5, 8]


def test_windows_hold_the_recording_as_it_is(voice):
    stored = (voice * 32768).astype(np.int16)
    for window in read_recording(VOICE, **LIMITS).windows:
        assert window.pcm.dtype == np.int16
        assert not window.pcm.flags.writeable
        assert np.array_equal(window.pcm, stored[window.start_sample : window.end_sample])


@pytest.mark.parametrize(
    ("rate_hz", "container", "subtype"),
    [
        (8_000, "WAV", "PCM_16"),
        (44_100, "FLAC", None),
        (48_000, "OGG", "OPUS"),
        (44_100, "MP3", None),
        (96_000, "WAV", "FLOAT"),
    ],
)
def test_rate_and_format_hardly_change_where_the_speech_is(voice, encode, rate_hz, container, subtype):
    expected = read_recording(VOICE, **LIMITS)
    other = np.clip(soxr.resample(voice, 16_000, rate_hz), -1, 1)
    found = read_recording(encode(other, rate_hz, container, subtype), **LIMITS)
    assert found.duration_s == pytest.approx(11.0, abs=0.01)
    assert [w.start_s for w in found.windows] == pytest.approx([w.start_s for w in expected.windows], abs=0.2)
    assert [w.end_s for w in found.windows] == pytest.approx([w.end_s for w in expected.windows], abs=0.2)


def test_without_detection_everything_is_speech():
    recording = read_recording(VOICE, **LIMITS, speech_detection=False)
    assert recording.speech_s == recording.duration_s == 11.0
    assert recording.windows[0].start_s == 0
    assert recording.windows[-1].end_s == 11.0


def test_without_detection_stretches_of_digital_silence_are_still_left_out(voice):
    muted = np.concatenate([voice, np.zeros(16_000 * 40, np.float32), voice])
    recording = read_recording((muted, 16_000), **LIMITS, speech_detection=False)
    assert recording.duration_s == 62.0
    assert 22.0 <= recording.speech_s < 40.0
    assert all(window.pcm.any() for window in recording.windows)


def test_a_file_object_is_read_from_its_start_and_left_open(wav_bytes):
    file = io.BytesIO(wav_bytes)
    file.seek(0, os.SEEK_END)
    assert read_recording(file, **LIMITS).duration_s == 11.0
    assert not file.closed


def test_nothing_is_written_printed_or_logged(tmp_path, monkeypatch, capfd, caplog, wav_bytes):
    monkeypatch.chdir(tmp_path)
    read_recording(wav_bytes, **LIMITS)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert list(tmp_path.iterdir()) == []


def test_public_names_exist():
    assert sorted(voicestress_audio.__all__, key=str) == sorted(set(voicestress_audio.__all__))
    assert all(hasattr(voicestress_audio, name) for name in voicestress_audio.__all__)


HOUR = """
import io, resource, sys
import numpy as np
from voicestress_audio import read_recording

class Hour(io.RawIOBase):
    '''A WAV file of one hour at 48 kHz, 345.6 MB, whose samples are made when they are read.'''
    size = 44 + 3600 * 96_000
    noise = np.random.default_rng(0).integers(-9000, 9000, 2**19).astype(np.int16).tobytes()

    def __init__(self):
        head = io.BytesIO()
        import soundfile
        soundfile.write(head, np.zeros(0, np.int16), 48_000, format="WAV", subtype="PCM_16")
        head = bytearray(head.getvalue())
        head[4:8] = (self.size - 8).to_bytes(4, "little")
        head[40:44] = (self.size - 44).to_bytes(4, "little")
        self.head, self.at = bytes(head), 0

    def seekable(self): return True
    def tell(self): return self.at
    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at
    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.size - self.at, 65536))
        if self.at < 44:
            part = self.head[self.at:self.at + count]
        else:
            start = self.at % (2**19)
            part = self.noise[start:start + count]
        view[:len(part)] = part
        self.at += len(part)
        return len(part)

def peak_mb(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

limits = dict(shortest_window_samples=8_000, longest_window_samples=128_000, speech_detection=False)
read_recording((np.random.default_rng(0).uniform(-1, 1, 480_000), 48_000), **limits)
before = peak_mb()
recording = read_recording(Hour(), **limits)
assert recording.duration_s == 3600, recording.duration_s
print(peak_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux")
def test_an_hour_takes_its_16_khz_samples_and_little_more():
    run = subprocess.run([sys.executable, "-c", HOUR], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    pcm_mb = 3600 * 16_000 * 2 / 2**20
    assert float(run.stdout) < pcm_mb + 20
