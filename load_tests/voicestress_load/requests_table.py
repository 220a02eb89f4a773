"""Reading the table of requests: which ones, how long they took, how late they were sent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]


def within(requests: pa.Table, from_s: float, until_s: float) -> pa.Table:
    """Those meant to be sent from ``from_s`` up to before ``until_s``."""
    meant_s = column(requests, "meant_s")
    return requests.filter(pa.array((meant_s >= from_s) & (meant_s < until_s)))


def scored(requests: pa.Table) -> pa.Table:
    """Those that got a score."""
    return requests.filter(
        pa.array([outcome == "scored" for outcome in requests.column("outcome").to_pylist()], pa.bool_())
    )


def column(requests: pa.Table, name: str) -> Floats:
    """A column of numbers as an array ``[n]``."""
    return np.asarray(requests.column(name).to_numpy(), dtype=np.float64)


def latency_ms(requests: pa.Table) -> Floats:
    """From when each was meant to be sent to its answer, in milliseconds ``[n]``."""
    return 1e3 * (column(requests, "answered_s") - column(requests, "meant_s"))


def lag_ms(requests: pa.Table) -> Floats:
    """How much later than meant each was sent, in milliseconds ``[n]``."""
    return 1e3 * (column(requests, "sent_s") - column(requests, "meant_s"))
