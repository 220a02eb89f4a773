"""What an evaluation leaves on disk: ``report.json`` for programs, ``report.html`` and its pictures for people."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from voicestress_model.evaluation import words
from voicestress_model.evaluation.evaluation import Evaluation
from voicestress_model.evaluation.page import render_page
from voicestress_model.evaluation.pictures import write_pictures


def write_report(evaluation: Evaluation, folder: Path, *, command: str) -> None:
    """Write ``report.json``, ``report.html`` and ``pictures/*.svg`` to ``folder``; ``command`` is what made them."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(as_json(evaluation, command), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(figures + "\n", encoding="utf-8")
    (folder / "report.html").write_text(render_page(evaluation, command), encoding="utf-8")
    write_pictures(evaluation, folder / "pictures")


def as_json(evaluation: Evaluation, command: str) -> dict[str, Any]:
    """Every figure of an evaluation; what is not a number is null."""
    found = {field.name: getattr(evaluation, field.name) for field in dataclasses.fields(evaluation)}
    contract, rejected, agreement = found.pop("contract"), found.pop("rejected"), found.pop("agreement")
    return {
        "command": command,
        "what_it_is_not": list(words.WHAT_IT_IS_NOT),
        "model": contract.model_dump(mode="json"),
        **{name: _plain(value) for name, value in found.items()},
        "agreement": None if agreement is None else {**_plain(agreement), "holds": agreement.holds},
        "rejected": {
            "count": len(rejected),
            "share": evaluation.rejected_share,
            "utterances": [
                {"path": str(item.utterance.path), "split": item.utterance.split, "reason": item.reason}
                for item in rejected
            ],
        },
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
