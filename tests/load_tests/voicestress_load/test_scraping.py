"""The server's metrics are read during a run, and mean what they say."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from voicestress import StressClient, Unavailable
from voicestress_load.results import SERVER
from voicestress_load.scraping import ServerMetrics, parse
from voicestress_load.server_side import ServerSide
from voicestress_triton import TritonServer

from tests.load_tests.voicestress_load import made_runs
from tests.paths import JFK_WAV, MODEL_REPOSITORY


@pytest.fixture(scope="module")
def triton():
    with TritonServer(MODEL_REPOSITORY, models=["stress"], metrics_port=0) as running:
        yield running


class Metrics(ThreadingHTTPServer):
    """Answers with ``text``, after ``wait_s``; counts connections."""

    daemon_threads = True

    def __init__(self):
        self.text, self.wait_s, self.connections = 'nv_inference_count{model="m"} 1\n', 0.0, 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/metrics"

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(self.server.wait_s)
        body = self.server.text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def metrics():
    server = Metrics()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_a_real_triton_did_is_told_by_its_metrics(triton):
    started_s = time.monotonic()
    with ServerMetrics([triton.metrics_url], every_s=0.2) as scraped, StressClient(triton.url) as client:
        windows = sum(len(client.analyze(JFK_WAV).windows) for _ in range(3))
        time.sleep(2.5)  # Triton refreshes its figures of the machine every two seconds
    table = scraped.table(started_s)
    assert table.schema == SERVER
    seen = ServerSide(table, "stress")
    assert scraped.servers == seen.servers == [triton.metrics_url]
    figures = seen.between(seen.from_s, seen.until_s)
    seconds = seen.until_s - seen.from_s
    assert figures.requests_per_s * seconds == pytest.approx(windows)
    assert 1 <= figures.batch <= 4
    assert figures.compute_ms > 0
    assert figures.queue_ms > 0
    assert 0 < figures.busy <= 1
    assert figures.memory_mb > 100
    assert 0 < figures.processor <= 1
    assert seen.memory_of == "of the whole machine"
    assert seen.computing == 1


def test_it_counts_from_the_starts_clock_and_reads_over_one_connection(metrics):
    started_s = time.monotonic()
    with ServerMetrics([metrics.url], every_s=0.05) as scraped:
        time.sleep(0.5)
    at_s = scraped.table(started_s).column("at_s").to_pylist()
    assert 5 <= len(at_s) <= 13
    assert 0 <= at_s[0] < 0.2
    assert at_s == sorted(at_s)
    assert at_s[-1] == pytest.approx(0.5, abs=0.2)
    assert metrics.connections == 1


def test_a_server_that_goes_away_leaves_a_gap(metrics):
    with ServerMetrics([metrics.url], every_s=0.05) as scraped:
        time.sleep(0.15)
        good, metrics.text = metrics.text, "<html>gone</html>\n"
        time.sleep(0.2)
        metrics.text = good
        time.sleep(0.15)
    at_s = scraped.table(0.0).column("at_s").to_pylist()
    gaps = [after - before for before, after in pairwise(at_s)]
    assert max(gaps) > 0.15
    assert len(at_s) >= 4


def test_a_server_that_hangs_does_not_hold_up_the_end(metrics, monkeypatch):
    monkeypatch.setattr("voicestress_load.scraping.CALL_S", 0.3)
    scraped = ServerMetrics([metrics.url], every_s=0.05)
    with scraped:
        metrics.wait_s = 2.0
        time.sleep(0.1)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 1.5


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:{free}/metrics", "refused"),
        ("localhost:8002", "read over http://"),
        ("https://localhost:8002/metrics", "read over http://"),
        ("http://localhost:99999/metrics", "no address"),
    ],
)
def test_metrics_that_were_asked_for_and_are_not_there_are_an_error_before_the_run(url, why):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = url.format(free=held.getsockname()[1])
        with pytest.raises(Unavailable, match=why) as error, ServerMetrics([url]):
            pass
        assert url in str(error.value)
        with ServerMetrics([url], required=False) as scraped:
            pass
        assert scraped.servers == []
        assert scraped.table(0.0).num_rows == 0


def test_a_page_that_holds_no_metrics_is_refused(metrics):
    metrics.text = "<html>hello</html>\n"
    with pytest.raises(Unavailable, match="neither Triton nor the gateway"), ServerMetrics([metrics.url]):
        pass


def test_labels_are_sorted_and_values_are_numbers():
    text = 'nv_inference_count{version="1",model="stress"} 7.000000\nnv_cpu_utilization 0.5\n'
    assert list(parse(text)) == [
        ("nv_inference_count", 'model="stress",version="1"', 7.0),
        ("nv_cpu_utilization", "", 0.5),
    ]


def test_means_are_of_requests_and_of_the_time_asked_for():
    _, server, steps = made_runs.served([10, 40], service_s=0.02)
    seen = ServerSide(server, "stress")
    calm, busy = (seen.between(step.from_s, step.until_s) for step in steps)
    for figures, step in ((calm, steps[0]), (busy, steps[1])):
        assert figures.requests_per_s == pytest.approx(step.figures.achieved_per_s, rel=0.03)
        assert figures.compute_ms == pytest.approx(20)
        assert figures.busy == pytest.approx(0.02 * step.figures.achieved_per_s, rel=0.03)
        assert figures.batch == pytest.approx(1)
    # M/D/1: mean wait is utilisation times service over twice the rest.
    assert calm.queue_ms == pytest.approx(0.2 * 20 / (2 * 0.8), rel=0.35)
    assert busy.queue_ms == pytest.approx(0.8 * 20 / (2 * 0.2), rel=0.5)
    assert busy.pending > calm.pending >= 0
    assert busy.memory_mb == pytest.approx(2060, abs=2)


def test_another_models_requests_are_not_counted_unless_all_are_meant():
    _, server, steps = made_runs.served([10])
    of_one = ServerSide(server, "stress").between(0.0, 30.0)
    of_all = ServerSide(server).between(0.0, 30.0)
    assert of_all.requests_per_s == pytest.approx(of_one.requests_per_s + 10)
    assert of_one.requests_per_s == pytest.approx(steps[0].figures.achieved_per_s, rel=0.05)


def test_a_counter_that_starts_again_is_no_negative_rate():
    _, server, _ = made_runs.served([20])
    rows = server.to_pylist()
    for row in rows:
        if row["at_s"] > 15 and row["name"] == "nv_inference_request_success" and "stress" in row["labels"]:
            row["value"] = max(0.0, row["value"] - 300)
    seen = ServerSide(server.from_pylist(rows, schema=SERVER), "stress")
    rates = [figures.requests_per_s for _, figures in seen.over_time(0.0, 30.0)]
    assert len(rates) == 30
    assert min(rates) >= 0


def test_two_servers_are_added_up():
    _, server, _ = made_runs.served([20])
    rows = server.to_pylist()
    twice = rows + [{**row, "server": "http://127.0.0.2:8002/metrics"} for row in rows]
    one, two = (
        ServerSide(server.from_pylist(each, schema=SERVER), "stress").between(0.0, 30.0) for each in (rows, twice)
    )
    assert two.requests_per_s == pytest.approx(2 * one.requests_per_s)
    assert two.queue_ms == pytest.approx(one.queue_ms)
    assert two.busy == pytest.approx(2 * one.busy)
