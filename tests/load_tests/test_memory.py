"""A server's memory is that of all its processes, and a flood of long windows shows in it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from load_tests.bench import memory

_HOLDS_200_MB = "import subprocess, sys; b = bytearray(200_000_000); b[::4096] = b'x' * len(b[::4096]); {}; input()"
_AND_SO_DOES_ITS_CHILD = "c = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=0)"


def test_the_memory_of_a_server_s_children_counts():
    child = _HOLDS_200_MB.format("print('ready', flush=True)")
    code = _HOLDS_200_MB.format(_AND_SO_DOES_ITS_CHILD)
    with subprocess.Popen(
        [sys.executable, "-c", code, child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stdout.readline() == "ready\n"
            assert 400 < memory.memory_mb(parent.pid) < 480
        finally:
            parent.communicate("\n\n", timeout=10)


def test_of_a_server_idle_busy_and_flooded_with_windows_that_are_too_long(tiny_model):
    found = memory.measure(tiny_model, threads=1, seconds=3.0, batch_sizes=(1, 4))
    assert list(found.idle_mb) == list(found.busy_mb) == [1, 4]
    assert all(30 < found.idle_mb[size] < found.busy_mb[size] < 2_000 for size in (1, 4))
    held_mb = found.queue_windows * found.overlong_s * 16_000 * np.dtype(np.int16).itemsize / 1e6
    assert found.overlong_mb == pytest.approx(found.busy_mb[1] + held_mb, rel=0.6)
    assert not list((tiny_model / "configs").glob("measured*"))
