"""The frames of an MP3 file: how many it promises, whether the last is whole, and whether others follow the promised.

An MP3 without a Xing header promises nothing: one that was cut between two frames looks like a shorter recording.
"""

from __future__ import annotations

import struct

from voicestress_audio.containers import SeekableFile

_ID3_HEADER_BYTES = 10
_ID3V1_BYTES = 128
# Of layer III, in kbit/s; 0 is a rate the header leaves open.
_KBITS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MOST_FRAME_BYTES = 1_441
# Samples can look like the header of a frame; not like four, each where the one before ends.
_SURE_FRAMES = 4


def mp3_counts_its_frames(file: SeekableFile) -> bool:
    """Whether an MP3 file starts with a Xing or Info header: without one, its length is only an estimate."""
    return _xing(_first_frame(file)[1]) is not None


def mp3_ends_inside_a_frame(file: SeekableFile) -> bool:
    """Whether the last frame of an MP3 file is incomplete; False where that can't be told.

    It can't where tags follow the last frame, and in other layers than III.
    """
    file_bytes = file.seek(0, 2)
    file.seek(max(0, file_bytes - 2 * _SURE_FRAMES * _MOST_FRAME_BYTES))
    tail = file.read(2 * _SURE_FRAMES * _MOST_FRAME_BYTES)
    for start in range(len(tail)):
        if tail[start] == 0xFF:
            frames, end = _follow(tail, start)
            if frames >= _SURE_FRAMES:
                return end > len(tail) or (len(tail) - end < 4 and tail[end:].startswith(b"\xff"))
    return False


def mp3_is_joined(file: SeekableFile) -> bool:
    """Whether frames follow those a Xing header counts: decoders stop there. False where it counts no bytes."""
    start, first_frame = _first_frame(file)
    xing = _xing(first_frame)
    if xing is None or len(xing) < 16:
        return False
    (flags,) = struct.unpack(">I", xing[4:8])
    if not flags & 2:
        return False
    at = 12 if flags & 1 else 8
    end = start + struct.unpack(">I", xing[at : at + 4])[0]
    file.seek(end)
    if file.read(3) == b"TAG":
        end += _ID3V1_BYTES
    file.seek(end + _id3_bytes(file, end))
    return _follow(file.read(2 * _SURE_FRAMES * _MOST_FRAME_BYTES), 0)[0] >= _SURE_FRAMES


def _first_frame(file: SeekableFile) -> tuple[int, bytes]:
    """Where the first frame starts, and its first 200 bytes."""
    start = file.seek(_id3_bytes(file, 0))
    return start, file.read(200)


def _id3_bytes(file: SeekableFile, position: int) -> int:
    """Length of the ID3v2 tag at ``position``, 0 where there is none."""
    file.seek(position)
    head = file.read(_ID3_HEADER_BYTES)
    if not head.startswith(b"ID3") or len(head) < _ID3_HEADER_BYTES:
        return 0
    # the size is four times seven bits
    return _ID3_HEADER_BYTES + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _xing(first_frame: bytes) -> bytes | None:
    """The Xing header in the first frame: its name, flags, and the counts these announce."""
    found = [at for at in (first_frame.find(b"Xing"), first_frame.find(b"Info")) if at >= 0]
    return first_frame[min(found) :] if found else None


def _follow(content: bytes, start: int) -> tuple[int, int]:
    """How many frames of one kind follow each other from ``start``, and where the last ends, maybe past the content."""
    frames, position = 0, start
    kind = (content[start + 1] & 0xFE, content[start + 2] & 0x0C) if start + 3 < len(content) else None
    while position + 3 < len(content):
        header = content[position : position + 4]
        frame_bytes = _frame_bytes(header)
        if frame_bytes is None or (header[1] & 0xFE, header[2] & 0x0C) != kind:
            break
        frames += 1
        position += frame_bytes
    return frames, position


def _frame_bytes(header: bytes) -> int | None:
    """Length of the layer III frame with this header (4 bytes), or None when that isn't one."""
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if header[0] != 0xFF or header[1] < 0xE0 or layer != 1 or version == 1 or bitrate in (0, 15) or rate == 3:
        return None
    kbits = (_KBITS_MPEG1 if version == 3 else _KBITS_MPEG2)[bitrate]
    padding = header[2] >> 1 & 1
    return (144_000 if version == 3 else 72_000) * kbits // _RATES_HZ[version][rate] + padding
