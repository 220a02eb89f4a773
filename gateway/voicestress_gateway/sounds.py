"""What a live stream's messages hold: raw samples, or what a browser's MediaRecorder makes, decoded as it comes in."""

from __future__ import annotations

import asyncio
import subprocess
from asyncio.streams import FlowControlMixin
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from voicestress_audio.pyav import live_command, refusal
from voicestress_audio.pyav_child import AUDIO, END, HEADER, LIVE_RATE_HZ, REFUSAL
from voicestress_audio.refusals import cut_off

# So many messages wait for their turn; then the sender waits.
_MOST_WAITING = 8
_READ_AHEAD_BYTES = 2**16
Chunk = bytes | npt.NDArray[Any]


class Sound(Protocol):
    """Messages in, chunks for ``AsyncStressStream.push`` out."""

    async def feed(self, message: bytes) -> None:
        """The next message; waits while there are too many that nobody has taken."""

    async def end(self) -> None:
        """There are no more messages."""

    async def next_chunk(self) -> Chunk | None:
        """The next chunk, or None after the last.

        Raises:
            InvalidAudio: the messages can't be decoded.
        """


class RawSound:
    """16-bit little-endian samples, which need no decoding."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING)

    async def feed(self, message: bytes) -> None:
        """The next samples."""
        await self._waiting.put(message)

    async def end(self) -> None:
        """There are no more."""
        await self._waiting.put(None)

    async def next_chunk(self) -> bytes | None:
        """The next samples."""
        return await self._waiting.get()


class WebmSound:
    """WebM or Matroska, decoded by a child process to float32 ``[n, channels]`` at ``LIVE_RATE_HZ``."""

    rate_hz = LIVE_RATE_HZ

    def __init__(self, to_child: asyncio.StreamWriter, from_child: asyncio.StreamReader, name: str) -> None:
        self._input, self._output, self._name = to_child, from_child, name

    async def feed(self, message: bytes) -> None:
        """The next piece of the file. A child that has ended takes no more, and its last words say why."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._input.write(message)
            await self._input.drain()

    async def end(self) -> None:
        """The file is whole."""
        self._input.close()

    async def next_chunk(self) -> npt.NDArray[np.float32] | None:
        """The next samples."""
        try:
            kind, _, channels, payload_bytes = HEADER.unpack(await self._output.readexactly(HEADER.size))
            payload = await self._output.readexactly(payload_bytes)
        except asyncio.IncompleteReadError:
            kind, channels, payload = b"", 0, b""
        if kind == END:
            return None
        if kind != AUDIO or not channels:
            words = payload.decode(errors="replace") if kind == REFUSAL else ""
            raise refusal(words, "WebM", self._name) or cut_off(self._name, "reading its WebM ends the decoder")
        return np.frombuffer(payload, dtype=np.float32).reshape(-1, channels)


@asynccontextmanager
async def webm_sound(longest_s: float, name: str = "recording") -> AsyncIterator[WebmSound]:
    """A decoder of live WebM, for the length of the block.

    Raises:
        InvalidAudio: PyAV isn't installed.
    """
    # Not asyncio's own way: uvloop's forks this process, of which gRPC complains; this one starts a new one at once.
    command = live_command("WebM", longest_s=longest_s, name=name)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0) as child:
        try:
            async with _streams(child) as (to_child, from_child):
                yield WebmSound(to_child, from_child, name)
        finally:
            child.kill()


@asynccontextmanager
async def _streams(child: subprocess.Popen[bytes]) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_AHEAD_BYTES, loop=loop)
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), child.stdout)
    writing, flow = await loop.connect_write_pipe(lambda: FlowControlMixin(loop=loop), child.stdin)
    try:
        yield asyncio.StreamWriter(writing, flow, None, loop), reader
    finally:
        reading.close()
        writing.abort()
