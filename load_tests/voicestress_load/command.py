"""Load tests that can be believed: how much a service takes, within what you ask of it.

    voicestress load search utterances --url triton:8001 --slo p99=500ms
    voicestress load run mix --url triton:8001 --rate 20 --seconds 60 --slo p95=300ms rejected=0.5%
    voicestress load run utterances --protocol http --url http://gateway:8080 --rate 10
    voicestress load compare before after --out comparison.html

Requests go out at the times of a Poisson process, whether or not earlier ones are back, and their latency counts from
when they were meant to go. Exit codes: 0 the SLO was met, 1 missed, 2 bad input, 3 the run is void.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from voicestress.commands.connecting import add_connection_arguments
from voicestress.errors import StressError

SUMMARY = "find out how much a service takes, and judge it in CI"

EXIT_BAD_INPUT = 2
_PORT = 5557
_SECONDS = {"steady": 60.0, "ramp": 10.0, "spike": 20.0, "soak": 3600.0, "search": 15.0, "trace": 60.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of ``voicestress load`` and their arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    search = actions.add_parser("search", help="find the highest rate that meets the SLO; 2 to 4 minutes")
    _add_run_arguments(search)
    search.set_defaults(shape="search", callers=None, trace=None, spike=3.0)
    run = actions.add_parser("run", help="offer a load of one shape, and say what came of it")
    _add_run_arguments(run)
    _add_shape_arguments(run)
    worker = actions.add_parser("worker", help="send for a run on another machine, which expects workers")
    worker.add_argument("--master", required=True, metavar="HOST[:PORT]", help=f"that machine (default port: {_PORT})")
    report = actions.add_parser("report", help="write report.html and report.json of a kept run again")
    report.add_argument("folder", type=Path, help="where the run was kept")
    compare = actions.add_parser("compare", help="compare two kept runs, with an interval for every ratio")
    compare.add_argument("before", type=Path, help="folder of the first run")
    compare.add_argument("after", type=Path, help="folder of the second")
    compare.add_argument("--out", type=Path, metavar="PAGE.html", help="write the comparison as a page")
    compare.add_argument("--anyway", action="store_true", help="also where they were not asked the same")


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "workload",
        nargs="?",
        default="utterances",
        help="a TOML file, or a shipped one: utterances, calls, mix, half_second, live (default: %(default)s)",
    )
    parser.add_argument(
        "--protocol", choices=("grpc", "http", "live"), default="grpc", help="how the service is asked (default: grpc)"
    )
    parser.add_argument("--rate", type=float, metavar="N", help="requests a second, at first where a shape changes it")
    parser.add_argument("--seconds", type=float, help="of each step; of all of a soak (search: 15, ramp: 10, run: 60)")
    parser.add_argument(
        "--requests", type=int, default=None, metavar="N", help="a step has at least so many (search: 200)"
    )
    parser.add_argument(
        "--slo",
        nargs="+",
        action="extend",
        metavar="NAME=BOUND",
        help="what is asked: p50=, p95=, p99= (500ms, 2s), errors=, rejected= (1%%), goodput= audio-seconds a second "
        "(default: p99=500ms errors=0%% rejected=1%%)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of arrivals, lengths and audio (default: 0)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes on this machine that send (default: 1)")
    parser.add_argument(
        "--expect-workers", type=int, default=0, metavar="N", help="wait for so many `voicestress load worker` too"
    )
    parser.add_argument("--port", type=int, default=_PORT, help=f"where those find this one (default: {_PORT})")
    parser.add_argument(
        "--metrics",
        action="append",
        metavar="URL",
        help="a server's Prometheus metrics (default: port 8002 of a Triton, the gateway's own, where they answer)",
    )
    parser.add_argument(
        "--lag-bound-ms",
        type=float,
        help="a step is void if 1 request in 100 is sent later (default: 5%% of the SLO's p99, from 10 to 50)",
    )
    parser.add_argument("--web", type=int, metavar="PORT", help="show Locust's page of the run on this local port")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the run is kept (default: a new folder here)")
    add_connection_arguments(parser)


def _add_shape_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shape",
        choices=("steady", "ramp", "spike", "soak", "search"),
        default="steady",
        help="steady: one rate; ramp: in steps up to --rate, or until the server is behind; spike: calm, --spike times "
        "as much, and calm again; soak: one rate for an hour, judged in ten parts; search: find the highest rate",
    )
    parser.add_argument("--spike", type=float, default=3.0, metavar="TIMES", help="how high a spike is (default: 3)")
    parser.add_argument(
        "--callers", type=int, metavar="N", help="a closed loop: so many, each waiting for its answer (no --rate)"
    )
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="replay a CSV of meant_s, audio_s, kind, or a run's requests.parquet"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; 0 met, 1 missed, 2 bad input, 3 void."""
    try:
        return _ACTIONS[arguments.action](arguments)
    except StressError as error:
        return _refused(str(error))
    except ModuleNotFoundError as error:
        return _refused(f"{error.name} is not installed: pip install 'voicestress[load]'")


def _run(arguments: argparse.Namespace) -> int:
    from voicestress_load.asked import metrics_of, settings_of
    from voicestress_load.running import make_run

    settings = settings_of(arguments, seconds=_SECONDS)
    urls, required = metrics_of(arguments, settings)
    return make_run(settings, urls, metrics_required=required)


def _worker(arguments: argparse.Namespace) -> int:
    host, _, port = arguments.master.partition(":")
    if not host or (port and not port.isdecimal()):
        return _refused(f"--master {arguments.master}: give the machine of the run as HOST or HOST:PORT")
    command = [sys.executable, "-m", "voicestress_load.node", "worker", host, port or str(_PORT)]
    return subprocess.call(command)


def _report(arguments: argparse.Namespace) -> int:
    from voicestress_load.report import write_report

    sys.stdout.write(f"{write_report(arguments.folder)}\n")
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from voicestress_load.compare import compare
    from voicestress_load.report import render_comparison

    comparison = compare(arguments.before, arguments.after, anyway=arguments.anyway)
    sys.stdout.write(f"{comparison.verdict}\n")
    if arguments.out is not None:
        arguments.out.write_text(render_comparison(comparison), encoding="utf-8")
        sys.stdout.write(f"{arguments.out}\n")
    return 0


def _refused(problem: str) -> int:
    sys.stderr.write(f"voicestress load: {problem}\n")
    return EXIT_BAD_INPUT


_ACTIONS = {"search": _run, "run": _run, "worker": _worker, "report": _report, "compare": _compare}
