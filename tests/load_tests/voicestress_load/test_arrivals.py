"""When requests go: the same for all who share them, and as a trace has them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from voicestress_load.arrivals import Arrivals, poisson_arrivals, read_trace
from voicestress_load.errors import BadInput
from voicestress_load.results import REQUESTS, write_requests

PARTS = [(0, 50.0, 10.0, 20.0), (1, 200.0, 20.0, 30.0)]


def test_the_shares_of_all_workers_are_the_whole():
    whole = poisson_arrivals(PARTS, first_number=100, seed=1)
    for workers in (1, 2, 5):
        shares = [whole.share(worker, workers) for worker in range(workers)]
        together = np.sort(np.concatenate([share.number for share in shares]))
        assert np.array_equal(together, whole.number)
        for share in shares:
            assert np.array_equal(share.meant_s, whole.meant_s[share.number - 100])


def test_each_part_has_its_rate_and_its_time():
    arrivals = poisson_arrivals(PARTS, first_number=0, seed=1)
    assert np.all(np.diff(arrivals.meant_s) >= 0)
    for step, rate, from_s, until_s in PARTS:
        times = arrivals.meant_s[arrivals.step == step]
        assert from_s <= times.min()
        assert times.max() < until_s
        assert len(times) == pytest.approx(rate * 10, rel=0.15)


def test_a_part_is_the_same_whenever_it_is_run():
    early, late = (poisson_arrivals([(3, 50.0, at, at + 10)], first_number=0, seed=1) for at in (0.0, 500.0))
    assert np.allclose(late.meant_s - 500.0, early.meant_s)
    other = poisson_arrivals([(3, 50.0, 0.0, 10.0)], first_number=0, seed=2)
    assert not np.array_equal(early.meant_s[:50], other.meant_s[:50])


def test_arrivals_travel_as_they_are():
    whole = poisson_arrivals(PARTS, first_number=7, seed=1)
    traced = Arrivals(whole.number, whole.step, whole.meant_s, np.ones(len(whole)), ("a",) * len(whole))
    for sent in (whole, traced):
        got = Arrivals.from_message(sent.to_message())
        assert np.array_equal(got.meant_s, sent.meant_s)
        assert np.array_equal(got.number, sent.number)
        assert got.kind == sent.kind


def test_a_trace_is_replayed_from_its_first_request_on(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("kind,meant_s,audio_s,who\nb,101.5,2.0,x\na,100.0,1.0,y\n")
    trace = read_trace(file)
    assert trace.meant_s.tolist() == [0.0, 1.5]
    assert trace.kind == ("a", "b")
    assert trace.seconds == 3.0
    assert trace.arrivals(step=0, from_s=5.0, first_number=0).meant_s.tolist() == [5.0, 6.5]


def test_a_kept_run_is_a_trace(tmp_path):
    row = {"meant_s": 3.0, "audio_s": 2.5, "kind": "call"}
    empty = {field.name: "" if field.type == pa.string() else 0 for field in REQUESTS}
    write_requests(tmp_path, pa.Table.from_pylist([{**empty, **row}], schema=REQUESTS))
    assert read_trace(tmp_path / "requests.parquet").audio_s.tolist() == [2.5]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("meant_s,audio_s\n1,2\n", "no column kind"),
        ("meant_s,audio_s,kind\n", "the trace has no requests"),
        ("meant_s,audio_s,kind\n1,2,a\n2,long,a\n", "request 2: audio_s is 'long'"),
        ("meant_s,audio_s,kind\n1,-2,a\n", "request 1: meant_s 1, audio_s -2"),
    ],
)
def test_a_trace_that_can_not_be_used_says_where(tmp_path, text, words):
    file = tmp_path / "trace.csv"
    file.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_trace(file)
