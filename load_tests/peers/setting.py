"""How a peer is run. A server process reads it from its environment, where whoever starts it wrote it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields

_PREFIX = "PEER_"


@dataclass(frozen=True)
class Setting:
    """``workers`` processes of ``threads`` torch threads each, which score up to ``batch_size`` windows at once.

    ``runner`` names what runs the app where there is a choice.
    """

    workers: int
    threads: int
    batch_size: int = 1
    runner: str = ""

    @property
    def wait_s(self) -> float:
        """How long a batch waits for its next window, in seconds."""
        return 0.05 if self.batch_size > 1 else 0.0

    def __str__(self) -> str:
        batch = f", batches of {self.batch_size}" if self.batch_size > 1 else ""
        runner = f"{self.runner}, " if self.runner else ""
        return f"{runner}{self.workers} x {self.threads} threads{batch}"

    def to_environment(self) -> dict[str, str]:
        """The setting as environment variables."""
        return {_PREFIX + name.upper(): str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_environment(cls) -> Setting:
        """The setting that ``to_environment`` wrote."""
        texts = {field.name: os.environ[_PREFIX + field.name.upper()] for field in fields(cls)}
        runner = texts.pop("runner")
        return cls(**{name: int(text) for name, text in texts.items()}, runner=runner)


def address() -> tuple[str, int]:
    """Where the server of this process listens: loopback, and the port it was given."""
    return "127.0.0.1", int(os.environ["PEER_PORT"])
