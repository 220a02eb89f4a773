"""Runs Triton as a child of this small process, which outlives neither Triton nor the program that started it.

Started as a script by ``process.py``, with the standard library only:
``supervise.py PARENT_PID GRACE_S SHM_PREFIX SCRATCH COMMAND...``
It writes Triton's process id on standard output; Triton's own output goes to standard error.
Triton is stopped by SIGTERM or SIGINT to this process, and when the parent is gone, however it went.
Whatever way Triton ends, nothing of it stays: no process, no shared memory, no files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_FCHMOD = {"x86_64": (0xC000003E, 91), "aarch64": (0xC00000B7, 52)}  # machine -> AUDIT_ARCH of linux/audit.h, number
_PARENT_GONE = signal.SIGHUP
_STOP = (signal.SIGTERM, signal.SIGINT)
_WATCHED = (*_STOP, _PARENT_GONE, signal.SIGCHLD)
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code, 128 + n when signal n ended it."""
    parent, grace_s, shm_prefix, scratch, *command = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _libc.prctl(_PR_SET_PDEATHSIG, _PARENT_GONE)
    # Triton's workers become this process' children when Triton is killed, so that it can wait for them.
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # A crash must not write the audio in Triton's memory to disk as a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        if os.getppid() != int(parent):
            return 1
        return _run(command, int(parent), float(grace_s))
    finally:
        remove_leftovers(shm_prefix, Path(scratch))


def _run(command: list[str], parent: int, grace_s: float) -> int:
    environments = _python_environments()
    # Python ignores SIGPIPE and Triton has to as well: its log may have no reader left when it is stopped.
    triton = subprocess.Popen(command, stdout=2, preexec_fn=_before_exec, restore_signals=False)
    with contextlib.suppress(BrokenPipeError):  # the parent may be gone already; the loop finds out
        os.write(1, f"{triton.pid}\n".encode())
    os.close(1)
    kill_at = None
    while triton.poll() is None:
        # SIGCHLD wakes this up; the second is for a deadline, and costs nothing.
        received = signal.sigtimedwait(_WATCHED, 1.0)
        # The kernel also sends the signal when only the *thread* that started this process ended.
        orphaned = os.getppid() != parent
        if kill_at is None and (orphaned or (received is not None and received.si_signo in _STOP)):
            triton.send_signal(signal.SIGTERM)
            kill_at = time.monotonic() + grace_s
        elif kill_at is not None and time.monotonic() > kill_at:
            _kill_group(triton.pid)
    _kill_group(triton.pid)
    _reap()
    _remove_new(environments)
    return triton.returncode if triton.returncode >= 0 else 128 - triton.returncode


def _before_exec() -> None:
    """In Triton's process, before it is Triton: a private process group, which dies with this supervisor."""
    os.setpgid(0, 0)
    _keep_private()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _keep_private() -> None:
    """Let nobody but this user open what this process makes: callers' audio goes through shared memory.

    The umask is not enough. Boost, with which Triton's Python backend makes its regions, opens them past the umask
    with ``fchmod(fd, 0644)``; a seccomp filter turns that one call into a success that does nothing.
    """
    os.umask(0o077)
    architecture, fchmod = _FCHMOD.get(platform.machine(), (0, 0))
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
    instructions = [  # operation, instructions to skip if equal and if not, operand: see linux/filter.h
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, 5, architecture),
        (load, 0, 0, 0),  # seccomp_data.nr
        (equal, 0, 3, fchmod),
        (load, 0, 0, 24),  # seccomp_data.args[1], its lower half
        (equal, 0, 1, 0o644),
        (answer, 0, 0, 0x00050000),  # SECCOMP_RET_ERRNO with the error 0
        (answer, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in instructions))
    program = ctypes.create_string_buffer(struct.pack("HP", len(instructions), ctypes.addressof(code)))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        os.write(2, b"warning: no seccomp here: other users of this machine can read the audio Triton is sent\n")


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _reap() -> None:
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _python_environments() -> set[Path]:
    """The folders that Triton's Python backend makes in /tmp, of every Triton that runs or was killed."""
    return set(Path("/tmp").glob("python_env_*"))  # noqa: S108


def _remove_new(known: set[Path]) -> None:
    """Remove the empty folder a Triton that did not stop by itself left, unless it may be another one's."""
    new = _python_environments() - known
    if len(new) == 1:
        with contextlib.suppress(OSError):
            new.pop().rmdir()


def remove_leftovers(shm_prefix: str, scratch: Path) -> None:
    """Remove the folder ``scratch`` and the shared memory regions whose names start with ``shm_prefix``."""
    shutil.rmtree(scratch, ignore_errors=True)
    for region in Path("/dev/shm").glob(f"{shm_prefix}*"):  # noqa: S108
        region.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
