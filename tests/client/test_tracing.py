"""Spans and trace context, for callers who have OpenTelemetry."""

from __future__ import annotations

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tritonclient.grpc import service_pb2_grpc
from voicestress import InvalidAudio, StressClient

from tests.paths import JFK_WAV
from tests.relay import Relay, serving


@pytest.fixture(scope="module")
def exporter():
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    return spans


class Noting(Relay):
    """A relay that notes the metadata it is sent."""

    def __init__(self, stub):
        super().__init__(stub)
        self.metadata = []

    def ModelInfer(self, request, context):  # noqa: N802 - the protocol's name
        self.metadata.append(dict(context.invocation_metadata()))
        return super().ModelInfer(request, context)


def test_a_recording_is_a_trace_that_reaches_the_server(server, exporter):
    exporter.clear()
    with grpc.insecure_channel(server.url) as channel:
        relay = Noting(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        with serving(relay) as url, StressClient(url, model="group_norm") as client:
            client.analyze(JFK_WAV)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"voicestress.analyze", "voicestress.read", "voicestress.score"}
    analyze, score = spans["voicestress.analyze"], spans["voicestress.score"]
    assert score.parent.span_id == analyze.context.span_id
    assert score.attributes["voicestress.windows"] == len(relay.metadata) > 1
    for metadata in relay.metadata:
        version, trace_id, span_id, _ = metadata["traceparent"].split("-")
        assert (version, int(trace_id, 16), int(span_id, 16)) == ("00", score.context.trace_id, score.context.span_id)


def test_no_span_tells_what_was_said_or_how_it_scored(server, exporter):
    exporter.clear()
    with StressClient(server.url, model="group_norm") as client:
        report = client.analyze(JFK_WAV)
    told = " ".join(span.to_json() for span in exporter.get_finished_spans())
    assert "jfk" not in told
    assert f"{report.stress_level:.3f}" not in told


def test_an_error_is_told_by_its_kind(server, exporter, tmp_path):
    exporter.clear()
    (tmp_path / "call.wav").write_text("no recording")
    with StressClient(server.url, model="group_norm") as client, pytest.raises(InvalidAudio):
        client.analyze(tmp_path / "call.wav")
    spans = exporter.get_finished_spans()
    assert {span.name: span.status.description for span in spans}["voicestress.analyze"] == "InvalidAudio"
    assert "call.wav" not in " ".join(span.to_json() for span in spans)
