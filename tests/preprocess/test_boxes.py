"""Where the boxes of MP4 and Matroska files end, by their headers alone."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voicestress_audio.boxes import BoxEnd, matroska_end, mp4_end


def box(kind: bytes, content_bytes: int) -> bytes:
    return (8 + content_bytes).to_bytes(4, "big") + kind + bytes(content_bytes)


def large_box(kind: bytes, content_bytes: int) -> bytes:
    return (1).to_bytes(4, "big") + kind + (16 + content_bytes).to_bytes(8, "big") + bytes(content_bytes)


def element(identifier: str, content: bytes, size: bytes | None = None) -> bytes:
    return bytes.fromhex(identifier) + ((0x4000 | len(content)).to_bytes(2, "big") if size is None else size) + content


UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
FTYP, MOOV, MDAT, MOOF = box(b"ftyp", 8), box(b"moov", 100), box(b"mdat", 1000), box(b"moof", 50)
EBML = element("1a45dfa3", b"webm")
TRACKS, BLOCK = element("1654ae6b", bytes(40)), element("a3", bytes(60))
CLUSTER = element("1f43b675", BLOCK * 3)
LIVE = EBML + element("18538067", TRACKS, UNKNOWN_SIZE) + element("1f43b675", BLOCK * 3, UNKNOWN_SIZE)


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (FTYP + MDAT + MOOV, BoxEnd.WHOLE),
        (FTYP + large_box(b"mdat", 1000) + MOOV, BoxEnd.WHOLE),
        (FTYP + MOOV + MDAT + b"TAG" + bytes(125), BoxEnd.WHOLE),
        (FTYP + box(b"beam", 9) + MOOV + MDAT, BoxEnd.WHOLE),
        (FTYP + MOOV + MOOF + MDAT + MOOF + MDAT, BoxEnd.WHOLE),
        (FTYP + MOOV + bytes(4) + b"mdat" + bytes(900), BoxEnd.WHOLE),  # up to the end
        (FTYP + MOOV + MDAT[:-1], BoxEnd.INSIDE_A_BOX),
        (FTYP + large_box(b"mdat", 1000)[:-1], BoxEnd.INSIDE_A_BOX),
        (FTYP + MDAT + MOOV[:-1], BoxEnd.INSIDE_A_BOX),
        (FTYP + MOOV + MOOF + MDAT + MOOF[:-1], BoxEnd.INSIDE_A_BOX),
        (FTYP + MDAT, BoxEnd.NO_INDEX),
        (FTYP + bytes(4) + b"mdat" + bytes(900), BoxEnd.NO_INDEX),
        ((FTYP + MOOV + MDAT) * 2, BoxEnd.JOINED),
    ],
)
def test_the_boxes_of_an_mp4(content, end):
    assert mp4_end(io.BytesIO(content)) is end


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (EBML + element("18538067", TRACKS + CLUSTER), BoxEnd.WHOLE),
        (EBML + element("18538067", TRACKS + CLUSTER) + b"TAG" + bytes(125), BoxEnd.WHOLE),
        (LIVE, BoxEnd.WHOLE),
        (LIVE * 1 + BLOCK * 5000, BoxEnd.WHOLE),  # more than a window
        (EBML + element("18538067", TRACKS + CLUSTER)[:-1], BoxEnd.INSIDE_A_BOX),
        (LIVE[:-1], BoxEnd.INSIDE_A_BOX),
        (LIVE + BLOCK * 5000 + BLOCK[:2], BoxEnd.INSIDE_A_BOX),
        (LIVE + b"\x1f\x43", BoxEnd.INSIDE_A_BOX),
        (EBML[:4], BoxEnd.INSIDE_A_BOX),
        (LIVE + LIVE, BoxEnd.JOINED),
    ],
)
def test_the_elements_of_a_webm(content, end):
    assert matroska_end(io.BytesIO(content)) is end


PIECES = [FTYP, MOOV, MDAT, MOOF, EBML, TRACKS, CLUSTER, BLOCK, LIVE, bytes(8), b"\xff" * 9]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)), max_size=30), st.integers(0, 30))
def test_whatever_is_in_a_file_its_end_is_found(pieces, missing):
    content = b"".join(pieces)
    file = io.BytesIO(content[: max(0, len(content) - missing)])
    assert isinstance(mp4_end(file), BoxEnd)
    assert isinstance(matroska_end(file), BoxEnd)
