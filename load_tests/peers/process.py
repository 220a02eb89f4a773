"""A server of somebody else's as a child of this process: started, waited for, and stopped with all that it started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO

from load_tests.peers import supervise

_POLL_S = 0.2
_LOG_LINES = 12


class PeerError(Exception):
    """A peer can't be measured: it did not start, did not answer, or did not answer right. The message says why."""


class PeerProcess:
    """A command that serves HTTP on loopback, for as long as a ``with`` block runs.

    It finds its ports in ``PEER_PORT`` and ``PEER_SECOND_PORT``. The folder it runs in is its home, and nobody else's.

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
        ready_within_s: float = 240.0,
        grace_s: float = 5.0,
    ) -> None:
        self._command, self._environment, self._is_ready = list(command), dict(environment), is_ready
        self._ready_within_s, self._grace_s = ready_within_s, grace_s
        self._log: BinaryIO | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
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
        if self._supervisor is not None:
            self._supervisor.terminate()
            self._supervisor.wait()  # it has a deadline of its own
            self._supervisor = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def _start(self) -> None:
        port, second_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        scratch = tempfile.mkdtemp(prefix="peer-", dir="/tmp")  # sockets need a short path
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        own = {
            "HOME": scratch,
            "TMPDIR": scratch,
            "PYTHONUNBUFFERED": "1",
            "PEER_PORT": str(port),
            "PEER_SECOND_PORT": str(second_port),
        }
        supervisor = [sys.executable, "-I", "-S", supervise.__file__, str(self._grace_s), scratch]
        self._supervisor = subprocess.Popen(
            [*supervisor, *self._command],
            env={**os.environ, **self._environment, **own},
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C goes to this process alone, which then stops it
        )

    def _await_ready(self) -> None:
        assert self._supervisor is not None
        deadline = time.monotonic() + self._ready_within_s
        while time.monotonic() < deadline:
            if (code := self._supervisor.poll()) is not None:
                raise PeerError(f"it ended with {code}; it last said: {self._last_words()}")
            if self._is_ready(self.url):
                return
            time.sleep(_POLL_S)
        raise PeerError(f"it is not ready after {self._ready_within_s:g} s; it last said: {self._last_words()}")

    def _last_words(self) -> str:
        assert self._log is not None
        number = self._log.fileno()
        lines = os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace").splitlines()
        said = [line for line in lines if line.strip(" ^~")]  # tracebacks underline
        return "\n".join(said[-_LOG_LINES:]) or "nothing"


def _free_ports(count: int) -> list[int]:
    """Ports nobody has just now; held together while they are chosen, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
