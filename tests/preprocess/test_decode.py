import io
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from voicestress_audio import open_audio

VOICE = Path(__file__).parents[1] / "data" / "jfk.wav"


def samples_of(source) -> np.ndarray:
    with open_audio(source) as audio:
        return np.concatenate(list(audio.blocks))


@pytest.mark.parametrize(
    ("container", "subtype", "least_correlation"),
    [
        ("WAV", "PCM_16", 0.999999),
        ("WAV", "PCM_24", 0.999999),
        ("WAV", "FLOAT", 0.999999),
        ("WAV", "ULAW", 0.999),
        ("RF64", "PCM_16", 0.999999),
        ("AIFF", "PCM_16", 0.999999),
        ("FLAC", "PCM_16", 0.999999),
        ("FLAC", "PCM_24", 0.999999),
        ("OGG", "VORBIS", 0.99),
        ("OGG", "OPUS", 0.99),
        ("MP3", None, 0.99),
    ],
)
def test_every_format_gives_the_samples_that_went_in(voice_48k, encode, container, subtype, least_correlation):
    decoded = samples_of(encode(voice_48k, 48_000, container, subtype))
    assert decoded.dtype == np.float32
    assert len(decoded) == len(voice_48k)
    assert np.corrcoef(decoded, voice_48k)[0, 1] > least_correlation
    assert np.abs(decoded).max() == pytest.approx(np.abs(voice_48k).max(), rel=0.1)


@pytest.mark.parametrize(("container", "subtype"), [("MP3", None), ("FLAC", None), ("OGG", "OPUS"), ("WAV", "PCM_16")])
def test_block_size_does_not_change_the_samples(voice_48k, encode, container, subtype, monkeypatch):
    encoded = encode(voice_48k, 48_000, container, subtype)
    in_large_blocks = samples_of(encoded)
    monkeypatch.setattr("voicestress_audio.decode._BLOCK_S", 1)
    assert np.array_equal(samples_of(encoded), in_large_blocks)


def test_16_bit_files_decode_without_loss(wav_bytes):
    stored = np.frombuffer(wav_bytes[44:], dtype="<i2")
    assert np.array_equal(samples_of(wav_bytes) * 32768, stored)


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_stereo_is_averaged(voice_48k, encode, container, subtype):
    stereo = np.stack([voice_48k, np.zeros_like(voice_48k)], axis=1)
    assert np.abs(samples_of(encode(stereo, 48_000, container, subtype)) - voice_48k / 2).max() < 1e-4


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64", ">i2", ">f4"])
def test_arrays_of_every_type_have_the_same_scale(dtype):
    half = {"i": {2: 2**14, 4: 2**30}, "f": {4: 0.5, 8: 0.5}}[np.dtype(dtype).kind][np.dtype(dtype).itemsize]
    mono = np.full(1000, half, dtype=dtype)
    assert np.array_equal(samples_of((mono, 16_000)), np.full(1000, 0.5, np.float32))
    assert np.array_equal(samples_of((mono[:, None], 16_000)), np.full(1000, 0.5, np.float32))
    assert np.array_equal(samples_of((np.stack([mono, mono], axis=1), 16_000)), np.full(1000, 0.5, np.float32))


def test_read_only_and_strided_arrays_decode(voice):
    voice = voice.copy()
    voice.flags.writeable = False
    assert np.array_equal(samples_of((voice[::2], 8_000)), voice[::2])


def test_names_say_where_the_recording_came_from(wav_bytes):
    sources = {str(VOICE): VOICE, "<bytes>": wav_bytes, "<stream>": io.BytesIO(wav_bytes)}
    for name, source in sources.items():
        with open_audio(source) as audio:
            assert audio.name == name
    with open_audio((np.zeros(10, np.int16), 16_000)) as audio:
        assert audio.name == "<samples>"


def test_every_kind_of_source_gives_the_same_samples(wav_bytes, tmp_path):
    path = tmp_path / "näme with spaces.wav"
    path.write_bytes(wav_bytes)
    expected = samples_of(wav_bytes)
    with path.open("rb") as file, path.open("rb", buffering=0) as raw, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(wav_bytes)
        for source in (path, str(path), bytearray(wav_bytes), memoryview(wav_bytes), file, raw, spooled):
            assert np.array_equal(samples_of(source), expected)
            assert not getattr(source, "closed", False)


def test_a_pipe_decodes(wav_bytes):
    read_end, write_end = os.pipe()

    def write() -> None:
        with os.fdopen(write_end, "wb") as file:
            file.write(wav_bytes)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(read_end, "rb") as file:
        decoded = samples_of(file)
    writer.join()
    assert np.array_equal(decoded, samples_of(wav_bytes))


@pytest.mark.parametrize(
    ("riff_bytes", "data_bytes"),
    [
        (0xFFFF_FFFF, 0xFFFF_FFFF),  # ffmpeg
        (0x7FFF_F024, 0x7FFF_F000),  # SoX
        (0x8000_0024, 0x8000_0000),  # arecord
        (0x7FFF_FFFF, 0x7FFF_FFDB),
        (0, 0),
        (36, 0),  # a recorder that was stopped before it could go back to its header
        (0xFFFF_FFFF, 0),
        (0, 0xFFFF_FFFF),
    ],
)
def test_a_streamed_wav_is_read_to_its_end(wav_bytes, riff_bytes, data_bytes):
    streamed = bytearray(wav_bytes)
    streamed[4:8] = riff_bytes.to_bytes(4, "little")
    streamed[40:44] = data_bytes.to_bytes(4, "little")
    assert np.array_equal(samples_of(bytes(streamed)), samples_of(wav_bytes))


def test_a_flac_of_unknown_length_is_read_to_its_end(voice_48k, encode):
    flac = bytearray(encode(voice_48k, 48_000, "FLAC"))
    flac[21] &= 0xF0  # STREAMINFO: 36 bits of total samples, 0 where the encoder did not know
    flac[22:26] = bytes(4)
    assert len(samples_of(bytes(flac))) == len(voice_48k)


def test_an_mp3_without_a_frame_count_decodes(voice_48k, encode):
    quiet_then_loud = np.concatenate([np.zeros(480_000, np.float32), voice_48k])
    mp3 = encode(quiet_then_loud, 48_000, "MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    second_frame = mp3.index(mp3[:2], 100)
    assert b"Xing" in mp3[:second_frame]
    assert len(samples_of(mp3[second_frame:])) >= len(quiet_then_loud)
