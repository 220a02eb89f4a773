"""The pages of an Ogg file: whether they go on to the end of the stream, and whether only one stream is in them."""

from __future__ import annotations

from enum import Enum

from voicestress_audio.containers import SeekableFile

_HEADER_BYTES = 27
_MOST_SEGMENTS = 255
_BEGINS, _ENDS = 0x02, 0x04


class OggEnd(Enum):
    """How an Ogg file ends."""

    WHOLE = "with the mark that ends its stream"
    INSIDE_A_PAGE = "inside an Ogg page"
    UNMARKED = "without the mark that ends an Ogg stream"
    CHAINED = "with another stream"


def ogg_end(file: SeekableFile) -> OggEnd:
    """Follow the pages of an Ogg file by their headers (RFC 3533, section 6) to the last, or to a second recording.

    Streams side by side begin together, so a page that begins one after any other page is of a recording chained to the
    first. What follows the last page, like a tag, is ignored; where a damaged page ends the walk, the mark is missing.
    """
    file_bytes = file.seek(0, 2)
    position, flags, begun = file.seek(0), 0, False
    while True:
        file.seek(position)
        header = file.read(_HEADER_BYTES + _MOST_SEGMENTS)
        if len(header) < _HEADER_BYTES or not header.startswith(b"OggS"):
            return OggEnd.WHOLE if flags & _ENDS else OggEnd.UNMARKED
        flags = header[5]
        if not flags & _BEGINS:
            begun = True
        elif begun:
            return OggEnd.CHAINED
        segments = header[26]
        position += _HEADER_BYTES + segments + sum(header[_HEADER_BYTES : _HEADER_BYTES + segments])
        if position > file_bytes or len(header) < _HEADER_BYTES + segments:
            return OggEnd.INSIDE_A_PAGE
