"""A server of somebody else's as a child of this process: started, waited for, and stopped with all that it started.

Some of them start daemons in sessions of their own. All inherit an environment variable with a value nobody else has,
and by it they are found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

_MARK = "VOICESTRESS_PEER"
_POLL_S = 0.1
_PR_SET_PDEATHSIG = 1
_LOG_LINES = 12
_libc = ctypes.CDLL(None)


class PeerError(Exception):
    """A peer can't be measured: it did not start, did not answer, or did not answer right. The message says why."""


class PeerProcess:
    """A command that serves HTTP on loopback, for as long as a ``with`` block runs.

    Args:
        command: what to run.
        environment: what it needs in its environment, on top of this process' own.
        is_ready: asks whether the server at ``http://host:port`` would answer.
        ready_within_s: how long it may take until it does.
        grace_s: how long it is given to stop before it is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        is_ready: Callable[[str], bool],
        ready_within_s: float = 120.0,
        grace_s: float = 10.0,
    ) -> None:
        self._command, self._environment, self._is_ready = list(command), dict(environment), is_ready
        self._ready_within_s, self._grace_s = ready_within_s, grace_s
        self._mark = secrets.token_hex(8)
        self._scratch = Path(tempfile.mkdtemp(prefix="peer-", dir="/tmp"))
        self._log = self._scratch / "log.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> PeerProcess:
        """Start it and wait until it is ready.

        Raises:
            PeerError: it ended, or is not ready in time.
        """
        try:
            self._start()
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, if need be by force, and everything it started; remove what it wrote. Safe to call twice."""
        if self._process is not None:
            _signal_group(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._grace_s)
            deadline = time.monotonic() + self._grace_s
            while self._kill_all() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            self._process.wait(self._grace_s)
            self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _start(self) -> None:
        port, second_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        ports = {"PEER_PORT": str(port), "PEER_SECOND_PORT": str(second_port)}
        own = {_MARK: self._mark, "TMPDIR": str(self._scratch), "PYTHONUNBUFFERED": "1", **ports}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment, **own},
                cwd=self._scratch,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._ready_within_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise PeerError(f"it ended with {self._process.returncode}; it last said: {self._last_words()}")
            if self._is_ready(self.url):
                return
            time.sleep(_POLL_S)
        raise PeerError(f"it is not ready after {self._ready_within_s:g} s; it last said: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:]) or "nothing"

    def _kill_all(self) -> bool:
        """Kill what still carries the mark; whether there was anything."""
        assert self._process is not None
        self._process.poll()  # a zombie has no environment any more, but need not stay one
        found = marked(self._mark)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)


def marked(mark: str) -> list[int]:
    """The processes with ``mark`` in their environment."""
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it is gone, or another user's
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _free_ports(count: int) -> list[int]:
    """Ports nobody has just now; held together while they are chosen, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
