"""Triton as a supervised child process (see ``supervise.py``), with the end of its log at hand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from voicestress_triton import supervise
from voicestress_triton.log import LogTail

# After Triton's own exit timeout it still unloads its models, a worker process each: 3 s for two (measured).
_UNLOAD_S = 10.0
_WAIT_TURN_S = 1.0


class TritonProcess:
    """A running Triton; ``pid`` is its own process id, ``log`` the end of what it printed.

    Args:
        command: Triton's binary and flags.
        environment: Triton's environment.
        shm_prefix: how the names of its shared memory regions start.
        scratch: folder to remove when it has ended.
        exit_timeout_s: the exit timeout it was given, in seconds.
        verbose: copy its log to standard error.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        shm_prefix: str,
        scratch: Path,
        exit_timeout_s: float,
        verbose: bool,
    ) -> None:
        self.log = LogTail()
        self._shm_prefix = shm_prefix
        self._scratch = scratch
        self._grace_s = exit_timeout_s + _UNLOAD_S
        supervisor = [sys.executable, "-I", "-S", supervise.__file__, str(os.getpid()), str(self._grace_s)]
        self._process = subprocess.Popen(
            [*supervisor, shm_prefix, str(scratch), *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in a terminal goes to this process alone, which then decides when Triton stops.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(verbose,), name="triton-log", daemon=True)
        self._reader.start()
        assert self._process.stdout is not None
        with self._process.stdout as first_line:
            self.pid = int(first_line.readline() or 0)

    def exit_code(self, timeout_s: float | None = 0.0) -> int | None:
        """Triton's exit code, or None if it still runs after ``timeout_s`` seconds (None waits for ever)."""
        if timeout_s is None:
            # In turns: a signal that comes just before an endless wait begins would be seen only after the next one.
            while (code := self.exit_code(_WAIT_TURN_S)) is None:
                pass
            return code
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join()
        return code

    def stop(self) -> None:
        """Stop Triton, if need be by force, and remove what it left."""
        self._process.terminate()
        if self.exit_code(self._grace_s + _UNLOAD_S) is None:  # the supervisor hangs: Triton dies with it
            self._process.kill()
            self.exit_code(None)
        supervise.remove_leftovers(self._shm_prefix, self._scratch)

    def _read_log(self, verbose: bool) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as log:
            for line in log:
                text = line.decode(errors="replace").rstrip("\n")
                self.log.add(text)
                if verbose:
                    sys.stderr.write(f"{text}\n")
