"""What phones and browsers send is decoded like a WAV, and refused by name where it can't be."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soxr
from voicestress_audio import InvalidAudio, open_audio, pyav, read_recording

from tests.paths import JFK_WAV
from tests.preprocess.media import KINDS, encode, encode_kind, likeness

LEAST_LIKENESS = {"alac": 0.9999, "pcm_s16le": 0.9999, "aac": 0.98, "libopus": 0.97, "libopencore_amrnb": 0.9}


def decode(source) -> tuple[np.ndarray, int]:
    with open_audio(source) as audio:
        return np.concatenate(list(audio.blocks)), audio.rate_hz


def problem(source) -> str:
    with pytest.raises(InvalidAudio) as caught, open_audio(source) as audio:
        list(audio.blocks)
    return str(caught.value)


@pytest.fixture(scope="module")
def files(voice) -> dict[str, bytes]:
    """The voice in every kind of file."""
    return {kind: encode_kind(voice, 16_000, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_samples_that_went_in(files, voice, kind):
    _, encoder, encoded_hz, _ = KINDS[kind]
    decoded, rate_hz = decode(files[kind])
    assert decoded.dtype == np.float32
    assert rate_hz == encoded_hz
    original = voice if rate_hz == 16_000 else soxr.resample(voice, 16_000, rate_hz)
    assert len(decoded) / rate_hz == pytest.approx(len(voice) / 16_000, abs=0.05)
    alike, later = likeness(decoded, original)
    assert alike > LEAST_LIKENESS[encoder]
    assert abs(later) / rate_hz < 0.05
    assert np.abs(decoded).max() == pytest.approx(np.abs(original).max(), rel=0.2)


def test_wide_band_amr_gives_the_samples_that_went_in(voice):
    decoded, rate_hz = decode(JFK_WAV.with_name("jfk-amr-wb.amr"))
    assert rate_hz == 16_000
    assert len(decoded) == pytest.approx(len(voice), abs=800)
    assert likeness(decoded, voice)[0] > 0.9


@pytest.mark.parametrize("kind", ["m4a", "webm", "mkv"])
def test_what_the_encoder_put_before_the_recording_is_left_out(files, voice_48k, kind):
    decoded, _ = decode(files[kind])
    assert likeness(decoded, voice_48k)[1] == pytest.approx(0, abs=2)


def test_the_windows_are_those_of_the_wav(files, voice):
    limits = {"shortest_window_samples": 8_000, "longest_window_samples": 128_000}
    expected = read_recording((voice, 16_000), **limits)
    for kind in ("m4a", "webm", "3gp"):
        recording = read_recording(files[kind], **limits)
        assert recording.duration_s == pytest.approx(expected.duration_s, abs=0.05)
        assert recording.speech_s == pytest.approx(expected.speech_s, abs=0.5)
        assert len(recording.windows) == len(expected.windows)


@pytest.mark.parametrize("kind", ["m4a, lossless", "mov"])
def test_stereo_is_averaged(voice_48k, kind):
    stereo = np.stack([voice_48k, np.zeros_like(voice_48k)], axis=1)
    decoded, _ = decode(encode_kind(stereo, 48_000, kind))
    assert np.abs(decoded[: len(voice_48k)] - voice_48k / 2).max() < 1e-3


@pytest.mark.parametrize("second_hz", [48_000, 16_000])
def test_a_rate_and_channels_that_change_on_the_way_keep_the_duration(voice, voice_48k, second_hz):
    stereo = np.stack([voice_48k, voice_48k], axis=1)
    second = encode(voice, 16_000, "adts", "aac", second_hz)
    joined, rate_hz = decode(encode(stereo, 48_000, "adts", "aac", 48_000) + second)
    assert rate_hz == 48_000
    assert len(joined) / rate_hz == pytest.approx(22, abs=0.2)  # two streams, that can't say what their encoders added
    for half in (joined[: len(joined) // 2], joined[len(joined) // 2 :]):
        assert likeness(half, voice_48k)[0] > 0.95


@pytest.mark.parametrize("kind", ["m4a", "webm", "amr"])
def test_every_kind_of_source_gives_the_same_samples(files, kind, tmp_path):
    expected, _ = decode(files[kind])
    path = tmp_path / "näme with spaces"
    path.write_bytes(files[kind])
    read_end, write_end = os.pipe()

    def write() -> None:
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(files[kind])

    writer = threading.Thread(target=write)
    writer.start()
    with path.open("rb") as file, os.fdopen(read_end, "rb") as pipe:
        file.seek(100)
        for source in (path, str(path), bytearray(files[kind]), io.BytesIO(files[kind]), file, pipe):
            assert np.array_equal(decode(source)[0], expected)
        assert not file.closed
    writer.join()


def test_many_at_once_don_t_disturb_each_other(files, tmp_path):
    kinds = ["m4a", "webm", "3gp", "mkv"]
    expected = {kind: decode(files[kind])[0] for kind in kinds}
    with ThreadPoolExecutor(8) as pool:
        for kind, (decoded, _) in zip(kinds * 4, pool.map(decode, [files[kind] for kind in kinds * 4]), strict=True):
            assert np.array_equal(decoded, expected[kind])


def test_a_video_without_sound():
    message = problem(encode(None, 0, "mp4", "", 0, video=True))
    assert message == "<bytes>: this MP4 has no sound in it. Record it with a microphone."


def test_an_encrypted_recording(voice):
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "0" * 31 + "1", "encryption_kid": "0" * 31 + "2"}
    assert problem(encode_kind(voice, 16_000, "m4a", **key)) == (
        "<bytes>: its sound is encrypted. Export or record it without protection."
    )


def test_a_codec_that_is_not_read(voice):
    message = problem(encode(voice, 16_000, "mov", "adpcm_ima_qt", 16_000))
    assert message.startswith("<bytes>: its sound is in a codec that isn't read (adpcm_ima_qt); AAC, ALAC, AMR, ")
    assert "Convert it to WAV or FLAC" in message


def test_more_than_two_channels_and_odd_rates_are_refused_as_in_a_wav(voice):
    message = problem(encode(voice, 16_000, "mov", "pcm_s16le", 4_000))
    assert message == "<bytes>: the sample rate is 4000 Hz; 8000 to 192000 Hz can be read."


@pytest.mark.parametrize("kind", ["m4a", "webm", "mkv"])
def test_an_encoded_recording_of_nothing(kind):
    assert "<bytes>: " in problem(encode_kind(np.zeros(0, np.float32), 16_000, kind))


def test_without_pyav_the_error_says_what_to_install(files, monkeypatch, tmp_path):
    expected = (
        "<bytes>: reading M4A (AAC) needs PyAV: `pip install 'voicestress[codecs]'`. "
        "Or convert it to WAV or FLAC, e.g. `ffmpeg -i INPUT -ar 16000 OUTPUT.wav`."
    )
    monkeypatch.setattr(pyav, "_pyav_folder", lambda: None)
    assert problem(files["m4a"]) == expected
    monkeypatch.setattr(pyav, "_pyav_folder", lambda: str(tmp_path))  # one that can't be imported
    assert problem(files["m4a"]) == expected


def test_joined_files_are_not_taken_for_the_first(files):
    assert "holds several M4A (AAC) files one after the other" in problem(files["m4a"] * 2)
    assert "holds several WebM files one after the other" in problem(files["webm"] * 2)
