"""What a recording may come from, and what is refused before a byte of it is decoded."""

import io
import os
import socket
import tempfile

import numpy as np
import pytest
from voicestress_audio import InvalidAudio, byte_source, open_audio


def samples_of(source) -> np.ndarray:
    with open_audio(source) as audio:
        return np.concatenate(list(audio.blocks))


def problem(source) -> str:
    with pytest.raises(InvalidAudio) as caught, open_audio(source) as audio:
        list(audio.blocks)
    return str(caught.value)


@pytest.mark.parametrize("source", [None, 7, [0.0], (1, 2, 3), ([0.0], 16_000), io.StringIO("call")])
def test_what_is_no_recording_at_all_is_a_type_error(source):
    with pytest.raises(TypeError, match="a recording is a path, bytes, a binary file"):
        samples_of(source)


def test_a_file_opened_as_text_says_how_to_open_it(tmp_path):
    with (
        (tmp_path / "call.wav").open("w") as plain,
        tempfile.NamedTemporaryFile("w") as write_only,
        tempfile.NamedTemporaryFile("w+") as named,
        tempfile.SpooledTemporaryFile(mode="w+") as spooled,
    ):
        for file in (plain, write_only, named, spooled):
            with pytest.raises(TypeError, match="a text file; open it with mode 'rb'"):
                samples_of(file)


def test_an_object_that_reads_text_says_how_to_open_it():
    class Reader:
        def read(self, size: int = -1) -> str:
            return "call"[:size]

    with pytest.raises(TypeError, match="open it with mode 'rb'"):
        samples_of(Reader())


def test_a_tuple_of_other_things_names_what_is_in_it():
    class Tensor:
        pass

    for samples, name in (([0.0], "list"), (Tensor(), "Tensor")):
        with pytest.raises(TypeError, match=rf"not a tuple of \({name}, int\); make the samples a numpy array"):
            samples_of((samples, 16_000))


def test_a_matrix_decodes_like_an_array(voice):
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.asmatrix(voice).T
    for samples in (matrix, np.ma.array(voice)):
        decoded = samples_of((samples, 16_000))
        assert type(decoded) is np.ndarray
        assert np.array_equal(decoded, voice)


def test_views_that_skip_bytes_decode(wav_bytes):
    spread = np.zeros((len(wav_bytes), 2), np.uint8)
    spread[:, 0] = np.frombuffer(wav_bytes, np.uint8)
    view = memoryview(spread.reshape(-1))[::2]
    assert not view.contiguous
    assert np.array_equal(samples_of(view), samples_of(wav_bytes))


@pytest.mark.timeout(10)
@pytest.mark.skipif(os.name != "posix", reason="POSIX files")
def test_paths_of_other_things_than_files_are_refused_before_they_are_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the paths of sockets are short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        for path, kind in (("pipe", "a named pipe"), ("socket", "a socket"), ("/dev/zero", "a device")):
            expected = f"{path}: is {kind}, not a file. Give it as an open file object, or on standard input."
            assert problem(path) == expected


class Pipe(io.RawIOBase):
    """A file that can't seek."""

    def __init__(self, content: bytes) -> None:
        self.content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self.content.readinto(buffer)


def test_an_endless_pipe_does_not_fill_memory(wav_bytes, monkeypatch):
    assert byte_source.MOST_STREAM_BYTES == 2**30
    monkeypatch.setattr(byte_source, "MOST_STREAM_BYTES", len(wav_bytes))
    assert np.array_equal(samples_of(Pipe(wav_bytes)), samples_of(wav_bytes))
    pipe = Pipe(wav_bytes * 20)
    message = problem(pipe)
    assert message.startswith(f"<stream>: goes on after {len(wav_bytes)} bytes")
    assert "Save it to a file" in message
    assert pipe.content.tell() < 4 * len(wav_bytes)
