"""What the bytes around the samples say: which format a file is in, and whether its end is missing."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, Protocol

_FOREIGN_BRANDS = {b"M4A": "M4A (AAC)", b"M4B": "M4A (AAC)", b"3gp": "3GP", b"3g2": "3GP", b"qt ": "QuickTime"}
_FOREIGN_MAGIC = {
    b"#!AMR": "AMR",
    b"\x30\x26\xb2\x75": "WMA",
    b"wvpk": "WavPack",
    b"MAC ": "Monkey's Audio",
    b"FLV\x01": "FLV",
    b"MThd": "MIDI",
}
_READABLE_MAGIC = {
    b"RIFF": "WAV",
    b"RIFX": "WAV",
    b"RF64": "WAV",
    b"BW64": "WAV",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"riff": "W64",
    b"ID3": "MP3",
}

# A WAV written to a pipe has a stand-in for its size: ffmpeg writes 0xFFFFFFFF, arecord 0x80000000, SoX 0x7FFFF000,
# others 0x7FFFFFFF less a header, or 0. Nothing from here on is believed.
_STAND_IN_BYTES = 0x7FFF_0000
_MOST_CHUNKS = 1_000
_ID3V1_BYTES = 128


class SeekableFile(Protocol):
    """The part of a binary file these functions use. They leave it at another position."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move, and return the new position."""


class WavData(NamedTuple):
    """Where a WAV file's samples start, and how many bytes of them its header promises (None: it was streamed)."""

    start: int
    promised_bytes: int | None


def foreign_format(head: bytes) -> str | None:
    """Name of the format of a file starting with ``head`` (64 bytes), where that is one soundfile can't read."""
    if head[4:8] == b"ftyp":
        return _FOREIGN_BRANDS.get(head[8:11], "MP4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "WebM" if b"webm" in head else "Matroska"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # an MPEG sync word with layer 0: ADTS, not MP3
        return "AAC"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "AVI"
    if head.startswith(b"OggS") and b"Speex" in head:
        return "Speex"
    return next((name for magic, name in _FOREIGN_MAGIC.items() if head.startswith(magic)), None)


def readable_format(head: bytes) -> str | None:
    """Name of the format of a file starting with ``head`` (64 bytes), where that is one of those we read."""
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # an MPEG sync word with layer III
        return "MP3"
    return next((name for magic, name in _READABLE_MAGIC.items() if head.startswith(magic)), None)


def wav_data(file: SeekableFile) -> WavData | None:
    """The data chunk of a WAV, RF64 or BW64 file, or None when there is none.

    A size of 0 means a streamed file, unless the RIFF size says that the file was completed: then it is empty.
    """
    file.seek(0)
    head = file.read(12)
    if readable_format(head) != "WAV" or head[8:] != b"WAVE":
        return None
    order = ">" if head.startswith(b"RIFX") else "<"
    (riff_bytes,) = struct.unpack(f"{order}I", head[4:8])
    data64_bytes = None
    for _ in range(_MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return None
        (chunk_bytes,) = struct.unpack(f"{order}I", header[4:])
        start = file.seek(0, 1)
        if header.startswith(b"data"):
            if data64_bytes is not None and chunk_bytes == 0xFFFF_FFFF:
                return WavData(start, data64_bytes)
            unfinished = riff_bytes + 8 <= start or riff_bytes >= _STAND_IN_BYTES
            streamed = chunk_bytes >= _STAND_IN_BYTES or (chunk_bytes == 0 and unfinished)
            return WavData(start, None if streamed else chunk_bytes)
        if header.startswith(b"ds64"):
            sizes = file.read(16)
            data64_bytes = struct.unpack(f"{order}8xQ", sizes)[0] if len(sizes) == 16 else None
        file.seek(start + chunk_bytes + chunk_bytes % 2)
    return None


def promised_bytes_in_log(log: str) -> tuple[int, int] | None:
    """Bytes promised and present, from libsndfile's log of an AIFF, AU or W64 file it found too short."""
    for promised, present in re.findall(
        r"^\s*(?:SSND|Data Size|riff)\s*: (\d+) \(should be (\d+)\)", log, re.MULTILINE
    ):
        if int(present) < int(promised) < _STAND_IN_BYTES:
            return int(promised), int(present)
    return None


def bytes_before_id3v1(file: SeekableFile) -> int:
    """Size of a file without the ID3v1 tag some tools append to it."""
    file_bytes = file.seek(0, 2)
    file.seek(max(0, file_bytes - _ID3V1_BYTES))
    tail = file.read(_ID3V1_BYTES)
    return file_bytes - _ID3V1_BYTES if len(tail) == _ID3V1_BYTES and tail.startswith(b"TAG") else file_bytes
