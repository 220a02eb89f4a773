"""A recording whose end is missing, or that holds several, is never scored as a shorter one."""

import numpy as np
import pytest
from voicestress_audio import InvalidAudio, open_audio


def problem(source) -> str:
    with pytest.raises(InvalidAudio) as caught, open_audio(source) as audio:
        list(audio.blocks)
    return str(caught.value)


def decoded_samples(source) -> int:
    with open_audio(source) as audio:
        return sum(len(block) for block in audio.blocks)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAV", "IMA_ADPCM"),
        ("WAVEX", "PCM_16"),
        ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("W64", "PCM_16"),
        ("CAF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
    ],
)
@pytest.mark.parametrize("kept", [0.02, 0.6, 0.97])
def test_a_truncated_file_is_not_taken_for_a_shorter_one(voice_48k, encode, container, subtype, kept):
    content = encode(voice_48k, 48_000, container, subtype)
    message = problem(content[: int(len(content) * kept)])
    assert message.startswith("<bytes>: ")
    assert "cut off" in message


def test_a_truncated_wav_says_how_much_is_missing(wav_bytes):
    assert problem(wav_bytes[:-100]) == (
        "<bytes>: is cut off or damaged: its header promises 1056000 bytes of samples, there are 1055900. "
        "Copy or record it again."
    )


@pytest.mark.parametrize("size", [44, 40, 20, 8, 4])
def test_a_wav_of_only_a_header(wav_bytes, size):
    assert problem(wav_bytes[:size]).startswith("<bytes>: ")


def test_a_flac_with_a_hole_in_it(voice_48k, encode):
    flac = bytearray(encode(voice_48k, 48_000, "FLAC"))
    hole = len(flac) * 3 // 4
    flac[hole : hole + 200] = np.random.default_rng(0).bytes(200)
    assert "is cut off or damaged: decoding fails somewhere after 5.0 s" in problem(bytes(flac))


def ogg_pages(ogg: bytes) -> list[int]:
    """Where the pages of an Ogg file start."""
    starts, position = [], 0
    while position < len(ogg):
        assert ogg[position : position + 4] == b"OggS"
        starts.append(position)
        segments = ogg[position + 26]
        position += 27 + segments + sum(ogg[position + 27 : position + 27 + segments])
    return starts


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_cut_between_two_pages_is_not_taken_for_a_shorter_one(voice_48k, encode, subtype):
    ogg = encode(voice_48k, 48_000, "OGG", subtype)
    for page in ogg_pages(ogg)[-3:]:
        assert "end without the mark that ends an Ogg stream" in problem(ogg[:page])
    assert decoded_samples(ogg) == len(voice_48k)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_what_follows_the_last_ogg_page_is_ignored(voice_48k, encode, subtype):
    assert decoded_samples(encode(voice_48k, 48_000, "OGG", subtype) + b"TAG" + bytes(125)) == len(voice_48k)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("finished", [True, False])
def test_chained_ogg_streams_are_not_taken_for_the_first(voice_48k, encode, subtype, finished):
    first = encode(voice_48k, 48_000, "OGG", subtype)
    if not finished:  # a recorder that was killed, and went on in the same file
        first = first[: ogg_pages(first)[-1]]
    message = problem(first + encode(voice_48k, 48_000, "OGG", subtype))
    assert message.startswith("<bytes>: holds several Ogg streams one after the other")
    assert "ffmpeg" in message


@pytest.fixture(scope="module", params=[8_000, 16_000, 44_100])
def mp3_without_count(request, voice, encode) -> bytes:
    mp3 = encode(voice[:64_000], request.param, "MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return mp3[mp3.index(mp3[:2], 100) :]


@pytest.mark.parametrize("missing", [1, 40, 100])
def test_an_mp3_without_a_frame_count_cut_inside_a_frame_is_cut_off(mp3_without_count, missing):
    assert "end inside an MP3 frame" in problem(mp3_without_count[:-missing])
    assert "end inside an MP3 frame" in problem(mp3_without_count + mp3_without_count[:3])


@pytest.mark.parametrize("tail", [b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(800), bytes(300)])
def test_a_whole_mp3_without_a_frame_count_decodes_whatever_follows_its_frames(mp3_without_count, tail):
    assert decoded_samples(mp3_without_count + tail) >= 64_000


ID3V2 = b"ID3\3\0\0\0\0\1\0" + bytes(128)


@pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125), ID3V2, b"TAG" + bytes(125) + ID3V2])
@pytest.mark.parametrize("before", [b"", ID3V2])
def test_joined_mp3_files_are_not_taken_for_the_first(voice, encode, before, between):
    mp3 = encode(voice, 16_000, "MP3")
    message = problem(before + mp3 + between + mp3)
    assert message.startswith("<bytes>: holds several MP3 files one after the other")


@pytest.mark.parametrize("tail", [b"", b"TAG" + bytes(125), ID3V2, bytes(5000)])
def test_tags_after_an_mp3_are_not_taken_for_another(voice, encode, tail):
    assert decoded_samples(encode(voice, 16_000, "MP3") + tail) == len(voice)


def test_joined_mp3_files_without_frame_counts_are_read_to_the_end(mp3_without_count):
    once = decoded_samples(mp3_without_count)
    assert decoded_samples(mp3_without_count * 2) > 1.9 * once


def test_a_flac_with_an_id3v1_tag_is_whole(voice_48k, encode):
    flac = encode(voice_48k, 48_000, "FLAC")
    tag = b"TAG" + b"call".ljust(125, b"\0")
    assert decoded_samples(flac + tag) == len(voice_48k)
    assert "cut off" in problem(flac[:-500] + tag)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("NIST", "PCM_16"),
        ("VOC", "PCM_16"),
        ("SVX", "PCM_16"),
        ("PAF", "PCM_16"),
        ("IRCAM", "PCM_16"),
        ("MAT4", "PCM_16"),
        ("MAT5", "PCM_16"),
        ("AVR", "PCM_16"),
        ("MPC2K", "PCM_16"),
        ("WVE", "ALAW"),
        ("XI", "DPCM_16"),
        ("SDS", "PCM_16"),
        ("PVF", "PCM_16"),
        ("HTK", "PCM_16"),
    ],
)
def test_formats_nobody_names_are_refused_by_name(voice, encode, container, subtype):
    message = problem(encode(voice, 8_000 if container == "WVE" else 16_000, container, subtype))
    assert f"({container}) can't be read. Convert it to WAV or FLAC, e.g. `ffmpeg " in message
