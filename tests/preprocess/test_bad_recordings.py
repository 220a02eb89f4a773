"""Every recording that can't be used is an InvalidAudio that names it, the value and the way out."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from voicestress_audio import InvalidAudio, NoSpeech, read_recording

LIMITS = {"shortest_window_samples": 8_000, "longest_window_samples": 128_000}


def problem(source, **options) -> str:
    with pytest.raises(InvalidAudio) as caught:
        read_recording(source, **LIMITS, **options)
    assert type(caught.value) is InvalidAudio
    return str(caught.value)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A function that writes bytes to call.wav in the current folder, and returns that name."""
    monkeypatch.chdir(tmp_path)

    def save(content: bytes) -> str:
        Path("call.wav").write_bytes(content)
        return "call.wav"

    return save


def test_missing_file():
    assert problem("nowhere/call.wav") == "nowhere/call.wav: there is no such file. Check the path."


def test_path_with_a_null_character():
    assert "can't be opened" in problem("call\0.wav")


def test_directory(tmp_path):
    assert "is a directory" in problem(tmp_path)


def test_an_empty_path():
    assert problem("") == "'': is an empty path. Give that of a recording."


@pytest.fixture
def unreadable(saved, wav_bytes) -> None:
    Path(saved(wav_bytes)).chmod(0)


@pytest.fixture
def without_root():
    """Root reads every file, so a test about permissions runs as nobody."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(user)


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_unreadable_file(unreadable, without_root):
    assert problem("call.wav") == "call.wav: this user may not read the file. Change its permissions."


def test_empty_file(saved):
    assert problem(saved(b"")) == "call.wav: is empty (0 bytes). Copy or record it again."


@pytest.mark.parametrize("content", [b"Dear Sir,\nhello\n" * 99, bytes(5000), b"\x89PNG\r\n" * 99, b"x"])
def test_something_else_renamed_wav(saved, content):
    message = problem(saved(content))
    assert message.startswith("call.wav: is not audio, or in an unknown format")
    assert "WAV, RF64, W64, AIFF, AU, CAF, FLAC, Ogg (Vorbis or Opus) and MP3 can be read" in message


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (bytes.fromhex("3026b2758e66cf11"), "WMA"),
        (b"FLV\x01", "FLV"),
        (b"wvpk", "WavPack"),
        (b"OggS\0\2" + bytes(22) + b"Speex   ", "Speex"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
    ],
)
def test_formats_that_need_converting_are_named(saved, head, name):
    message = problem(saved(head + bytes(2000)))
    assert message.startswith(f"call.wav: {name} can't be read. Convert it to WAV or FLAC, e.g. `ffmpeg ")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"\0\0\0\x10ftypM4A \0\0\0\0", "it ends without the index (moov) that recorders write last"),
        (b"\0\0\0\x10ftypisom\0\0\0\0", "it ends without the index (moov) that recorders write last"),
        (b"\0\0\0\x10ftyp3gp4\0\0\0\0", "it ends without the index (moov) that recorders write last"),
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc", "it starts like AAC, and can't be decoded from there"),
        (b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm", "it starts like WebM, and can't be decoded from there"),
        (b"\x1a\x45\xdf\xa3\x80matroska", "it starts like Matroska, and can't be decoded from there"),
        (b"#!AMR\n\xff", "it starts like AMR, and can't be decoded from there"),
    ],
)
def test_what_only_starts_like_a_format_of_phones_is_damaged(saved, head, reason):
    assert problem(saved(head + bytes(2000))) == f"call.wav: is cut off or damaged: {reason}. Copy or record it again."


def test_a_finished_wav_without_samples(encode):
    empty = encode(np.zeros(0, np.int16), 16_000, "WAV")
    assert problem(empty) == "<bytes>: there are no samples. Record it again."
    with_tags = bytearray(empty + b"LIST\x04\0\0\0INFO")  # not to be taken for samples
    with_tags[4:8] = struct.pack("<I", len(with_tags) - 8)
    assert problem(bytes(with_tags)) == "<bytes>: there are no samples. Record it again."


@pytest.mark.parametrize("rate_hz", [0, 1, 4000, 7999, 192_001, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_sample_rates_no_voice_is_recorded_at(saved, wav_bytes, rate_hz):
    odd = bytearray(wav_bytes)
    odd[24:28] = struct.pack("<I", rate_hz)
    message = problem(saved(bytes(odd)))
    assert (f"{rate_hz} Hz" in message) or (rate_hz == 0xFFFF_FFFF and "beyond 2147483647 Hz" in message)
    assert "8000 to 192000 Hz can be read" in message


@pytest.mark.parametrize("rate_hz", [0, -16_000, 7999, 192_001, 10**30, 16_000.5, float("nan"), float("inf"), "16000"])
def test_rates_of_arrays_are_checked(rate_hz):
    message = problem((np.zeros(16_000, np.int16), rate_hz))
    assert message.startswith("<samples>: the sample rate is ")
    assert "Hz" in message


def test_a_wav_with_two_data_chunks_is_not_said_to_have_a_wrong_rate(wav_bytes):
    message = problem(wav_bytes + wav_bytes[36:])
    assert "its header is incomplete or contradicts itself" in message
    assert "more than one place for the samples" in message


@pytest.mark.parametrize(("value", "what"), [(np.nan, "not a number"), (np.inf, "infinite"), (-np.inf, "infinite")])
@pytest.mark.parametrize("channel", [None, 1])
def test_samples_that_are_not_finite(voice, encode, value, what, channel):
    bad = np.stack([voice, voice], axis=1) if channel is not None else voice.copy()
    bad[80_000 if channel is None else (80_000, channel)] = value
    expected = f"the sample at 5.000 s is {what}"
    assert expected in problem((bad, 16_000))
    assert expected in problem((bad.astype(np.float64), 16_000))
    assert expected in problem(encode(bad, 16_000, "WAV", "FLOAT"))


def test_integers_that_became_floats_unscaled(voice, encode):
    loud = voice / np.abs(voice).max() * 30_000
    for source in ((loud, 16_000), (loud.astype(np.float64) * 1e300, 16_000), encode(loud, 16_000, "WAV", "FLOAT")):
        assert "Divide 16-bit values by 32768" in problem(source)


@pytest.mark.parametrize("channels", [3, 6])
def test_more_than_two_channels(voice, encode, channels):
    many = np.stack([voice] * channels, axis=1)
    assert f"has {channels} channels" in problem(encode(many, 16_000, "WAV"))
    assert f"has {channels} channels" in problem((many, 16_000))


def test_channels_before_samples(voice):
    assert "(shape (2, 176000), read as [samples, channels])" in problem((np.stack([voice, voice]), 16_000))


@pytest.mark.parametrize("channels", [0, 2000])
def test_channel_counts_no_recording_has(wav_bytes, channels):
    odd = bytearray(wav_bytes)
    odd[22:24] = struct.pack("<H", channels)
    assert "channels; mono and stereo can be read" in problem(bytes(odd))


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((0, 2), np.int16)])
def test_an_array_without_samples(samples):
    assert problem((samples, 16_000)) == "<samples>: the array has no samples. Check what was recorded, or cut from it."


@pytest.mark.parametrize("samples", [np.zeros(9, np.uint8), np.zeros(9, bool), np.zeros(9, complex), np.array(["a"])])
def test_arrays_of_other_types(samples):
    assert f"samples are {samples.dtype}" in problem((samples, 16_000))


@pytest.mark.parametrize("shape", [(), (1, 2, 3)])
def test_arrays_of_other_shapes(shape):
    assert "Give [samples] or [samples, channels]" in problem((np.zeros(shape), 16_000))


def test_a_masked_array_is_not_scored_with_what_is_under_its_mask(voice):
    masked = np.ma.array(voice, mask=np.arange(len(voice)) == 80_000)
    assert problem((masked, 16_000)).startswith("<samples>: some samples are masked. Fill them")


class BrokenFile(io.BytesIO):
    """A file whose disk, or network, fails after 100 kB."""

    def __init__(self, content: bytes, error: BaseException) -> None:
        super().__init__(content)
        self.error = error

    def readinto(self, buffer) -> int:
        if self.tell() > 100_000:
            raise self.error
        return super().readinto(buffer)


def test_a_file_that_fails_while_it_is_read(wav_bytes, capfd):
    assert "can't be read ([Errno 5] disk)" in problem(BrokenFile(wav_bytes, OSError(5, "disk")))
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_while_a_file_is_read_is_not_lost(wav_bytes):
    with pytest.raises(KeyboardInterrupt):
        read_recording(BrokenFile(wav_bytes, KeyboardInterrupt()), **LIMITS)


def test_a_closed_file(wav_bytes):
    file = io.BytesIO(wav_bytes)
    file.close()
    assert "closed" in problem(file)


@pytest.mark.parametrize("speech_detection", [True, False])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("level", [0.0, 0.1, -1.0])
def test_digital_silence_is_not_speech(level, rate_hz, speech_detection):
    with pytest.raises(NoSpeech, match=r"<samples>: .* s of speech"):
        read_recording((np.full(rate_hz * 3, level), rate_hz), **LIMITS, speech_detection=speech_detection)


@pytest.mark.parametrize("level", [0.001, 0.03, 0.3, 1])
def test_white_noise_is_not_speech(level):
    noise = np.clip(np.random.default_rng(0).standard_normal(80_000) * level, -1, 1)
    with pytest.raises(NoSpeech, match=r"0\.0 s of speech, 0\.5 s needed"):
        read_recording((noise, 16_000), **LIMITS)


@pytest.mark.parametrize("hz", [50, 220, 1000, 3000])
def test_a_tone_is_not_speech(hz):
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(80_000) / 16_000)
    with pytest.raises(NoSpeech):
        read_recording((tone, 16_000), **LIMITS)


def test_50_ms_of_speech_are_too_little(saved, voice, encode):
    short = np.concatenate([np.zeros(16_000), voice[16_000:16_800], np.zeros(16_000)])
    for samples in (short, voice[16_000:16_800]):
        with pytest.raises(NoSpeech, match=r"^call.wav: 0\.0 s of speech, 0\.5 s needed$"):
            read_recording(saved(encode(samples, 16_000, "WAV")), **LIMITS)
    with pytest.raises(NoSpeech, match=r"0\.0 s of speech, 0\.5 s needed"):
        read_recording((voice[16_000:16_800], 16_000), **LIMITS, speech_detection=False)
