"""Training: from a corpus and a backbone to a stress checkpoint.

Names are resolved on first use, so that ``voicestress train --help`` answers where torch is not installed.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "TrainingError": "errors",
    "TrainingSettings": "settings",
    "read_settings": "settings",
    "train": "run",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
