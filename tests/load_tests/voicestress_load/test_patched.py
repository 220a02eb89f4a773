"""In a process of gevent's, encoders that are threads share a lock that is one of threads."""

from __future__ import annotations

import subprocess
import sys

CONTENDED = """
import voicestress_load.patched
import time, gevent, soundfile
from gevent.threadpool import ThreadPool

lock, pool = soundfile.SoundFile._sf_error_lock, ThreadPool(2)

def hold(seconds):
    with lock:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass

for _ in range(40):
    for held in [pool.spawn(hold, 0.003) for _ in range(4)]:
        held.get(timeout=5)
    gevent.sleep(0)
print(gevent.socket.socket is __import__("socket").socket, type(lock).__module__)
"""


def test_encoders_that_wait_for_each_other_are_not_lost():
    """By a lock of gevent's, one in some thousand encodings never ended, and the run with it."""
    done = subprocess.run([sys.executable, "-c", CONTENDED], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True _thread\n", done.stderr
