"""What was wanted, what was measured, and whether that is enough: the first thing to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Any]

_IDLE_FACTOR, _IDLE_S = 1.05, 0.003
_BUSY_SHARE = 0.7
_SERVED_BATCH = "4"  # as many windows as the shipped configuration puts together
_REJECTION_S = 1.0


@dataclass(frozen=True)
class Verdict:
    """``measured`` against ``wanted``, which it must reach, or stay under where ``at_most``; ``known`` is what is known
    to keep it from there.
    """

    what: str
    wanted: float
    measured: float
    unit: str = ""
    at_most: bool = False
    known: str = ""

    @property
    def reached(self) -> bool:
        """Whether it is enough."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted


def verdicts(found: Found) -> list[Verdict]:
    """A verdict for everything that was wanted of the parts that were measured."""
    return [verdict for name, of_part in _PARTS.items() if name in found for verdict in of_part(found[name])]


def table(judged: list[Verdict]) -> list[str]:
    """The verdicts as lines of text."""
    lines = [f"{'':68}{'wanted':>12}{'measured':>12}"]
    for verdict in judged:
        wanted = f"{'at most ' if verdict.at_most else ''}{verdict.wanted:g}"
        short = "" if verdict.reached else "   short"
        lines.append(f"{verdict.what:66}{wanted:>14}{shown(verdict.measured):>12} {verdict.unit}{short}")
    return lines


def shown(value: float) -> str:
    """Three digits, and no false precision."""
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _engines(found: Found) -> Iterator[Verdict]:
    engines = {engine["name"]: engine for engine in found["engines"]}
    baseline = found["engines"][0]["name"]
    for precision, wanted in (("fp32", 1.3), ("int8", 2.0)):
        ratio = engines[f"padding-free {precision}"]["ratio"]
        yield Verdict(f"{precision} engine against {baseline}, each at its best batch", wanted, ratio, "times")
    alone = next(engine for engine in found["alone"] if engine["name"] == "padding-free fp32")
    yield Verdict(f"fp32 engine against {baseline}, one window of 5 s alone", 1.3, alone["ratio"], "times")
    share = found["fp32_share_of_ceiling"]
    known = "what is no product takes time too: see where the time goes"
    yield Verdict("fp32 engine against this machine's matrix products alone", 0.85, share, "times", known=known)


def _client(found: Found) -> Iterator[Verdict]:
    for figure in found["figures"]:
        if figure["target"] is not None:
            at_most = figure["bound"] == "at most"
            known = "decoding it is most of that" if at_most else ""
            what, unit = f"client: {figure['name']}", figure["unit"]
            yield Verdict(what, figure["target"], figure["measured"], unit, at_most=at_most, known=known)


def _neighbours(found: Found) -> Iterator[Verdict]:
    yield Verdict("fp32 logits with other neighbours differ by", 1e-5, found["fp32"]["logits"], at_most=True)
    yield Verdict(
        "int8 levels with other neighbours, to two decimals, differ by", 0, found["int8"]["level"], at_most=True
    )


def _demo_int8(found: Found) -> Iterator[Verdict]:
    yield Verdict("int8 changes the demo model's level, on average, by", 1.0, found["mean"], "points", at_most=True)


def _growth(found: Found) -> Iterator[Verdict]:
    known = "more than four windows share a padded view, and leave the cache; as served, batches are of 4"
    for precision in ("fp32", "int8"):
        for name, against, wanted in (
            ("mixed_over_equal", "of mixed lengths against equal ones", 0.95),
            ("mixed_over_alone", "against their windows one by one", 1.0),
        ):
            by_size = {str(size): ratio for size, ratio in found[precision][name].items()}
            worst = min(by_size, key=by_size.__getitem__)
            what = f"{precision} batches of {_SERVED_BATCH}, as served, {against}"
            yield Verdict(what, wanted, by_size[_SERVED_BATCH], "times")
            what = f"{precision} batches of {worst}, the worst size, {against}"
            yield Verdict(what, wanted, by_size[worst], "times", known=known)


def _served(found: Found) -> Iterator[Verdict]:
    for precision, served in found.items():
        yield Verdict(
            f"{precision} served, busy, against the engine called directly", 0.92, served["served_over_direct"]
        )
        spare_ms = 1000 * (served["idle_served_s"] - _IDLE_FACTOR * served["idle_direct_s"])
        what = f"{precision} served, idle, beyond {_IDLE_FACTOR} times the engine's own time"
        yield Verdict(what, 1000 * _IDLE_S, spare_ms, "ms", at_most=True)
        load = next(load for load in served["loads"] if load["share"] == _BUSY_SHARE)
        what = f"{precision} p99 at {_BUSY_SHARE:.0%} load against a queue with the engine's own times"
        yield Verdict(what, 1.25, load["p99_s"] / load["queue_p99_s"], "times", at_most=True)


def _peers(found: Found) -> Iterator[Verdict]:
    if not found["peers"]:  # none can be run here, and the page says why
        return
    for precision, wanted in (("fp32", 1.3), ("int8", 2.0)):
        peer = min(found["peers"], key=lambda peer: peer[f"{precision}_ratio"]["median"])
        what = f"{precision} served against the best peer, {peer['name']}"
        yield Verdict(what, wanted, peer[f"{precision}_ratio"]["median"], "times")


def _overload(found: Found) -> Iterator[Verdict]:
    yield Verdict("at three times capacity, of the work done at capacity", 0.9, found["flood_share"], "times")
    yield Verdict("then, requests rejected", 1, found["rejected"])
    if found["rejection_p95_s"] is not None:
        yield Verdict("then, 95 % of the rejections within", _REJECTION_S, found["rejection_p95_s"], "s", at_most=True)
    yield Verdict("then, requests neither scored nor rejected", 0, found["neither"], at_most=True)
    yield Verdict("after it, back to calm latencies within", 5.0, found["recovery_s"], "s", at_most=True)


_PARTS = {
    "engines": _engines,
    "client": _client,
    "neighbours": _neighbours,
    "demo_int8": _demo_int8,
    "growth": _growth,
    "served": _served,
    "peers": _peers,
    "overload": _overload,
}
