"""A process of the load generator: ``python -m voicestress_load.node master``, or ``worker HOST PORT``.

gevent and gRPC's gevent form come before everything else: what is imported earlier would block all greenlets.
"""

from __future__ import annotations

if __name__ == "__main__":
    import voicestress_load.patched  # noqa: F401 - nothing may come before it

import logging
import os
import sys
import traceback

import gevent
from gevent.socket import wait_read
from grpc.experimental.gevent import init_gevent

_FAILED = 70  # EX_SOFTWARE: none of the codes that say how a run went


def main(arguments: list[str]) -> int:
    """Be a master, told what to do by the first line of its input, or a worker of one."""
    init_gevent()
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    if arguments[0] == "master":
        from voicestress_load.master import conduct
        from voicestress_load.settings import Settings

        settings = Settings.model_validate_json(sys.stdin.buffer.readline())
        gevent.spawn(_end_with_parent)
        return conduct(settings)
    from voicestress_load.worker import work

    if arguments[3:] == ["--child"]:
        gevent.spawn(_end_with_parent)
    return work(arguments[1], int(arguments[2]))


def _end_with_parent() -> None:
    """End when whoever started this process is gone: its end of the pipe is closed then, however it went."""
    while True:
        wait_read(sys.stdin.fileno())
        if not os.read(sys.stdin.fileno(), 4096):
            os._exit(_FAILED)


def _run() -> None:
    """Do it, and leave without the clean-up of an interpreter: threads of gRPC would keep it."""
    code = _FAILED
    try:
        code = main(sys.argv[1:])
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _run()
