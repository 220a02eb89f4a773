"""The tables of a model card, from the report of an evaluation: ``python -m voicestress_model.evaluation.card``.

What a card says in words is for people to write; its figures are copied by this, between the lines ``<!-- run -->``,
``<!-- tiers -->``, ``<!-- noise -->`` or ``<!-- chance -->`` and the next ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

Report = Mapping[str, Any]


def filled(card: str, tables: Mapping[str, str]) -> str:
    """``card`` with each of ``tables`` in its place.

    Raises:
        ValueError: the card has no place for one of them.
    """
    for name, table in tables.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?\n?(<!-- end -->)", re.DOTALL)
        card, found = place.subn(lambda match, table=table: match[1] + table + "\n" + match[2], card)
        if found != 1:
            raise ValueError(f"the card has {found} places <!-- {name} --> … <!-- end -->, one needed")
    return card


def run_table(record: Mapping[str, Any]) -> str:
    """How the model was trained, from the record of its run (``training.json``)."""
    corpus, settings = record["corpus"], record["settings"]
    lines = ["| | |", "| --- | --- |"]
    for name, words in (("train", "trained on"), ("dev", "chosen and calibrated on")):
        split = corpus[name]
        lines.append(f"| {words} | {split['recordings']:,} recordings, {split['audio_s'] / 60:.0f} minutes |")
    done, best = len(record["epochs"]), record["best_epoch"]
    lines += [
        f"| parameters | {record['parameters']:,} |",
        f"| epochs | {done} of {settings['epochs']}, of which number {best} was kept |",
        f"| time | {record['wall_s'] / 60:.0f} minutes, {record['processes']} processes, threads of each: "
        f"{record['threads']} |",
        f"| temperature | {record['temperature']:.3f} |",
    ]
    return "\n".join(lines)


def tiers_table(report: Report) -> str:
    """Recall against the baseline and the ceiling, the level's AUC and the calibration error, a line a tier."""
    lines = [
        "| tier | UAR | prosody | ceiling | share of the ceiling | AUC | calibration error |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for tier in report["tiers"]:
        compared = {found["name"]: found for found in tier["comparisons"]}
        uar, after = tier["uar"], tier["after"]
        cells = [
            tier["name"].replace("_", " "),
            f"**{uar['value']:.3f}** [{uar['low']:.2f}, {uar['high']:.2f}]",
            f"{compared['prosody']['uar']['value']:.3f}",
            f"{compared['ceiling']['uar']['value']:.3f}",
            f"{compared['ceiling']['model_share']:.0%}",
            f"{tier['separation']['auc']['value']:.3f}",
            f"{after['error']:.3f} ({after['error_if_calibrated']:.3f})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def noise_table(report: Report) -> str:
    """Recall under each distortion, and by how far levels move."""
    lines = ["| condition | UAR | level moves by |", "| --- | --- | --- |"]
    for condition in report["robustness"]["conditions"]:
        moves = condition["mean_absolute_change"]
        lines.append(f"| {condition['name']} | {condition['uar']['value']:.2f} | {moves:.1f} |")
    return "\n".join(lines)


def chance_table(reports: Sequence[Report]) -> str:
    """Recall of models that were trained on shuffled labels, one a shuffle."""
    lines = ["| tier | UAR, mean of the shuffles | each |", "| --- | --- | --- |"]
    for tiers in zip(*(report["tiers"] for report in reports), strict=True):
        recalls = [tier["uar"]["value"] for tier in tiers]
        each = ", ".join(f"{recall:.3f}" for recall in recalls)
        lines.append(f"| {tiers[0]['name'].replace('_', ' ')} | {fmean(recalls):.3f} | {each} |")
    return "\n".join(lines)


def main() -> None:
    """Fill the card's tables from the reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=Path)
    parser.add_argument("report", type=Path, help="report.json of the model")
    parser.add_argument("--training", type=Path, help="training.json of the model")
    parser.add_argument("--chance", type=Path, nargs="+", help="report.json of each trained on shuffled labels")
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text(encoding="utf-8"))
    tables = {"tiers": tiers_table(report), "noise": noise_table(report)}
    if arguments.training is not None:
        tables["run"] = run_table(json.loads(arguments.training.read_text(encoding="utf-8")))
    if arguments.chance is not None:
        tables["chance"] = chance_table([json.loads(path.read_text(encoding="utf-8")) for path in arguments.chance])
    card = arguments.card.read_text(encoding="utf-8")
    arguments.card.write_text(filled(card, tables), encoding="utf-8")


if __name__ == "__main__":
    main()
