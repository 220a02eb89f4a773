"""What master and workers tell each other, by the names of Locust's custom messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from voicestress_load.results import REQUESTS

# From the master, with a worker's index, their number, and
SETTINGS = "voicestress_settings"  # what to send, and where
IDLE = "voicestress_idle"  # how many requests to send one at a time
OPEN_LOOP = "voicestress_open_loop"  # arrivals, and in how many seconds the run's zero is, or was
CLOSED_LOOP = "voicestress_closed_loop"  # callers, and the same
STOP = "voicestress_stop"  # nothing
# From a worker:
READY = "voicestress_ready"  # that it listens
INTRODUCED = "voicestress_introduced"  # what is served, or why it can't be used
IDLED = "voicestress_idled"  # latencies, or why there are none
ROWS = "voicestress_rows"  # some of its requests
SENT = "voicestress_sent"  # how many it sent, all of which are told by now

_WORKER_COLUMN = REQUESTS.get_field_index("worker")


def packed(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows of ``REQUESTS`` without the worker, as they travel."""
    fields = [field for field in REQUESTS if field.name != "worker"]
    columns = zip(*rows, strict=True)
    batch = pa.record_batch(
        [pa.array(column, type=field.type) for field, column in zip(fields, columns, strict=True)],
        schema=pa.schema(fields),
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def unpacked(message: bytes, worker: int) -> pa.Table:
    """The ``REQUESTS`` in a message of a worker."""
    table = pa.ipc.open_stream(message).read_all()
    column = pa.array([worker] * table.num_rows, type=pa.int32())
    return table.add_column(_WORKER_COLUMN, "worker", column).cast(REQUESTS)
