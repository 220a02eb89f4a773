"""What is too large is refused, whatever its format and wherever it is, with the limit and the way out."""

import io

import pytest
from voicestress_audio import AudioLimits, InvalidAudio, open_audio, read_recording

from tests.preprocess.media import encode_kind
from tests.preprocess.test_sources import Pipe


def problem(source, limits) -> str:
    with pytest.raises(InvalidAudio) as caught, open_audio(source, limits) as audio:
        list(audio.blocks)
    return str(caught.value)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3", "OGG"])
def test_a_recording_longer_than_the_limit_is_refused(voice, encode, container):
    content = encode(voice, 16_000, container)
    message = problem(content, AudioLimits(longest_s=10.9))
    assert message.startswith("<bytes>: ")
    assert "11.0 s long" in message or (container == "MP3" and "goes on after 10.9 s" in message)
    assert message.endswith("at most 10.9 s are read. Cut it, or allow more with AudioLimits(longest_s=...).")
    with open_audio(content, AudioLimits(longest_s=11.1)) as audio:
        assert sum(len(block) for block in audio.blocks) >= len(voice)


def test_an_array_and_an_m4a_have_the_same_limit(voice):
    limits = AudioLimits(longest_s=10.9)
    assert "is 11.0 s long" in problem((voice, 16_000), limits)
    assert "goes on after 10.9 s" in problem(encode_kind(voice, 16_000, "m4a"), limits)


def test_read_recording_has_the_same_limit(wav_bytes):
    sizes = {"shortest_window_samples": 8_000, "longest_window_samples": 128_000}
    with pytest.raises(InvalidAudio, match=r"is 11\.0 s long"):
        read_recording(wav_bytes, **sizes, limits=AudioLimits(longest_s=5))


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(wav_bytes, tmp_path):
    limits = AudioLimits(most_bytes=1_000_000)
    path = tmp_path / "call.wav"
    path.write_bytes(wav_bytes)
    for source, name in ((wav_bytes, "<bytes>"), (path, path), (io.BytesIO(wav_bytes), "<stream>")):
        assert problem(source, limits) == (
            f"{name}: has 1056044 bytes; at most 1000000 are read. "
            "Encode it smaller or cut it, or allow more with AudioLimits(most_bytes=...)."
        )


def test_a_pipe_is_not_read_beyond_the_limit(wav_bytes):
    pipe = Pipe(wav_bytes * 20)
    assert "at most 1000000 are read" in problem(pipe, AudioLimits(most_bytes=1_000_000))
    assert pipe.content.tell() < 3_000_000


@pytest.mark.parametrize("wrong", [{"longest_s": 0}, {"longest_s": float("nan")}, {"most_bytes": -1}])
def test_limits_of_nothing_are_a_value_error(wrong):
    with pytest.raises(ValueError, match="both must be more than 0"):
        AudioLimits(**wrong)


def test_limits_may_be_lifted(voice):
    with open_audio(encode_kind(voice, 16_000, "m4a"), AudioLimits(longest_s=float("inf"))) as audio:
        assert sum(len(block) for block in audio.blocks) > 0
