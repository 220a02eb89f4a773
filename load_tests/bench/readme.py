"""The README's tables of figures, from a run of the bench: ``python -m load_tests.bench.readme README.md bench.json``.

What they mean is for people to write; the figures are copied by this, between ``<!-- name -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voicestress_model.evaluation.card import filled

from load_tests.bench.verdicts import shown, verdicts

Found = Mapping[str, Any]


def tables(found: Found) -> dict[str, str]:
    """Every table of the README, by its name there."""
    return {
        "verdicts": _markdown(("what", "wanted", "measured"), _verdicts(found)),
        "engines": _engines(found["engines"]["engines"]),
        "where": _where(found["where"]),
        "peers": _peers(found["peers"]),
        "growth": _growth(found["growth"]),
        "memory": _memory(found["memory"]),
    }


def _verdicts(found: Found) -> Iterable[Sequence[str]]:
    for verdict in verdicts(found):
        measured = shown(verdict.measured)
        wanted = f"{'at most ' if verdict.at_most else ''}{verdict.wanted:g} {verdict.unit}".strip()
        yield verdict.what, wanted, measured if verdict.reached else f"**{measured}**"


def _engines(engines: Sequence[Found]) -> str:
    sizes = engines[0]["by_batch_size"]
    header = ("engine", *(f"batch of {size}" for size in sizes), f"times {engines[0]['name']}")
    return _markdown(
        header,
        (
            (
                engine["name"],
                *(f"{rate:.1f}" for rate in engine["by_batch_size"].values()),
                f"{engine['ratio']:.2f} ({engine['lowest']:.2f} to {engine['highest']:.2f})",
            )
            for engine in engines
        ),
    )


def _where(found: Found) -> str:
    kinds = dict.fromkeys(kind for times in found.values() for kind in times)
    shares = [{kind: times.get(kind, 0.0) / sum(times.values()) for kind in kinds} for times in found.values()]
    return _markdown(
        ("operators", *(f"{name}, share of the time" for name in found)),
        ((kind, *(f"{share[kind]:.0%}" for share in shares)) for kind in kinds),
    )


def _peers(found: Found) -> str:
    rows = [
        (
            f"{peer['name']} {peer['version']}",
            peer["best"],
            f"{peer['audio_s_per_s']:.1f}",
            *(f"{peer[ratio]['median']:.2f}" for ratio in ("fp32_ratio", "int8_ratio")),
        )
        for peer in found["peers"]
    ]
    ours = [(f"**voicestress**, {name}", "as shipped", f"{rate:.1f}", "", "") for name, rate in found["ours"].items()]
    return _markdown(("server", "its best setting", "audio-s/s", "fp32 over it", "int8 over it"), [*rows, *ours])


def _growth(found: Found) -> str:
    fp32, int8 = found["fp32"], found["int8"]
    header = (
        "windows in a batch",
        "fp32, mixed lengths",
        "equal lengths",
        "mixed, padded",
        "int8, mixed",
        "memory, MB",
    )
    columns = [fp32["mixed"], fp32["equal"], found["padded"], int8["mixed"]]
    return _markdown(
        header,
        (
            (size, *(f"{column[size]:.1f}" for column in columns), f"{found['memory_mb'][size]:.0f}")
            for size in fp32["mixed"]
        ),
    )


def _memory(found: Found) -> str:
    return _markdown(
        ("largest batch", "after its start, MB", "busy with the longest windows, at most, MB"),
        ((size, f"{idle:.0f}", f"{found['busy_mb'][size]:.0f}") for size, idle in found["idle_mb"].items()),
    )


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def main() -> None:
    """Fill the README's tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readme", type=Path)
    parser.add_argument("bench", type=Path, help="bench.json")
    arguments = parser.parse_args()
    found = json.loads(arguments.bench.read_text(encoding="utf-8"))
    arguments.readme.write_text(filled(arguments.readme.read_text(encoding="utf-8"), tables(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
