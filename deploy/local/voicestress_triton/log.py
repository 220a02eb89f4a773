"""What Triton's log says about why it did not start.

Triton prints some 200 lines around one sentence that matters; this module keeps the last lines and finds the sentence.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable

from voicestress_triton.errors import ModelLoadError, PortInUseError, ServerStartError

LINES_KEPT = 1000

_LOAD_FAILURES = (
    re.compile(r"^failed to load '(?P<model>[^']+)' version \d+: (?P<why>.*)"),
    re.compile(r"^failed to load model '(?P<model>[^']+)': (?P<why>.*)"),
    re.compile(r"^Poll failed for model directory '(?P<model>[^']+)': (?P<why>.*)"),
)
# gRPC's text format parser, which says where a config.pbtxt is wrong one line before Triton says that it is.
_CONFIG_SYNTAX = re.compile(r"Error parsing text-format inference\.ModelConfig: (?P<why>.*)")
_PORT = re.compile(r"Socket '(?P<where>[^']+)' already in use")
_FATAL = re.compile(r"^(?:error: |.*error while loading shared libraries: )(?P<why>.*)")
# Triton writes a message as a JSON string behind severity, time and place.
_MESSAGE = re.compile(r"^[EWI]\d+ .*?\] (?P<json>\".*\")$")
# The kind of error before its text: a Triton status, then the type of an exception in a Python-based backend.
_KIND = re.compile(
    r"^(?:(?:Internal|Invalid argument|Not found|Unavailable|Unsupported): )?(?:\w+(?:Error|Exception): )?"
)


class LogTail:
    """The last lines of a log, and nothing older."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)

    def add(self, line: str) -> None:
        """Append one line, without its newline."""
        self._lines.append(line)

    def lines(self) -> list[str]:
        """A copy of the lines kept, oldest first."""
        return list(self._lines)


def start_error(lines: Iterable[str], exit_code: int) -> ServerStartError:
    """The error that says why Triton, which printed ``lines``, ended with ``exit_code``."""
    failures: dict[str, str] = {}
    syntax = fatal = None
    last = ""
    for raw in lines:
        line = _message(raw)
        last = line.strip() or last
        if port := _PORT.search(line):
            return PortInUseError(f"{port['where']} is already in use: stop what listens there, or choose another port")
        if parsed := _CONFIG_SYNTAX.search(line):
            syntax = parsed["why"]
        for pattern in _LOAD_FAILURES:
            if found := pattern.search(line):
                reason = _KIND.sub("", found["why"], count=1)
                if syntax is not None and "failed to read text proto" in reason:
                    reason, syntax = f"config.pbtxt:{syntax}", None
                failures.setdefault(found["model"], reason)
        if found := _FATAL.match(line):
            fatal = found["why"]
    if failures:
        return ModelLoadError(failures)
    return ServerStartError(f"Triton ended with exit code {exit_code}: {fatal or last or 'it printed nothing'}")


def _message(line: str) -> str:
    """The message of a log line, without its quotes and escapes; another line as it is."""
    found = _MESSAGE.match(line)
    if found is None:
        return line
    try:
        return str(json.loads(found["json"]))
    except json.JSONDecodeError:
        return found["json"].strip('"')
