"""Importing this makes a process gevent's: before anything else that opens sockets, sleeps or locks.

soundfile comes first. Encoders are threads, and the lock that soundfile has them share must be one of threads: a lock
of gevent's that threads wait for can be lost, and all that is encoded after it waits for ever.
"""

from __future__ import annotations

import soundfile  # noqa: F401 - for the lock that it makes
from gevent import monkey

monkey.patch_all()
