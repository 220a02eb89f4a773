"""The outermost boxes of MP4 and Matroska files: whether they end inside the file, and whether it is one recording.

A file written in fragments (an MP4 of a browser, a WebM that was streamed) promises nothing about its length: one that
was cut between two fragments looks like a shorter recording.
"""

from __future__ import annotations

from enum import Enum

from voicestress_audio.containers import SeekableFile

_WINDOW_BYTES = 2**16
# A streamed WebM of eleven hours has as many. Following them takes seconds, and a file may hold little else.
_MOST_BOXES = 2**21
_MOST_HEADER_BYTES = 16
# What claims to be another box, and to be larger than the file, is none.
_MP4_BOXES = frozenset(
    b"ftyp styp moov mdat moof free skip wide udta meta uuid sidx ssix mfra pdin prft emsg pnot".split()
)
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# RFC 9559: what is in a file, in a segment, and in a cluster. No two have the same identifier.
_MATROSKA_ELEMENTS = frozenset({_EBML, _SEGMENT}).union(
    bytes.fromhex(identifier)
    for identifier in (
        *("114d9b74", "1549a966", "1654ae6b", "1043a770", "1c53bb6b", "1941a469", "1254c367", "1f43b675"),
        *("ec", "bf", "e7", "5854", "a7", "ab", "a3", "a0", "af"),
    )
)


class BoxEnd(Enum):
    """How the outermost boxes of a file end."""

    WHOLE = "with the file"
    INSIDE_A_BOX = "inside one of its boxes"
    NO_INDEX = "without the index (moov) that recorders write last"
    JOINED = "with another recording"


class _Headers:
    """The first bytes of boxes, out of a window: a streamed recording has one for every 20 ms."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self._start, self._window = 0, b""

    def at(self, position: int) -> bytes:
        """The bytes at ``position``; fewer than the longest header only at the end of the file."""
        offset = position - self._start
        if not 0 <= offset <= len(self._window) - _MOST_HEADER_BYTES:
            self._file.seek(position)
            self._start, self._window, offset = position, self._file.read(_WINDOW_BYTES), 0
        return self._window[offset : offset + _MOST_HEADER_BYTES]


def mp4_end(file: SeekableFile) -> BoxEnd:
    """Follow the boxes of an MP4, M4A, 3GP or QuickTime file (ISO/IEC 14496-12, section 4.2)."""
    file_bytes, headers = file.seek(0, 2), _Headers(file)
    position, indexes, fragments = 0, 0, 0
    for _ in range(_MOST_BOXES):
        if position >= file_bytes:
            break
        header = headers.at(position)
        kind, box_bytes = header[4:8], int.from_bytes(header[:4], "big")
        if box_bytes == 1:
            box_bytes = int.from_bytes(header[8:16], "big")
        elif box_bytes == 0:  # up to the end
            box_bytes = file_bytes - position
        end = position + max(8, box_bytes)
        if end > file_bytes:
            # what is no box was appended by something, as is what follows it
            return BoxEnd.INSIDE_A_BOX if kind in _MP4_BOXES else BoxEnd.WHOLE
        indexes += kind == b"moov"
        fragments += kind == b"moof"
        position = end
    else:
        return BoxEnd.WHOLE  # as far as it was followed
    if not indexes:
        return BoxEnd.NO_INDEX
    return BoxEnd.JOINED if indexes > 1 and not fragments else BoxEnd.WHOLE


def matroska_end(file: SeekableFile) -> BoxEnd:
    """Follow the elements of a Matroska or WebM file (RFC 8794), into those of unknown size."""
    file_bytes, headers = file.seek(0, 2), _Headers(file)
    position, recordings = 0, 0
    for _ in range(_MOST_BOXES):
        if position >= file_bytes:
            break
        header = headers.at(position)
        id_bytes = 9 - header[0].bit_length()
        identifier = header[:id_bytes]
        if identifier not in _MATROSKA_ELEMENTS:
            if file_bytes - position < id_bytes and any(known.startswith(identifier) for known in _MATROSKA_ELEMENTS):
                return BoxEnd.INSIDE_A_BOX
            break
        recordings += identifier == _EBML
        size_bytes = 9 - header[id_bytes].bit_length() if len(header) > id_bytes else 9
        if size_bytes > 8:
            return BoxEnd.INSIDE_A_BOX
        position += id_bytes + size_bytes
        unknown = (1 << 7 * size_bytes) - 1
        content_bytes = int.from_bytes(header[id_bytes : id_bytes + size_bytes], "big") & unknown
        if content_bytes != unknown:
            position += content_bytes
    if position > file_bytes:
        return BoxEnd.INSIDE_A_BOX
    return BoxEnd.JOINED if recordings > 1 else BoxEnd.WHOLE
