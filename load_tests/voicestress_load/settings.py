"""What a run is asked to do, as it goes from the command to the master and on to its workers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from voicestress_load.results import Slo
from voicestress_load.workload import Workload

Shape = Literal["steady", "ramp", "spike", "soak", "search", "trace"]
Protocol = Literal["grpc", "http", "live"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Connection(_Model):
    """Where the servers are, and how they are asked; tokens stay with those who read them."""

    protocol: Protocol
    urls: list[str]
    model: str
    deadline_s: float
    tls: bool = False
    tls_files: list[str | None] = [None, None, None, None]
    token_file: str | None = None


class Settings(_Model):
    """A run; what the command has checked already.

    ``rate_hz`` None leaves the first rate to the shape, by how long an idle server takes. ``callers`` makes a closed
    loop. Rates are of all workers together.
    """

    command: str
    connection: Connection
    workload: Workload
    workload_name: str
    trace: str | None = None
    shape: Shape = "steady"
    rate_hz: float | None = Field(default=None, gt=0)
    callers: int | None = Field(default=None, ge=1)
    seconds: float = Field(gt=0)
    fewest: int = Field(default=0, ge=0)
    spike: float = 3.0
    slo: Slo
    seed: int = 0
    lag_bound_ms: float
    workers: int = Field(default=1, ge=0)
    expected_workers: int = Field(default=0, ge=0)
    bind: str | None = None
    port: int = 0
    web_port: int | None = None
    out: str

    def for_workers(self) -> dict[str, Any]:
        """What workers need to know of it."""
        return {
            "connection": self.connection.model_dump(),
            "workload": self.workload.model_dump(),
            "seed": self.seed,
        }
