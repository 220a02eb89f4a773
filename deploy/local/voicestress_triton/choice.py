"""Which models of a repository are served: those asked for, or all that this machine has the packages for."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from voicestress_triton.errors import ModelRepositoryError
from voicestress_triton.runtime import Runtime

_BACKEND = re.compile(r'^\s*backend\s*:\s*"(?P<name>[^"]+)"', re.MULTILINE)
# What our Python-based backends import, and how to get it.
_NEEDS = {
    "onnxruntime": ("onnxruntime", "pip install 'voicestress[local]'"),
    "pytorch": ("torch", "pip install 'voicestress[local,model]'"),
}


def choose_models(
    runtime: Runtime, repository: Path, names: Sequence[str], wanted: Sequence[str] | None, config_name: str | None
) -> tuple[list[str], dict[str, str]]:
    """The models of ``names`` to serve, and why the others are left out, by name.

    With no ``wanted``, all are served, but those whose Python-based backend lacks a package here are left out.

    Raises:
        ModelRepositoryError: a wanted model is not there, lacks a package, or none can be served.
    """
    unknown = sorted(set(wanted or ()) - set(names))
    if unknown:
        raise ModelRepositoryError(f"{repository}: no model named '{unknown[0]}'; there is {', '.join(names)}")
    lacking = {}
    for name in wanted or names:
        if runtime.from_wheel and (why := _lacks(repository / name, config_name)) is not None:
            lacking[name] = why
    if lacking and (wanted or len(lacking) == len(names)):
        raise ModelRepositoryError("\n".join(f"model '{name}' can't be served: {why}" for name, why in lacking.items()))
    unasked = {} if not wanted else {name: "not asked for" for name in names if name not in wanted}
    left_out = lacking | unasked
    return [name for name in names if name not in left_out], left_out


def _lacks(model: Path, config_name: str | None) -> str | None:
    variant = model / "configs" / f"{config_name}.pbtxt"
    config = variant if config_name is not None and variant.is_file() else model / "config.pbtxt"
    found = _BACKEND.search(config.read_text(encoding="utf-8", errors="replace")) if config.is_file() else None
    if found is None or found["name"] not in _NEEDS:
        return None
    package, remedy = _NEEDS[found["name"]]
    if importlib.util.find_spec(package) is not None:
        return None
    return f"the backend {found['name']} needs the package {package} here ({remedy})"
