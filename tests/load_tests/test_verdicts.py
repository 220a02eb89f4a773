"""What the bench says is enough is enough, and what falls short is said to."""

from __future__ import annotations

import copy

import pytest

from load_tests.bench.page import render
from load_tests.bench.verdicts import Verdict, shown, table, verdicts

SIZES = {"1": 1.0, "2": 1.02, "4": 0.97, "8": 0.9}
BY_BATCH = dict.fromkeys(("mixed", "equal", "mixed_over_equal", "mixed_over_alone"), SIZES)


def engine(name, ratio):
    rates = dict.fromkeys(SIZES, 10.0)
    return {"name": name, "by_batch_size": rates, "batch_size": 4, "audio_s_per_s": 10.0, "ratio": ratio,
            "lowest": ratio, "highest": ratio}  # fmt: skip


FOUND = {
    "about": {
        "architecture": "tiny", "threads": 2, "processor": "a <CPU>", "commands": ["bench", "bench --parts served"],
        "versions": {"a": "1"},
    },
    "engines": {
        "engines": [engine("Hugging Face", 1.0), engine("padding-free fp32", 1.4), engine("padding-free int8", 1.9)],
        "alone": [engine("Hugging Face", 1.0), engine("padding-free fp32", 1.4)],
        "peak_gflops": 100.0,
        "gflop_per_audio_s": 14.0,
        "ceiling_audio_s_per_s": 12.0,
        "fp32_share_of_ceiling": 0.9,
    },
    "client": {
        "figures": [
            {"name": "WAV", "bound": "at least", "target": 1500, "measured": 3000.0, "unit": "audio-s/s"},
            {"name": "detector alone", "bound": "", "target": None, "measured": 150.0, "unit": "audio-s/s"},
            {"name": "FLAC over the detector", "bound": "at most", "target": 10, "measured": 20.0, "unit": "%"},
        ]
    },
    "neighbours": {"fp32": {"logits": 1e-7, "level": 0.0}, "int8": {"logits": 0.0, "level": 0.0}},
    "demo_int8": {"windows": 50, "mean": 0.4, "largest": 2.0, "same_status": 50},
    "growth": {
        "padded_with": "plain", "fp32": BY_BATCH, "int8": BY_BATCH, "padded": SIZES, "memory_mb": SIZES,
    },
    "served": {
        "fp32": {
            "direct_audio_s_per_s": 10.0, "served_audio_s_per_s": 9.5, "served_over_direct": 0.95,
            "idle_direct_s": 0.5, "idle_served_s": 0.51,
            "loads": [{"share": 0.7, "p50_s": 1.0, "p95_s": 2.0, "p99_s": 3.0, "queue_p99_s": 2.0}],
        }
    },
    "where": {"fp32": {"matrix products": 30.0, "GELU": 10.0}, "int8": {"matrix products": 9.0, "quantising": 1.0}},
    "memory": {
        "idle_mb": {"1": 400.0}, "busy_mb": {"1": 812.0}, "overlong_mb": 1234.0, "overlong_s": 80.0,
        "queue_windows": 64,
    },
    "overload": {"flood_share": 0.95, "rejected": 70, "rejection_p95_s": 0.1, "neither": 0, "recovery_s": 3.0},
}  # fmt: skip


def judged(found):
    return {verdict.what: verdict.reached for verdict in verdicts(found)}


def test_everything_that_was_measured_is_judged():
    found = judged(FOUND)
    assert len(found) == 25
    short = {what for what, reached in found.items() if not reached}
    assert short == {
        "int8 engine against Hugging Face, each at its best batch",
        "client: FLAC over the detector",
        *(
            f"{precision} batches of {size} {against}"
            for precision in ("fp32", "int8")
            for size, against in (
                ("4, as served,", "against their windows one by one"),
                ("8, the worst size,", "against their windows one by one"),
                ("8, the worst size,", "of mixed lengths against equal ones"),
            )
        ),
        "fp32 p99 at 70% load against a queue with the engine's own times",
    }


def test_what_was_not_measured_is_not_judged():
    assert verdicts({"about": {}}) == []
    assert len(judged({"overload": FOUND["overload"]})) == 5


def test_a_flood_that_nothing_was_turned_away_from_proves_nothing():
    found = {"overload": {**FOUND["overload"], "rejected": 0, "rejection_p95_s": None}}
    assert [what for what, reached in judged(found).items() if not reached] == ["then, requests rejected"]
    assert "nan" not in render({"about": FOUND["about"], **found})


def test_a_part_that_failed_is_named_on_the_page():
    page = render({"about": FOUND["about"], "failed": {"peers": "OSError: no <port>"}})
    assert "<strong>peers</strong> was not measured, because it failed: OSError: no &lt;port&gt;" in page


@pytest.mark.parametrize(("measured", "reached"), [(0.89, False), (0.9, True), (1.2, True)])
def test_a_verdict_turns_at_what_was_wanted(measured, reached):
    found = copy.deepcopy(FOUND)
    found["overload"]["flood_share"] = measured
    assert judged(found)["at three times capacity, of the work done at capacity"] is reached


def test_what_is_to_stay_small_is_enough_when_it_does():
    assert Verdict("waits", 5.0, 4.9, "s", at_most=True).reached
    assert not Verdict("waits", 5.0, 5.1, "s", at_most=True).reached


def test_the_table_and_the_page_say_what_falls_short():
    lines = table(verdicts(FOUND))
    assert sum(line.endswith("short") for line in lines) == 9
    page = render(FOUND)
    assert page.count("<strong>short</strong>") == 9
    assert page.count("<small>decoding it is most of that</small>") == 1  # a reason stands where something is short
    assert "<td>30.0 (75%)</td><td>9.0 (90%)</td>" in page
    assert "<td>812</td>" in page
    assert "a &lt;CPU&gt;" in page
    assert "<code>bench\nbench --parts served</code>" in page
    assert "http" not in page.replace("http://www.w3.org", "")  # it asks nobody for anything


@pytest.mark.parametrize(("value", "text"), [(1.234, "1.23"), (0.0, "0.00"), (3e-7, "3.0e-07"), (1234.5, "1234")])
def test_figures_are_shown_with_as_many_digits_as_they_mean(value, text):
    assert shown(value) == text
