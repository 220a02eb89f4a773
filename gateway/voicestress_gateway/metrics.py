"""What Prometheus is told. No label says who asked, or what came of it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "voicestress_gateway_"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The gateway's metrics, each named ``voicestress_gateway_*``."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "requests that were answered", "route", "method", "status")
        self.latency = self._histogram("request_seconds", "from a request's head to the end of its answer", "route")
        self.stages = self._histogram("stage_seconds", "an analysis: waiting its turn, reading, scoring", "stage")
        self.audio_s = self._counter("audio_seconds", "seconds of audio that were scored", "how")
        self.upload_bytes = self._counter("upload_bytes", "bytes of request bodies")
        self.rejections = self._counter("rejections", "requests and streams that ended with a problem", "reason")
        self.in_flight = self._gauge("in_flight", "requests that are worked on")
        self.streams = self._gauge("streams", "live streams that are open")
        self.upload_memory = self._gauge("upload_memory_bytes", "memory that uploads take")
        self.ready = self._gauge("ready", "1 while the model is ready and its contract was read")

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(_PREFIX + name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(_PREFIX + name, text, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(_PREFIX + name, text, labels, registry=self._registry, buckets=_SECONDS)
