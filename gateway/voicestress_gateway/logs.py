"""Logs: one line of JSON an event, without audio, names of files, or scores."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

_LOGGER = logging.getLogger("voicestress.gateway")


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            line["exception"] = kind.__name__  # and not its message: it may quote what was sent
            line["trace"] = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
        return json.dumps(line)


def set_up() -> None:
    """Have the gateway's log, and the errors of everything else, written to standard error.

    Warnings of others are left out: those of the form parser quote what was sent.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line has them
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    levels = {"": logging.ERROR, "voicestress.gateway": logging.INFO, "uvicorn.error": logging.WARNING}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def event(name: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    """Log an event."""
    _LOGGER.log(level, name, extra={"fields": fields}, exc_info=error)
