"""API keys: made once, kept as their SHA-256, compared in constant time.

A key is 32 random bytes, so that a plain hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from voicestress_gateway.settings import KEYS_VARIABLE, GatewaySettings

_PREFIX = "vs_"
_LINE = re.compile(r"(?P<name>[\w.-]{1,64})\s+(?P<digest>[0-9a-fA-F]{64})(?:\s+(?P<rate>\d+)(?:\s+(?P<at_once>\d+))?)?")


@dataclass(frozen=True)
class ApiKey:
    """A key as the gateway knows it: its name, for logs, and what it may do (0: any number)."""

    name: str
    digest: str
    requests_a_minute: int
    at_once: int


EVERYBODY = ApiKey("", "", 0, 0)


class KeyRing:
    """The keys that are valid; with none of them everybody may ask."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(keys)
        names = [key.name for key in self._keys]
        if len(set(names)) < len(names):
            raise ValueError("two API keys have one name; give each its own")

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, presented: str | None) -> ApiKey | None:
        """Whose key it is, or None; every key is compared, whichever fits."""
        if not self._keys:
            return EVERYBODY
        digest = digest_of(presented or "")
        found = None
        for key in self._keys:
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found


def new_key() -> str:
    """A new key, 256 bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_keys(settings: GatewaySettings, environment: Mapping[str, str]) -> KeyRing:
    """The keys of the file and of the environment, whose lines may end in ``;`` or ``,`` too.

    Raises:
        ValueError: a line can't be read.
        OSError: the file can't be read.
    """
    lines = re.split(r"[\n;,]", environment.get(KEYS_VARIABLE, ""))
    if settings.keys_file is not None:
        lines += Path(settings.keys_file).read_text(encoding="utf-8").splitlines()
    keys = [_parsed(line.strip(), settings) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if settings.keys_file is not None and not keys:
        raise ValueError(f"{settings.keys_file}: has no keys; `voicestress gateway-key NAME` makes one")
    return KeyRing(keys)


def _parsed(line: str, settings: GatewaySettings) -> ApiKey:
    match = _LINE.fullmatch(line)
    if match is None:  # the line is not repeated: it may hold the key itself
        raise ValueError("an API key's line is NAME SHA256 [REQUESTS_A_MINUTE [AT_ONCE]], as `gateway-key` prints it")
    rate, at_once = match["rate"], match["at_once"]
    return ApiKey(
        match["name"],
        match["digest"].lower(),
        settings.key_rate if rate is None else int(rate),
        settings.key_concurrency if at_once is None else int(at_once),
    )
