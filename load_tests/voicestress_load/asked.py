"""What was asked for on the command line, checked before anything is started."""

from __future__ import annotations

import argparse
import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from voicestress.connection import check_addresses

from voicestress_load.arrivals import read_trace
from voicestress_load.audio import Voices
from voicestress_load.errors import BadInput
from voicestress_load.results import Slo
from voicestress_load.settings import Connection, Settings, Shape
from voicestress_load.workload import Workload, read_workload

_DEFAULT_SLO = ["p99=500ms"]
_SEARCH_REQUESTS = 200
_LAG_MS, _LAG_SHARE, _MOST_LAG_MS = 10.0, 0.05, 50.0
_TRITON_METRICS_PORT = 8002
_SLO = re.compile(r"(?P<name>[a-z0-9]+)=(?P<value>[0-9.]+)(?P<unit>ms|s|%|)")
_SLO_UNITS = {"p50": "ms", "p95": "ms", "p99": "ms", "errors": "%", "rejected": "%", "goodput": ""}
_HOW = "give for example p99=500ms p50=0.2s errors=0.1% rejected=1% goodput=50"


def settings_of(arguments: argparse.Namespace, *, seconds: Mapping[str, float]) -> Settings:
    """The run that ``arguments`` ask for; ``seconds`` is how long each shape lasts where they don't say.

    Raises:
        StressError: something of it can't be: which, its value, and what would do.
    """
    name, workload = read_workload(arguments.workload)
    shape: Shape = "trace" if arguments.trace is not None else arguments.shape
    connection = _connection(arguments)
    slo = slo_of(arguments.slo or _DEFAULT_SLO)
    _check_numbers(arguments, shape)
    _check_workload(arguments, name, workload, connection)
    if arguments.rate is not None and slo.goodput_audio_s_per_s is not None and shape in ("steady", "soak"):
        offered = arguments.rate * workload.mean_s
        if offered < slo.goodput_audio_s_per_s:
            raise BadInput(
                f"--slo goodput={slo.goodput_audio_s_per_s:g} can't be met: --rate {arguments.rate:g} offers "
                f"{offered:.1f} audio-seconds a second of {name}; ask for less, or offer more"
            )
    fewest = arguments.requests if arguments.requests is not None else _SEARCH_REQUESTS if shape == "search" else 0
    own = arguments.workers if arguments.workers is not None else 0 if arguments.expect_workers else 1
    return Settings(
        command=shlex.join(["voicestress", *sys.argv[1:]]),
        connection=connection,
        workload=workload,
        workload_name=name,
        trace=None if arguments.trace is None else str(arguments.trace.resolve()),
        shape=shape,
        rate_hz=arguments.rate,
        callers=arguments.callers,
        seconds=arguments.seconds or seconds[shape],
        fewest=fewest,
        spike=arguments.spike,
        slo=slo,
        seed=arguments.seed,
        lag_bound_ms=arguments.lag_bound_ms or min(max(_LAG_MS, _LAG_SHARE * (slo.p99_ms or 0.0)), _MOST_LAG_MS),
        workers=own,
        expected_workers=arguments.expect_workers,
        port=arguments.port if arguments.expect_workers else 0,
        web_port=arguments.web,
        out=str(_folder(arguments.out, name).resolve()),
    )


def metrics_of(arguments: argparse.Namespace, settings: Settings) -> tuple[list[str], bool]:
    """Where the servers' metrics are read, and whether they have to be there: as they were asked for."""
    if arguments.metrics:
        return arguments.metrics, True
    urls = settings.connection.urls
    if settings.connection.protocol == "http":
        return [f"{url.rstrip('/')}/metrics" for url in urls if url.startswith("http://")], False
    hosts = [url.removeprefix("dns:///").rpartition(":")[0] for url in urls]
    return [f"http://{host}:{_TRITON_METRICS_PORT}/metrics" for host in dict.fromkeys(hosts)], False


def slo_of(parts: Sequence[str]) -> Slo:
    """The SLO in ``parts``, such as ``p99=500ms``, ``rejected=1%``, ``goodput=50``.

    Raises:
        BadInput: one is no such part.
    """
    asked: dict[str, float] = {}
    for part in parts:
        match = _SLO.fullmatch(part)
        if match is None or match["name"] not in _SLO_UNITS:
            raise BadInput(f"--slo {part}: not understood; {_HOW}")
        name, unit, usual = match["name"], match["unit"], _SLO_UNITS[match["name"]]
        if (unit or usual) not in ({"ms", "s"} if usual == "ms" else {usual}) or (usual == "ms" and not unit):
            raise BadInput(f"--slo {part}: {name} is in {usual or 'audio-seconds a second, without a unit'}; {_HOW}")
        try:
            value = float(match["value"])
        except ValueError as error:
            raise BadInput(f"--slo {part}: {match['value']!r} is no number; {_HOW}") from error
        if usual == "%" and value > 100:
            raise BadInput(f"--slo {part}: a share is at most 100%; {_HOW}")
        if usual != "%" and not 0 < value < math.inf:
            raise BadInput(f"--slo {part}: can't be met; give a bound above 0")
        asked[name] = value * (1000.0 if unit == "s" else 0.01 if usual == "%" else 1.0)
    return Slo(
        p50_ms=asked.get("p50"),
        p95_ms=asked.get("p95"),
        p99_ms=asked.get("p99"),
        errors_share=asked.get("errors", 0.0),
        rejected_share=asked.get("rejected", 0.01),
        goodput_audio_s_per_s=asked.get("goodput"),
    )


def _connection(arguments: argparse.Namespace) -> Connection:
    files = (arguments.tls_ca, arguments.tls_certificate, arguments.tls_key, arguments.tls_server_name)
    if arguments.protocol == "http":
        urls = arguments.url or []
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise BadInput(f"--url {url}: give the gateway's address as http://host:port")
        if not urls:
            raise BadInput("--protocol http wants --url: the gateway's address, such as http://localhost:8080")
        if arguments.tls or any(files):
            raise BadInput("--tls is for gRPC; for the gateway give an https:// address, with the system's authorities")
    else:
        urls = list(check_addresses(arguments.url or "localhost:8001"))
    return Connection(
        protocol=arguments.protocol,
        urls=urls,
        model=arguments.model,
        deadline_s=arguments.deadline_s,
        tls=arguments.tls,
        tls_files=[None if file is None else str(file) for file in files],
        token_file=None if arguments.token_file is None else str(arguments.token_file.resolve()),
    )


def _check_numbers(arguments: argparse.Namespace, shape: str) -> None:
    above_0 = {"--rate": arguments.rate, "--seconds": arguments.seconds, "--lag-bound-ms": arguments.lag_bound_ms}
    for option, value in {**above_0, "--spike": arguments.spike}.items():
        if value is not None and not 0 < value < math.inf:
            raise BadInput(f"{option} {value:g}: give a number above 0")
    counts = {"--callers": arguments.callers, "--workers": arguments.workers, "--requests": arguments.requests}
    for option, count in counts.items():
        if count is not None and count < 1:
            raise BadInput(f"{option} {count}: give at least 1")
    if arguments.seed < 0 or arguments.expect_workers < 0:
        raise BadInput("--seed and --expect-workers are not below 0")
    if arguments.callers is not None and (arguments.rate is not None or shape not in ("steady", "soak")):
        raise BadInput(
            "--callers makes a closed loop: its callers make the rate themselves; leave out --rate, --shape and --trace"
        )
    if shape == "trace" and (arguments.rate is not None or arguments.shape != "steady"):
        raise BadInput("--trace has its own times; leave out --rate and --shape")
    if shape in ("steady", "spike", "soak") and arguments.rate is None and arguments.callers is None:
        raise BadInput(
            f"--shape {shape} wants --rate, requests a second (or --callers); `voicestress load search` finds a rate"
        )


def _check_workload(arguments: argparse.Namespace, name: str, workload: Workload, connection: Connection) -> None:
    Voices(workload.recordings, workload.sample_rate_hz)
    if arguments.trace is not None:
        for kind in set(read_trace(arguments.trace).kind):
            workload.named(kind)
    for component in workload.component if connection.protocol == "http" else []:
        if component.live:
            raise BadInput(f"{name}: component {component.name} is live: live streams are tested with --protocol grpc")
        if component.format == "pcm":
            raise BadInput(
                f"{name}: component {component.name}: a gateway can't know what raw pcm is; send wav or flac"
            )


def _folder(given: Path | None, name: str) -> Path:
    folder = given or Path(f"load-{name}-{datetime.now():%Y%m%d-%H%M%S}")
    if folder.is_file() or (folder / "run.json").exists():
        raise BadInput(f"--out {folder}: there is a run already, or a file; give a new folder")
    return folder
