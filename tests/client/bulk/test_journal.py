"""What is written stays written, whenever the process dies."""

from __future__ import annotations

import json

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voicestress import ModelInfo, StressReport, WindowReport
from voicestress.bulk.journal import Journal
from voicestress.bulk.results import SCHEMA, scored_in, write_results
from voicestress.bulk.sources import SourceError
from voicestress.bulk.throttle import Throttle


def entry(name, level=50.0):
    emotions = {"neutral": 0.5, "anxious": 0.5}
    window = {"start_s": 0.0, "end_s": 2.0, "speech_s": 1.5, "stress_level": level, "emotions": emotions}
    model = {
        "name": "stress",
        "version": "1",
        "checkpoint": "c",
        "weights": "trained",
        "precision": "fp32",
        "status_threshold": 70.0,
        "policy": "label_weights",
        "heuristic": False,
    }
    return {
        "recording": name,
        "stress_level": level,
        "status": "Normal",
        "emotions": emotions,
        "duration_s": 3.0,
        "speech_s": 1.5,
        "windows": [window],
        "model": model,
    }


def test_lines_come_back_in_order(tmp_path):
    with Journal(tmp_path / "j") as journal:
        for number in range(5):
            journal.write({"recording": f"süß\n{number}"})
    with Journal(tmp_path / "j") as journal:
        assert [line["recording"] for line in journal.entries()] == [f"süß\n{number}" for number in range(5)]


@settings(max_examples=60, deadline=None)
@given(lines=st.integers(0, 4), torn=st.binary(max_size=200).filter(lambda b: b"\n" not in b))
def test_a_torn_last_line_never_happened(tmp_path_factory, lines, torn):
    path = tmp_path_factory.mktemp("journal") / "j"
    whole = b"".join(json.dumps({"recording": str(n)}).encode() + b"\n" for n in range(lines))
    path.write_bytes(whole + torn)
    with Journal(path) as journal:
        journal.write({"recording": "next"})
        assert [line["recording"] for line in journal.entries()] == [*map(str, range(lines)), "next"]


def test_a_long_torn_line_never_happened(tmp_path):
    (tmp_path / "j").write_bytes(b'{"recording": "a"}\n' + b"x" * 300_000)
    with Journal(tmp_path / "j") as journal:
        assert [line["recording"] for line in journal.entries()] == ["a"]


def test_one_process_at_a_time(tmp_path):
    with Journal(tmp_path / "j"), pytest.raises(SourceError, match="another process"):
        Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


def test_where_it_cannot_be_written_is_named(tmp_path):
    with pytest.raises(SourceError, match="can't be written"):
        Journal(tmp_path / "nowhere" / "j")


def test_results_have_a_row_for_each_recording_once(tmp_path):
    out = tmp_path / "out.parquet"
    assert scored_in(out) == set()
    assert write_results(out, [entry("a"), entry("b", 20.0), entry("a", 99.0)]) == 2
    assert write_results(out, [entry("b", 99.0), entry("c")]) == 3
    assert scored_in(out) == {"a", "b", "c"}
    rows = pyarrow.parquet.read_table(out).to_pylist()
    assert [(row["recording"], row["stress_level"]) for row in rows] == [("a", 50.0), ("b", 20.0), ("c", 50.0)]
    assert dict(rows[0]["windows"][0]["emotions"]) == {"neutral": 0.5, "anxious": 0.5}
    assert rows[0]["model"]["checkpoint"] == "c"
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_results_have_a_column_for_all_that_a_report_has():
    def names(of):
        return {each.name for each in of}

    assert names(SCHEMA) == {"recording", *StressReport.model_fields}
    assert names(SCHEMA.field("windows").type.value_type) == set(WindowReport.model_fields)
    assert names(SCHEMA.field("model").type) == set(ModelInfo.model_fields)


def test_results_of_nothing_are_a_file_without_rows(tmp_path):
    write_results(tmp_path / "out.parquet", [])
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").num_rows == 0


def test_a_throttle_yields_to_a_full_server_and_recovers():
    throttle = Throttle(16)
    for _ in range(3):
        throttle.overloaded()
    assert throttle.limit == 4
    for _ in range(200):
        throttle.succeeded()
    assert throttle.limit == 16
    for _ in range(50):
        throttle.overloaded()
    assert throttle.limit == 1
