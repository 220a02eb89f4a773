"""How good a model is on a corpus: ``voicestress evaluate``, and the same from Python.

Names are resolved on first use, so that the command's help answers where scikit-learn is not installed.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Evaluation": "evaluation",
    "EvaluationError": "errors",
    "Options": "evaluation",
    "Scorer": "scorers",
    "checkpoint_scorer": "scorers",
    "evaluate": "evaluation",
    "server_scorer": "scorers",
    "write_report": "report",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
