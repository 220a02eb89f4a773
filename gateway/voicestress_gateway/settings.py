"""What the gateway can be told: each setting is an option of ``voicestress gateway`` and an environment variable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

PREFIX = "VOICESTRESS_GATEWAY_"
KEYS_VARIABLE = f"{PREFIX}KEYS"
_MB = 2**20
_HELP = {
    "host": "address to listen on",
    "port": "port to listen on; 0 for a free one",
    "keys_file": "API keys, one a line: NAME SHA256 [REQUESTS_A_MINUTE [AT_ONCE]]",
    "keys_s": "time between two looks at whether the keys file has changed",
    "without_keys": "let everybody ask, also where other machines reach the gateway",
    "key_rate": "requests a minute of one key, unless its line says otherwise; 0 for any number",
    "key_concurrency": "requests of one key at once, unless its line says otherwise; 0 for any number",
    "origins": "other web origins whose pages may ask, comma-separated (CORS)",
    "body_mb": "largest upload, in MiB",
    "memory_mb": "most memory for all uploads together, in MiB",
    "longest_audio_s": "longest recording, in seconds of audio",
    "upload_s": "longest time an upload may take",
    "idle_s": "longest time an upload may say nothing, or a request's head may take",
    "analysis_s": "longest time from a whole upload to its report",
    "requests_at_once": "requests at once; more are refused",
    "analyses_at_once": "recordings of up to half a minute that are decoded and scored at once; others wait their turn",
    "long_at_once": "the same of longer ones, each decoded by a process of its own",
    "streams_at_once": "live streams at once; more are refused",
    "stream_longest_s": "longest live stream, in seconds of audio",
    "stream_idle_s": "longest time a live stream may say nothing",
    "drain_delay_s": "after SIGTERM, time for load balancers to notice before requests are refused",
    "drain_s": "after SIGTERM, longest time until the process ends",
    "readiness_s": "time between two looks at whether Triton is ready",
}


@dataclass(frozen=True)
class GatewaySettings:
    """Where the gateway listens, who may ask it, and how much. Seconds are wall-clock unless they say audio."""

    host: str = "127.0.0.1"
    port: int = 8080
    keys_file: Path | None = None
    keys_s: float = 5.0
    without_keys: bool = False
    key_rate: int = 600
    key_concurrency: int = 32
    origins: tuple[str, ...] = ()
    body_mb: int = 64
    memory_mb: int = 1024
    longest_audio_s: float = 1800.0
    upload_s: float = 120.0
    idle_s: float = 15.0
    analysis_s: float = 60.0
    requests_at_once: int = 512
    analyses_at_once: int = 32
    long_at_once: int = 2
    streams_at_once: int = 64
    stream_longest_s: float = 3600.0
    stream_idle_s: float = 30.0
    drain_delay_s: float = 0.0
    drain_s: float = 30.0
    readiness_s: float = 2.0

    def __post_init__(self) -> None:
        may_be_zero = {"port", "key_rate", "key_concurrency", "drain_delay_s"}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if not (0 <= value < float("inf")) or (value == 0 and each.name not in may_be_zero):
                raise ValueError(f"{each.name} is {value}; give a number above 0")
        if self.port > 65535:
            raise ValueError(f"port is {self.port}; the largest is 65535")
        if self.drain_delay_s >= self.drain_s:
            raise ValueError(f"drain_delay_s is {self.drain_delay_s:g}; it must be less than drain_s, {self.drain_s:g}")

    @property
    def body_bytes(self) -> int:
        """Largest upload, in bytes."""
        return self.body_mb * _MB

    @property
    def memory_bytes(self) -> int:
        """Most memory for all uploads together, in bytes."""
        return self.memory_mb * _MB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare an option for each setting."""
    group = parser.add_argument_group("gateway")
    for each in fields(GatewaySettings):
        is_off = each.default in (None, ()) or each.default is False
        shown = "" if is_off else f" (default: {each.default})"
        names = f"--{each.name.replace('_', '-')}"
        if each.type == "bool":
            group.add_argument(names, action="store_true", default=None, help=_HELP[each.name])
        else:
            group.add_argument(names, metavar=_metavar(each), help=_HELP[each.name] + shown)


def read_settings(arguments: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> GatewaySettings:
    """The settings of a command line, else of the environment, else the defaults.

    Raises:
        ValueError: a value can't be read, or makes no sense.
    """
    values: dict[str, Any] = {}
    for each in fields(GatewaySettings):
        given = getattr(arguments, each.name, None)
        if given is None:
            given = environment.get(variable_of(each.name))
        if given not in (None, ""):
            values[each.name] = _parsed(each, given)
    return GatewaySettings(**values)


def variable_of(name: str) -> str:
    """The environment variable of the option ``name``, as Python writes it."""
    return f"{PREFIX}{name.upper()}"


def truth(name: str, text: str) -> bool:
    """Whether ``text``, the value of ``name``, says yes.

    Raises:
        ValueError: it says neither yes nor no.
    """
    if text.lower() not in _TRUTHS:
        raise ValueError(f"{name} is {text!r}; give true or false")
    return _TRUTHS[text.lower()]


def _parsed(setting: Field[Any], given: str | bool) -> Any:
    if isinstance(given, bool):
        return given
    text = given.strip()
    if setting.type == "bool":
        return truth(setting.name, text)
    if setting.type in ("int", "float"):
        try:
            return int(text) if setting.type == "int" else float(text)
        except ValueError:
            what = "a whole number" if setting.type == "int" else "a number"
            raise ValueError(f"{setting.name} is {text!r}; give {what}") from None
    if setting.type == "Path | None":
        return Path(text)
    if setting.type == "tuple[str, ...]":
        return tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    return text


def _metavar(setting: Field[Any]) -> str:
    known = {"host": "ADDRESS", "keys_file": "FILE", "origins": "ORIGINS"}
    unit = "MIB" if setting.name.endswith("_mb") else "S" if setting.name.endswith("_s") else "N"
    return known.get(setting.name, unit)


_TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
