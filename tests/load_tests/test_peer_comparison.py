"""Counting, searching and taking turns, without a server."""

from __future__ import annotations

import pytest

from load_tests.bench.arrivals import Answer, busy_per_s
from load_tests.bench.page import render
from load_tests.bench.peers import best, in_turns, ratio, search
from load_tests.bench.verdicts import verdicts
from load_tests.peers.catalogue import FLASK, LITSERVE
from load_tests.peers.process import PeerError
from load_tests.peers.setting import Setting

TWO_BY_ONE = Setting(2, 1)


def batches_of_four(seconds: int, every_s: float) -> list[Answer]:
    """Four windows of 2 s each answered together, ``every_s`` seconds."""
    times = [every_s * number for number in range(1, int(seconds / every_s) + 1)]
    return [Answer(at - every_s, at + 0.001 * place, 2.0, "scored") for at in times for place in range(4)]


@pytest.mark.parametrize("until_s", [11.0, 12.4, 14.9])
def test_batches_are_counted_whole_wherever_the_clock_stops(until_s):
    answers = batches_of_four(20, every_s=2.5)
    assert busy_per_s(answers, from_s=4.0, until_s=until_s) == pytest.approx(8.0 / 2.5, rel=0.01)


def test_without_an_answer_in_between_there_is_no_figure():
    answers = batches_of_four(20, every_s=2.5)
    with pytest.raises(ValueError, match="no answer from 3 to 4 s"):
        busy_per_s(answers, from_s=3.0, until_s=4.0)
    with pytest.raises(ValueError, match="a single answer up to 4 s"):
        busy_per_s(answers[:1], from_s=1.0, until_s=4.0)


def test_the_search_doubles_the_batch_of_the_best_layout_while_that_helps():
    def measured(_: object, setting: Setting) -> float:
        return setting.workers + {1: 0.0, 2: 0.5, 4: 0.4}[setting.batch_size]

    tried = search(LITSERVE, measured)
    assert list(tried) == [Setting(1, 2), TWO_BY_ONE, Setting(2, 1, 2), Setting(2, 1, 4)]
    assert best(tried) == Setting(2, 1, 2)


def test_the_search_ends_at_the_largest_batch():
    tried = search(LITSERVE, lambda _, setting: setting.batch_size)
    assert max(setting.batch_size for setting in tried) == 8


def test_what_does_not_batch_is_tried_in_its_layouts_only():
    assert list(search(FLASK, lambda _, setting: setting.workers)) == list(FLASK.layouts)


def test_turns_go_to_and_fro_and_who_fails_is_left_out():
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        if order == ["a", "b", "c", "c", "b"]:
            raise PeerError("it fell over")
        return 1.0

    why: dict[str, str] = {}
    rates = in_turns({name: lambda name=name: run(name) for name in "abc"}, 3, why)
    assert order == ["a", "b", "c", "c", "b", "a", "a", "c"]
    assert why == {"b": "it fell over"}
    assert [len(rates[name]) for name in "abc"] == [3, 1, 3]


def test_ratios_are_of_a_rounds_own_pair():
    found = ratio([2.0, 6.0, 4.0], [1.0, 2.0, 4.0])
    assert (found.median, found.lowest, found.highest) == (2.0, 1.0, 3.0)


def test_a_setting_survives_the_environment(monkeypatch):
    setting = Setting(2, 1, 4, "gunicorn")
    for name, value in setting.to_environment().items():
        monkeypatch.setenv(name, value)
    assert Setting.from_environment() == setting
    assert str(setting) == "gunicorn, 2 x 1 threads, batches of 4"


def figures(name: str, fp32: float) -> dict[str, object]:
    ratios = {"median": fp32, "lowest": fp32 - 0.1, "highest": fp32 + 0.1}
    return {
        "name": name,
        "version": "1.2.3",
        "tried": {"2 x 1 threads": 5.5},
        "best": "2 x 1 threads",
        "audio_s_per_s": 5.5,
        "fp32_ratio": ratios,
        "int8_ratio": {key: 1.5 * value for key, value in ratios.items()},
    }


def test_the_page_and_the_verdict_name_every_peer_and_why_one_is_missing():
    found = {
        "about": {
            "architecture": "tiny",
            "threads": 2,
            "processor": "a processor",
            "commands": ["run"],
            "versions": {},
        },
        "peers": {
            "ours": {"fp32": 7.7, "int8": 11.0},
            "peers": [figures("LitServe", 1.4), figures("Ray Serve", 1.25)],
            "not_measured": {"MLServer": "it could not be installed: <ERROR> no such version"},
        },
    }
    page = render(found)
    for text in ("LitServe", "Ray Serve", "1.40", "2 x 1 threads: 5.5", "MLServer was not measured", "&lt;ERROR&gt;"):
        assert text in page
    assert [(v.wanted, v.measured, v.reached) for v in verdicts(found)] == [(1.3, 1.25, False), (2.0, 1.875, False)]


def test_without_any_peer_there_is_no_verdict():
    assert verdicts({"peers": {"ours": {}, "peers": [], "not_measured": {"LitServe": "not here"}}}) == []
