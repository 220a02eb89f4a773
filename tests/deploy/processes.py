"""What a server has running, open and lying around, as the kernel tells it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_LISTEN = "0A"


def group_members(group: int) -> list[int]:
    """Processes, zombies aside, of a process group."""
    members = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, _, pgrp = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(pgrp) == group and state != "Z":
                members.append(int(folder.name))
    return members


def leftovers() -> set[str]:
    """Folders and shared memory regions of any server of ours, running ones included."""
    folders = Path(tempfile.gettempdir()).glob("voicestress-triton-*")
    return {str(path) for path in [*folders, *Path("/dev/shm").glob("voicestress-*")]}


def listening_at(pid: int) -> list[str]:
    """IPv4 and IPv6 addresses where a process listens, as the kernel writes them: ``0100007F:1F41``."""
    sockets = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == _LISTEN and f"socket:[{row[9]}]" in sockets]


def files_open_for_writing(pid: int) -> set[str]:
    """Regular files, shared memory aside, that a process could write to."""
    found = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(fd)
        flags = int(Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
        if flags & (os.O_WRONLY | os.O_RDWR) and Path(target).is_file() and not target.startswith("/dev/shm/"):
            found.add(target)
    return found


def becomes_true(condition: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether ``condition`` holds at some moment in the next ``within_s`` seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()
