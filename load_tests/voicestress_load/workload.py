"""Workloads: small TOML files that say what is sent. ``workloads/`` has those that are shipped.

description = "what it stands for"

[[component]]
name = "utterance"
weight = 3.0
format = "wav"
lengths = { distribution = "lognormal", median_s = 2.5, sigma = 0.6, shortest_s = 0.5, longest_s = 8.0 }
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from voicestress.wire import Priority

from voicestress_load.errors import BadInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = Path(__file__).parent / "workloads"
LONGEST_S = 7200.0  # a request is held in memory: two hours are 230 MB
_DRAWS = 10_000

Format = Literal["wav", "flac", "ogg", "opus", "mp3", "aiff", "pcm"]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Fixed(_Model):
    """All of one length."""

    distribution: Literal["fixed"]
    seconds: Seconds

    def draw(self, generator: np.random.Generator) -> float:
        """A length, in seconds."""
        return self.seconds

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The shortest and the longest, in seconds."""
        return self.seconds, self.seconds


class Uniform(_Model):
    """Any length between two, all as likely."""

    distribution: Literal["uniform"]
    shortest_s: Seconds
    longest_s: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        _check_order(self.shortest_s, self.longest_s)
        return self

    def draw(self, generator: np.random.Generator) -> float:
        """A length, in seconds."""
        return float(generator.uniform(self.shortest_s, self.longest_s))

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The shortest and the longest, in seconds."""
        return self.shortest_s, self.longest_s


class Lognormal(_Model):
    """Lengths whose logarithms are normal, as those of utterances and calls about are, without what is out of bounds.

    Half of them would be below ``median_s`` without the bounds; ``sigma`` is the standard deviation of the logarithm.
    """

    distribution: Literal["lognormal"]
    median_s: Seconds
    sigma: float = Field(gt=0, le=5, allow_inf_nan=False)
    shortest_s: Seconds
    longest_s: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> Lognormal:
        _check_order(self.shortest_s, self.median_s)
        _check_order(self.median_s, self.longest_s)
        return self

    def draw(self, generator: np.random.Generator) -> float:
        """A length, in seconds; by the inverse of its distribution within the bounds."""
        logarithms = NormalDist(math.log(self.median_s), self.sigma)
        low, high = (logarithms.cdf(math.log(bound_s)) for bound_s in self.bounds_s)
        length_s = math.exp(logarithms.inv_cdf(min(max(generator.uniform(low, high), 1e-12), 1 - 1e-12)))
        return min(max(length_s, self.shortest_s), self.longest_s)

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The shortest and the longest, in seconds."""
        return self.shortest_s, self.longest_s


class Component(_Model):
    """One kind of request.

    Args:
        name: what it is called in results.
        weight: how many of the requests, against those of the others.
        lengths: of its audio.
        format: what the gateway is sent. Over gRPC windows of PCM go, whatever it says.
        priority: who goes first where the server is busy (gRPC).
        live: whether it is a live stream: its audio is pushed as fast as it is spoken (gRPC).
    """

    name: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    lengths: Annotated[Fixed | Uniform | Lognormal, Field(discriminator="distribution")]
    format: Format = "wav"
    priority: Priority = "normal"
    live: bool = False


class Workload(_Model):
    """What is sent.

    Args:
        description: what it stands for.
        sample_rate_hz: of what is sent to the gateway.
        recordings: files the audio is cut from; none for the voice that is shipped. On every worker's machine.
        repeat: whether requests of one length may be the same bytes: a server's response cache then answers.
        speech_detection: whether speech is found first; off, as all that is sent is speech.
        component: the kinds of requests, each drawn as often as its weight says.
    """

    description: str = ""
    sample_rate_hz: Literal[8000, 16000, 22050, 24000, 32000, 44100, 48000] = 16000
    recordings: list[str] = []
    repeat: bool = False
    speech_detection: bool = False
    component: list[Component] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Workload:
        names = [each.name for each in self.component]
        if len(set(names)) < len(names):
            raise ValueError(f"two components have one name ({', '.join(names)}); give each its own")
        return self

    def drawn(self, generator: np.random.Generator) -> tuple[Component, float]:
        """A component by weight, and a length in seconds by its distribution."""
        share = generator.random() * sum(each.weight for each in self.component)
        for each in self.component[:-1]:
            if (share := share - each.weight) < 0:
                return each, each.lengths.draw(generator)
        return self.component[-1], self.component[-1].lengths.draw(generator)

    def named(self, kind: str) -> Component:
        """The component of that name.

        Raises:
            BadInput: there is none.
        """
        for each in self.component:
            if each.name == kind:
                return each
        names = ", ".join(each.name for each in self.component)
        raise BadInput(f"the trace has requests of kind {kind!r}; the workload's components are {names}")

    @property
    def mean_s(self) -> float:
        """Mean length of a request's audio in seconds, as drawn."""
        generator = np.random.default_rng(0)
        return float(np.mean([self.drawn(generator)[1] for _ in range(_DRAWS)]))


def read_workload(name: str) -> tuple[str, Workload]:
    """The workload in the file ``name``, or the shipped one of that name, and what it is called.

    Raises:
        BadInput: there is none, or something in it can't be used; with file, key and value.
    """
    path = Path(name)
    if not path.is_file() and (SHIPPED / f"{path.stem}.toml").is_file() and path.parent == Path():
        path = SHIPPED / f"{path.stem}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        shipped = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.toml")))
        raise BadInput(
            f"{name}: no workload can be read there; give a TOML file, or one of those shipped: {shipped}"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: not TOML: {error}; strings want quotes, a component its line [[component]]") from error
    try:
        workload = Workload.model_validate(values)
    except ValidationError as error:
        raise BadInput("; ".join(_problem(name, each) for each in error.errors(include_url=False)[:3])) from error
    here = [str((path.parent / each).resolve()) for each in workload.recordings]
    for given, found in zip(workload.recordings, here, strict=True):
        if not Path(found).is_file():
            raise BadInput(
                f"{name}: recordings: {given!r}: no such file beside the workload; the path is wrong, or leave it out"
            )
    return path.stem, workload.model_copy(update={"recordings": here})


def _check_order(smaller_s: float, larger_s: float) -> None:
    if smaller_s > larger_s:
        raise ValueError(
            f"{smaller_s:g} s is above {larger_s:g} s; shortest_s, median_s and longest_s go in this order"
        )


def _problem(name: str, error: Any) -> str:
    where = _place(error["loc"])
    key = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = _known_keys()
        near = difflib.get_close_matches(key, known, n=1)
        return f"{name}: {where}: no such key; " + (
            f"is {near[0]} meant?" if near else f"the keys are {', '.join(known)}"
        )
    if error["type"] == "missing":
        return f"{name}: {where}: is missing; add it"
    value = error["input"]
    shown = f" = {value!r}" if isinstance(value, str | int | float | bool) else ""
    return f"{name}: {where or 'the file'}{shown}: {error['msg'].removeprefix('Value error, ')}"


def _place(loc: Sequence[str | int]) -> str:
    """``component[1].lengths.sigma``: components are counted from 1, and a union's tag is no key."""
    parts: list[str] = []
    for before, each in zip(("", *loc), loc, strict=False):
        if isinstance(each, int):
            parts[-1] += f"[{each + 1}]"
        elif before != "lengths":
            parts.append(each)
    return ".".join(parts)


def _known_keys() -> list[str]:
    models = (Workload, Component, Fixed, Uniform, Lognormal)
    return sorted({field for model in models for field in model.model_fields})
