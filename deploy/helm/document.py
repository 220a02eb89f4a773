"""Writes the chart's README.md and values.schema.json from the comments in values.yaml: python deploy/helm/document.py.

A value's comment says in words what it is, and in lines that start with @ what it may be: ``@enum a b c``, ``@min n``,
``@max n``, ``@pattern regular expression``, ``@type integer string``, ``@items string`` or ``@items object`` for a
list, ``@map string`` for any names with strings, ``@object`` for what Kubernetes defines. Without any, it is of its
default's type.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "voicestress"
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][\w-]*):(?P<rest>.*)")
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
_INTRODUCTION = """\
# The voicestress chart

Triton on Kubernetes with the HTTP gateway in front of it. [deploy/README.md](../../README.md) goes from an empty
cluster to a scored recording, and has sizes, upgrades and what to do about each alert; this page lists the values.

    helm install voicestress deploy/helm/voicestress --values my-values.yaml

Written by `python deploy/helm/document.py` from the comments in values.yaml; `ci/` has a values file for each usual
case. Unknown values are refused, and so are those that don't go together, with a message that says what to do.
"""


@dataclass
class Value:
    """A value or a group of them: where it is, its words, its bounds by tag, and its default (None for a group)."""

    path: tuple[str, ...]
    words: str
    bounds: dict[str, str]
    default: Any
    is_group: bool


def read_values(text: str) -> Iterator[Value]:
    """The values in ``text``, in its order, groups before what is in them.

    Raises:
        ValueError: a value has no comment, or a default without a type has no bounds.
    """
    defaults = yaml.safe_load(text)
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip()[1:].strip())
            continue
        found = _KEY.fullmatch(line)
        if found is None:
            comment = []
            continue
        indent = len(found["indent"])
        path = [*(each for each in path if each[0] < indent), (indent, found["key"])]
        keys = tuple(key for _, key in path)
        default = defaults
        for key in keys:
            default = default[key]
        bounds = {}
        for each in comment:
            if each.startswith("@"):
                tag, _, argument = each.partition(" ")
                bounds[tag] = argument
        words = " ".join(each for each in comment if not each.startswith("@"))
        is_group = found["rest"].strip() == ""
        comment = []
        if not is_group and not words:
            raise ValueError(f"{'.'.join(keys)}: write above it what it is")
        if not is_group and isinstance(default, (dict, list)) and not bounds:
            raise ValueError(f"{'.'.join(keys)}: say with @items, @map or @object what may be in it")
        yield Value(keys, words, bounds, default, is_group)


def schema_of(value: Value) -> dict[str, Any]:
    """What JSON Schema says of one value."""
    bounds = value.bounds
    if "@enum" in bounds:
        return {"enum": bounds["@enum"].split()}
    if "@items" in bounds:
        return {"type": "array", "items": {"type": bounds["@items"]}}
    if "@map" in bounds:
        return {"type": "object", "additionalProperties": {"type": bounds["@map"]}}
    if "@object" in bounds:
        return {"type": "object"}
    types = bounds.get("@type", "").split()
    schema: dict[str, Any] = {"type": types or _TYPES[type(value.default)]}
    for tag, name in (("@min", "minimum"), ("@max", "maximum")):
        if tag in bounds:
            schema[name] = int(bounds[tag])
    if "@pattern" in bounds:
        schema["pattern"] = bounds["@pattern"]
    return schema


def schema_text(values: list[Value]) -> str:
    """The whole of values.schema.json: strict, but for ``global``, which Helm adds where the chart is a dependency."""
    root: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the voicestress chart",
        "type": "object",
        "additionalProperties": False,
        "properties": {"global": {"type": "object"}},
    }
    for value in values:
        place = root
        for key in value.path[:-1]:
            place = place["properties"][key]
        made = (
            {"type": "object", "additionalProperties": False, "properties": {}} if value.is_group else schema_of(value)
        )
        if value.words:
            made = {"description": value.words, **made}
        place["properties"][value.path[-1]] = made
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def readme_text(values: list[Value]) -> str:
    """The whole of README.md: a section for each group of the first level."""
    lines = [_INTRODUCTION, "## General", "", *_TABLE_HEAD]
    for value in values:
        if value.is_group and len(value.path) == 1:
            lines += ["", f"## {value.path[0]}", ""]
            lines += [value.words, ""] if value.words else []
            lines += _TABLE_HEAD
        elif value.is_group:
            if value.words:
                lines.append(f"| **{'.'.join(value.path)}** | | {_cell(value.words)} |")
        else:
            default = json.dumps(value.default, ensure_ascii=False)
            lines.append(f"| `{'.'.join(value.path)}` | `{default}` | {_cell(value.words)}{_allowed(value.bounds)} |")
    return "\n".join(lines) + "\n"


_TABLE_HEAD = ["| value | default | what it is |", "| --- | --- | --- |"]


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _allowed(bounds: dict[str, str]) -> str:
    if "@enum" in bounds:
        return f" One of {', '.join(f'`{each}`' for each in bounds['@enum'].split())}."
    lowest, highest = bounds.get("@min"), bounds.get("@max")
    if lowest is not None and highest is not None:
        return f" {lowest} to {highest}."
    return "" if lowest in (None, "0") else f" At least {lowest}."


def documents() -> dict[Path, str]:
    """What belongs into each file."""
    values = list(read_values((CHART / "values.yaml").read_text(encoding="utf-8")))
    return {CHART / "values.schema.json": schema_text(values), CHART / "README.md": readme_text(values)}


def main() -> int:
    """Write the files."""
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
