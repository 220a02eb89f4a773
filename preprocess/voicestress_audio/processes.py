"""Recordings read in processes of their own: decoding, resampling and speech detection keep one core busy each.

A process reads one recording at a time. So it can be ended when nobody waits for that recording any more, and when it
dies, nobody else's is to blame.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from voicestress_audio.errors import InvalidAudio, StressError
from voicestress_audio.recording import Recording

# Reads what it is given: a function of a module, or a partial of one, as the process has to import it.
Reader = Callable[[Any], Recording]

_CRASHES = 2
# How often a thread that waits for a process looks whether anybody waits for the thread.
_LOOK_S = 0.05
_END_S = 5.0
_SPAWN = multiprocessing.get_context("spawn")
_NO_PCM = np.empty(0, dtype=np.int16)


class Abandoned(Exception):
    """Nobody waits for this recording any more."""


class ReaderProcesses:
    """At most ``most`` processes that read recordings; each is started when it is first needed, and kept.

    Args:
        most: how many there are at once.
        niceness: how far they give way to other processes, 0 (not at all) to 19.
    """

    def __init__(self, most: int, *, niceness: int = 0) -> None:
        self._niceness = niceness
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="voicestress-process")
        self._lock = threading.Lock()
        self._all: list[_Process] = []
        self._idle: list[_Process] = []
        self._is_closed = False

    def submit(
        self, read: Reader, source: str | bytes | memoryview, *, abandoned: threading.Event | None = None
    ) -> Future[Recording]:
        """Have ``read(source)`` done by a process; bytes are sent to its memory. Once ``abandoned``, it is ended.

        The future raises what ``read`` does, ``InvalidAudio`` where processes die of it time and again, and
        ``Abandoned``.
        """
        return self._threads.submit(self._read, read, source, abandoned or threading.Event())

    @property
    def process_ids(self) -> list[int]:
        """Of those that are there."""
        with self._lock:
            return [process.pid for process in self._all]

    def close(self) -> None:
        """End the processes, whatever they do."""
        with self._lock:
            self._is_closed = True
            processes = list(self._all)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.end()

    def _read(self, read: Reader, source: str | bytes | memoryview, abandoned: threading.Event) -> Recording:
        for _ in range(_CRASHES):
            process = self._take(abandoned)
            try:
                recording = process.read(read, source, abandoned)
            except _Died:
                self._forget(process)
            except StressError:
                self._give_back(process)
                raise
            except BaseException:  # it is at work for nobody, or nobody knows what it waits for
                self._forget(process)
                raise
            else:
                self._give_back(process)
                return recording
        name = source if isinstance(source, str) else "<bytes>"
        raise InvalidAudio(f"{name}: {_CRASHES} processes died while they read it: is it very long, or memory short?")

    def _take(self, abandoned: threading.Event) -> _Process:
        with self._lock:
            if self._is_closed or abandoned.is_set():
                raise Abandoned
            if self._idle:
                return self._idle.pop()
            process = _Process(self._niceness)
            self._all.append(process)
            return process

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            self._idle.append(process)

    def _forget(self, process: _Process) -> None:
        with self._lock:
            self._all.remove(process)
        process.end()
        process.hang_up()


class _Died(Exception):
    """The process is there no more."""


class _Process:
    """One process, as the thread sees it that waits for it."""

    def __init__(self, niceness: int) -> None:
        self._line, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, niceness), name="voicestress-read", daemon=True)
        self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0
        self._has_started = False

    def read(self, read: Reader, source: str | bytes | memoryview, abandoned: threading.Event) -> Recording:
        """What the process makes of ``source``.

        Raises:
            _Died, Abandoned: it is of no use any more, or still at work: end it.
            Exception: what ``read`` raises.
        """
        try:
            if not self._has_started:  # which takes a second or so: until then it would take nothing
                self._await_word(abandoned)
                self._line.recv()
                self._has_started = True
            self._line.send((read, source if isinstance(source, str) else None))
            if not isinstance(source, str):
                self._line.send_bytes(source)
            self._await_word(abandoned)
            answer = self._line.recv()
            if isinstance(answer, Recording):
                windows = tuple(
                    replace(window, pcm=np.frombuffer(self._line.recv_bytes(), dtype=np.int16))
                    for window in answer.windows
                )
                return replace(answer, windows=windows)
        except (EOFError, OSError) as error:
            raise _Died from error
        assert isinstance(answer, Exception)
        raise answer

    def _await_word(self, abandoned: threading.Event) -> None:
        while not self._line.poll(_LOOK_S):
            if abandoned.is_set():
                raise Abandoned

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.join(_END_S)

    def hang_up(self) -> None:
        """Close the line to it; nothing may wait for it any more."""
        self._line.close()


def _serve(line: Connection, niceness: int) -> None:
    """What a process does: read recordings, one after the other, until there is no more to be had."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if niceness:
        os.nice(niceness)
    _die_with_parent()
    with suppress(EOFError, OSError):  # the parent wants no more of it
        line.send(None)
        while True:
            _answer(line)


def _answer(line: Connection) -> None:
    read, source = line.recv()
    try:
        recording: Recording = read(line.recv_bytes() if source is None else source)
    except Exception as error:  # noqa: BLE001 - it is raised again where it is waited for
        line.send(error)
        return
    # The samples go by themselves: in one piece with the rest, an hour of them would be copied while nothing else runs.
    line.send(replace(recording, windows=tuple(replace(window, pcm=_NO_PCM) for window in recording.windows)))
    for window in recording.windows:
        line.send_bytes(window.pcm.data)


def _die_with_parent() -> None:
    """A process that is at work would not notice that the one it works for was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
