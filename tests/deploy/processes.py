"""What a server has running, open and lying around, as the kernel tells it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_LISTEN = "0A"
_IPV4_IN_IPV6 = "0000000000000000FFFF0000"


def group_members(group: int) -> list[int]:
    """Processes, zombies aside, of a process group."""
    members = []
    for pid in _processes():
        try:
            state, _, pgrp = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(pgrp) == group and state != "Z":
            members.append(pid)
    return members


def leftovers() -> set[str]:
    """Folders and shared memory regions of servers that run no more.

    Other servers may start and stop meanwhile: what belongs to one stands on the command line of its supervisor.
    """
    paths = [*Path(tempfile.gettempdir()).glob("voicestress-*"), *Path("/dev/shm").glob("voicestress-*")]
    commands = [command for pid in _processes() if b"supervise" in (command := _command_line(pid))]
    # A region is called voicestress-<server>-<anything>, and the supervisor knows the part before <anything>.
    return {str(path) for path in paths if not any(_owner(path).encode() in command for command in commands)}


def _owner(path: Path) -> str:
    return "-".join(path.name.split("-")[:2]) if path.parent == Path("/dev/shm") else str(path)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def listening_at(pid: int) -> set[str]:
    """Addresses where a process listens, as the kernel writes them: ``0100007F:1F41`` is 127.0.0.1:8001.

    gRPC listens to IPv4 through IPv6 sockets; such an address is given as the IPv4 one it stands for.
    """
    sockets = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].removeprefix(_IPV4_IN_IPV6) for row in rows if row[3] == _LISTEN and f"socket:[{row[9]}]" in sockets}


def files_open_for_writing(pid: int) -> set[str]:
    """Regular files, shared memory aside, that a process could write to."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        target = str(fd.readlink())
        flags = int(Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
        if flags & (os.O_WRONLY | os.O_RDWR) and Path(target).is_file() and not target.startswith("/dev/shm/"):
            found.add(target)
    return found


def nothing_new_stays(before: set[str]) -> bool:
    """Whether soon there is nothing left over that ``leftovers`` did not name ``before``."""
    return becomes_true(lambda: leftovers() <= before, within_s=5)


def becomes_true(condition: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether ``condition`` holds at some moment in the next ``within_s`` seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
