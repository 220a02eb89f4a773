"""The torch side: checkpoints, the padding-free encoder, export.

Names are resolved on first use, so that ``voicestress export --help`` answers where torch is not installed.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

# ONNX Runtime reports usage to its makers unless it is told not to before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "CheckpointError": "errors",
    "ExportError": "errors",
    "PackedWav2Vec2": "packed",
    "StressCheckpoint": "checkpoints",
    "StressDetector": "detector",
    "export_model": "export",
    "load_backbone": "checkpoints",
    "load_checkpoint": "checkpoints",
    "random_checkpoint": "architectures",
    "stress_contract": "export",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
