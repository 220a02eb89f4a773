"""Runs a server as a child of this small process: ``supervise.py GRACE_S SCRATCH COMMAND...``

Nothing stays of the server, no process of it and not the folder ``SCRATCH``.

Some servers start daemons in sessions of their own, and some forget them. Here they all become children of this process
once their parent is gone, so that it finds them. The server is stopped by SIGTERM to this process, and when whoever
started this process is gone, however it went.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_STOP = (signal.SIGTERM, signal.SIGINT)
_libc = ctypes.CDLL(None)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code, 128 + n when signal n ended it."""
    grace_s, scratch, *command = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    server = subprocess.Popen(command, preexec_fn=_with_signals, start_new_session=True)
    try:
        _run(server, float(grace_s))
    finally:
        _kill_descendants()
        shutil.rmtree(scratch, ignore_errors=True)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _run(server: subprocess.Popen[bytes], grace_s: float) -> None:
    kill_at = None
    while server.poll() is None:
        received = signal.sigtimedwait(_WATCHED, 0.5)
        if kill_at is None and received is not None and received.si_signo in _STOP:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            kill_at = time.monotonic() + grace_s
        elif kill_at is not None and time.monotonic() > kill_at:
            server.kill()


def _kill_descendants() -> None:
    while True:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    """The processes that come of a process, as long as their parents live."""
    family = [pid]
    for member in family:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it is gone
                family += [int(child) for child in task.read_text().split()]
    return family[1:]


def _with_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
