"""The server's own metrics, read during a run: what it did with the requests, in its words.

Samples are kept as they come, and put into a table after the run: nothing but a request a second competes with the
generator for its core. A sample is a few lines of text; what is no metric of Triton or of its process is dropped.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

import pyarrow as pa
from prometheus_client.parser import text_string_to_metric_families
from voicestress import Unavailable

from voicestress_load.results import SERVER

CALL_S = 2.0
_MOST_BYTES = 16 * 2**20
_KEPT = ("nv_", "process_", "voicestress_")


@dataclass(frozen=True)
class _Scrape:
    at_s: float  # time.monotonic() in the middle of the call
    server: str
    text: str


class ServerMetrics:
    """Reads the metrics of servers for as long as a ``with`` block runs, in a thread of its own.

    Works in plain Python and, as a greenlet, in one that gevent has patched. A name with several addresses, such as
    that of a headless Kubernetes service, stands for a server at each of them, found once, at the start. A scrape that
    fails later leaves a gap.

    Args:
        urls: addresses of Prometheus metrics, such as ``http://localhost:8002/metrics``.
        every_s: time between two scrapes, in seconds.
        required: whether servers that don't answer at the start are an error; else they are left out.

    Raises:
        Unavailable: on entry, if a required address can't be read.
    """

    def __init__(self, urls: Sequence[str], every_s: float = 1.0, *, required: bool = True) -> None:
        self._urls = urls
        self._every_s = every_s
        self._required = required
        self._scrapes: list[_Scrape] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._endpoints: list[_Endpoint] = []

    def __enter__(self) -> ServerMetrics:
        for url in self._urls:
            try:
                self._endpoints += [self._tried(endpoint) for endpoint in _endpoints(url)]
            except Unavailable:
                if self._required:
                    raise
        if self._endpoints:
            self._thread = threading.Thread(target=self._go_on, name="metrics", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * CALL_S * len(self._endpoints))
        for endpoint in self._endpoints:
            self._try(endpoint)  # what has happened since the last one
            endpoint.close()

    @property
    def servers(self) -> list[str]:
        """The addresses that are read; empty if there are none."""
        return [endpoint.name for endpoint in self._endpoints]

    def table(self, started_at_monotonic: float) -> pa.Table:
        """What was read so far, as ``SERVER``; times count from ``started_at_monotonic``, a ``time.monotonic()``."""
        columns: dict[str, list[object]] = {name: [] for name in SERVER.names}
        for scrape in list(self._scrapes):
            for name, labels, value in parse(scrape.text):
                row = (scrape.at_s - started_at_monotonic, scrape.server, name, labels, value)
                for column, cell in zip(columns.values(), row, strict=True):
                    column.append(cell)
        return pa.table(columns, schema=SERVER)

    def _tried(self, endpoint: _Endpoint) -> _Endpoint:
        try:
            self._scrapes.append(endpoint.scrape())
        except (OSError, http.client.HTTPException, ValueError) as error:
            endpoint.close()
            raise Unavailable(
                f"{endpoint.name}: no metrics there ({error}). Give Triton a --metrics-port and name it in --metrics, "
                "or leave --metrics out; the report is then silent about the server."
            ) from error
        return endpoint

    def _go_on(self) -> None:
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + self._every_s, time.monotonic())
            if self._ended.wait(max(0.0, due_s - time.monotonic())):
                return
            for endpoint in self._endpoints:
                self._try(endpoint)

    def _try(self, endpoint: _Endpoint) -> None:
        try:
            self._scrapes.append(endpoint.scrape())
        except (OSError, http.client.HTTPException, ValueError):
            endpoint.close()  # a gap; the next one connects again


class _Endpoint:
    """One server's metrics over one connection that is kept."""

    def __init__(self, name: str, host: str, port: int, path: str, header: str) -> None:
        self.name = name
        self._path, self._header = path, header
        self._connection = http.client.HTTPConnection(host, port, timeout=CALL_S)

    def scrape(self) -> _Scrape:
        """One sample.

        Raises:
            OSError, HTTPException: nothing answers, or not in time.
            ValueError: what answers are no metrics.
        """
        before_s = time.monotonic()
        self._connection.request("GET", self._path, headers={"Host": self._header, "Accept": "text/plain"})
        response = self._connection.getresponse()
        text = response.read(_MOST_BYTES).decode("utf-8", "replace")
        at_s = (before_s + time.monotonic()) / 2
        if response.status != http.client.OK:
            raise ValueError(f"HTTP status {response.status}")
        kept = [line for line in text.splitlines() if line.startswith(_KEPT)]
        if not kept:
            raise ValueError("what answers is neither Triton nor the gateway")
        return _Scrape(at_s, self.name, "\n".join(kept) + "\n")

    def close(self) -> None:
        """Close the connection; the next sample opens another."""
        self._connection.close()


def parse(text: str) -> Iterator[tuple[str, str, float]]:
    """Name, labels (``k="v",…`` sorted by name) and value of every sample of a Prometheus text."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            yield sample.name, labels, float(sample.value)


def _endpoints(url: str) -> list[_Endpoint]:
    """An endpoint for every address that the name in ``url`` has; the IPv4 ones where it has such."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise Unavailable(f"{url}: metrics are read over http://, such as http://localhost:8002/metrics")
    path = parts.path or "/metrics"
    try:
        port = parts.port or 80
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise Unavailable(f"{url}: no address to read metrics from ({error})") from error
    family = socket.AF_INET if any(each[0] == socket.AF_INET for each in found) else socket.AF_INET6
    hosts = sorted({str(each[4][0]) for each in found if each[0] == family})
    if len(hosts) == 1:
        return [_Endpoint(url, hosts[0], port, path, parts.netloc)]
    return [_Endpoint(f"http://{host}:{port}{path}", host, port, path, parts.netloc) for host in hosts]
