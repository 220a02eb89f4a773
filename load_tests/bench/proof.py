"""Every figure about speed, from one run on one machine: a table, ``bench.json`` and ``bench.html``.

wav2vec2-base with seeded random weights, which cost what trained ones do; pieces of a real voice of 1 to 8 s.
Run it while nothing else runs. What no GPU here could measure is on paper, and labelled so.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import shlex
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from voicestress_model import StressCheckpoint, export_model, load_checkpoint, random_checkpoint, stress_contract
from voicestress_model.corpora.synthetic import synthesize_corpus
from voicestress_model.quantisation import export_int8
from voicestress_model.triton_config import CPU_BATCH_SIZE
from voicestress_triton import TritonServer
from voicestress_triton.tuning.settings import Setting, config_with, contract_of
from voicestress_triton.tuning.tune import measure_all, queue_for

from load_tests.bench import client_cost, compare_engines, growth, memory, neighbours, overload, peers, roofline, served
from load_tests.bench.engines import compiled, hugging_face, padding_free, plain_onnx
from load_tests.bench.operations import operations
from load_tests.bench.operator_times import time_by_kind
from load_tests.bench.page import render
from load_tests.bench.peak import matrix_product_peak
from load_tests.bench.verdicts import table, verdicts
from load_tests.bench.workload import five_seconds, mixed_speech, write_recordings

ARCHITECTURE = "wav2vec2-base"
_CALIBRATION_WINDOWS = 12
_ROUNDS_ALONE = 11
_LONGEST_WAIT_S = 2.0
_DEMO_MODEL = Path("model/voicestress-demo")
_PACKAGES = ("voicestress", "torch", "transformers", "onnxruntime", "numpy")


def main() -> None:
    """Measure the parts asked for, print them, and write them down; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, help="again, into what --out has (default: all of them)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of everything that is compared (default: 3)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each part that is served (default: 15)")
    parser.add_argument(
        "--largest-batch", type=int, default=max(growth.BATCH_SIZES), help="in the growth part (default: %(default)s)"
    )
    parser.add_argument("--windows", type=int, default=24, help="in the engines' workload (default: 24)")
    parser.add_argument("--architecture", default=ARCHITECTURE, help="(default: wav2vec2-base)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(default: one a core)")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="(default: build/bench)")
    arguments = parser.parse_args()
    bench = _Bench(arguments)
    bench.export()
    found = bench.earlier()
    for part in arguments.parts or _PARTS:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        # In a process of its own: engines keep the memory of the largest batch they ever saw, tens of gigabytes of it.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            try:
                found[part] = json.loads(process.submit(_measured, part, arguments).result())  # as it will be read back
                found["failed"].pop(part, None)
            except Exception as error:  # noqa: BLE001 - the figures of the other parts are not lost for it
                found["failed"][part] = f"{type(error).__name__}: {error}"
                traceback.print_exception(error)
        bench.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
        (arguments.out / "bench.html").write_text(render(found), encoding="utf-8")
    print("\n".join(table(verdicts(found))))
    print(f"\nall figures: {arguments.out / 'bench.html'}, {bench.json}")
    if failed := found["failed"]:
        raise SystemExit(f"not measured, because they failed: {', '.join(failed)}")


def _measured(part: str, arguments: argparse.Namespace) -> str:
    return json.dumps(_PARTS[part](_Bench(arguments)))


class _Bench:
    """The models that all parts share, exported once."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        torch.set_num_threads(arguments.threads)
        self.checkpoint: StressCheckpoint = random_checkpoint(arguments.architecture)
        self.repository: Path = arguments.out / "fp32"
        self.graph = self.repository / "stress" / "1" / "model.onnx"
        self.int8_repository: Path = arguments.out / "int8"
        self.int8_graph = self.int8_repository / "stress" / "1" / "model.onnx"
        self.json: Path = arguments.out / "bench.json"

    def export(self) -> None:
        """Write the models; before anything is measured."""
        arguments = self.arguments
        contract = stress_contract(self.checkpoint)
        export_model(self.checkpoint, contract, self.repository / "stress")
        # Random weights: how far levels move says nothing here.
        export_int8(
            self.checkpoint,
            contract,
            self.int8_repository / "stress",
            calibration=[write_recordings(arguments.out / "calibration", mixed_speech(_CALIBRATION_WINDOWS, seed=9))],
            largest_level_change=100.0,
        )

    def earlier(self) -> dict[str, Any]:
        """What is known before: of the run that some parts are measured again for, or nothing yet.

        Raises:
            SystemExit: that run was another machine's, or of something else.
        """
        found = {"about": self.about(), "failed": {}}
        if self.arguments.parts is None or not self.json.exists():
            return found
        before = json.loads(self.json.read_text(encoding="utf-8"))
        commands = [*before["about"].pop("commands"), *found["about"].pop("commands")]
        if before["about"] != found["about"]:
            raise SystemExit(f"{self.json} is of another machine, model or version: choose another --out")
        return {"failed": {}, **before, "about": {"commands": commands, **before["about"]}}

    def about(self) -> dict[str, Any]:
        return {
            "commands": [shlex.join(["python", "-m", "load_tests.bench.proof", *sys.argv[1:]])],
            "architecture": self.arguments.architecture,
            "threads": self.arguments.threads,
            "processor": _processor(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        }


def _engines(bench: _Bench) -> dict[str, Any]:
    threads, windows = bench.arguments.threads, mixed_speech(bench.arguments.windows)
    engines = [
        hugging_face(bench.checkpoint),
        compiled(bench.checkpoint),
        plain_onnx(bench.checkpoint, bench.arguments.out / "plain" / "model.onnx", threads),
        padding_free(bench.graph, "padding-free fp32", threads),
        padding_free(bench.int8_graph, "padding-free int8", threads),
    ]
    figures = compare_engines.compare(engines, windows, rounds=bench.arguments.rounds)
    alone = compare_engines.compare(engines, [five_seconds()], rounds=_ROUNDS_ALONE, batch_sizes=(1,))
    peak = matrix_product_peak(threads)
    seconds = [len(window) / 16_000 for window in windows]
    counted = operations(bench.checkpoint.detector.config, seconds)
    ceiling = peak * sum(seconds) / counted
    fp32 = next(found for found in figures if found.name == "padding-free fp32")
    return {
        "engines": [dataclasses.asdict(found) for found in figures],
        "alone": [dataclasses.asdict(found) for found in alone],
        "peak_gflops": peak / 1e9,
        "gflop_per_audio_s": counted / sum(seconds) / 1e9,
        "ceiling_audio_s_per_s": ceiling,
        "fp32_share_of_ceiling": fp32.audio_s_per_s / ceiling,
    }


def _where(bench: _Bench) -> dict[str, Any]:
    windows, threads = mixed_speech(bench.arguments.windows), bench.arguments.threads
    batches = [windows[first : first + CPU_BATCH_SIZE] for first in range(0, len(windows), CPU_BATCH_SIZE)]
    graphs = {"fp32": bench.graph, "int8": bench.int8_graph}
    return {name: time_by_kind(graph, batches, threads=threads) for name, graph in graphs.items()}


def _memory(bench: _Bench) -> dict[str, Any]:
    arguments = bench.arguments
    found = memory.measure(bench.repository / "stress", threads=arguments.threads, seconds=arguments.seconds)
    return dataclasses.asdict(found)


def _neighbours(bench: _Bench) -> dict[str, Any]:
    windows, threads = mixed_speech(bench.arguments.windows, shortest_s=0.5, seed=7), bench.arguments.threads
    graphs = {"fp32": bench.graph, "int8": bench.int8_graph}
    return {
        name: dataclasses.asdict(neighbours.measure(graph, stress_contract(bench.checkpoint), windows, threads=threads))
        for name, graph in graphs.items()
    }


def _demo_int8(bench: _Bench) -> dict[str, Any]:
    """What int8 costs the model whose level means something, on recordings made for it."""
    corpus = bench.arguments.out / "corpus"
    if not (corpus / "manifest.csv").exists():
        synthesize_corpus(corpus, size="small")
    checkpoint = load_checkpoint(str(_DEMO_MODEL))
    exported = export_int8(
        checkpoint,
        stress_contract(checkpoint),
        bench.arguments.out / "demo-int8" / "stress",
        calibration=[corpus / "manifest.csv"],
        largest_level_change=100.0,  # measured here, whatever it is
    )
    return dataclasses.asdict(exported.change)


def _growth(bench: _Bench) -> dict[str, Any]:
    arguments = bench.arguments
    padding = plain_onnx(bench.checkpoint, arguments.out / "plain" / "model.onnx", arguments.threads)
    return dataclasses.asdict(
        growth.measure(
            bench.graph,
            bench.int8_graph,
            padding,
            threads=arguments.threads,
            rounds=arguments.rounds,
            batch_sizes=[size for size in growth.BATCH_SIZES if size <= arguments.largest_batch],
        )
    )


def _served(bench: _Bench) -> dict[str, Any]:
    arguments, found = bench.arguments, {}
    for name, graph, repository in (
        ("fp32", bench.graph, bench.repository),
        ("int8", bench.int8_graph, bench.int8_repository),
    ):
        engine = padding_free(graph, name, arguments.threads)
        with TritonServer(repository) as server:
            measured = served.measure(
                server.url, engine, batch_size=CPU_BATCH_SIZE, rounds=arguments.rounds, seconds=arguments.seconds
            )
        found[name] = dataclasses.asdict(measured)
    return found


def _peers(bench: _Bench) -> dict[str, Any]:
    """A server is started some forty times for it, so fewer rounds and shorter ones: a quarter of an hour as it is."""
    arguments = bench.arguments
    return dataclasses.asdict(
        peers.measure(
            bench.checkpoint,
            fp32=bench.repository,
            int8=bench.int8_repository,
            rounds=(arguments.rounds + 1) // 2,
            seconds=arguments.seconds / 2,
        )
    )


def _overload(bench: _Bench) -> dict[str, Any]:
    """With a queue that fits the machine, as `voicestress tune` writes it; the rest of the configuration as shipped."""
    arguments, model = bench.arguments, bench.repository / "stress"
    config = (model / "config.pbtxt").read_text(encoding="utf-8")
    setting = Setting(instances=1, threads=arguments.threads, max_batch_size=CPU_BATCH_SIZE)
    measured = measure_all(model, [setting], rounds=1, seconds=arguments.seconds, on_measured=lambda *_: None)
    queue = queue_for(measured[setting], contract_of(config), _LONGEST_WAIT_S)
    variant = model / "configs" / "short_queue.pbtxt"
    variant.parent.mkdir(exist_ok=True)
    variant.write_text(config_with(config, setting, queue=queue), encoding="utf-8")
    with TritonServer(bench.repository, model_config_name=variant.stem) as server:
        found = overload.measure(server, seconds=arguments.seconds, deadline_s=30.0)
    return {"queue_windows": queue.windows, "queue_s": _LONGEST_WAIT_S, **dataclasses.asdict(found)}


def _on_paper(bench: _Bench) -> dict[str, Any]:
    config = bench.checkpoint.detector.config
    return {
        card.name: {str(size): roofline.audio_s_per_s(card, config, [4.5] * size) for size in (1, 8, 32)}
        for card in roofline.CARDS
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


_PARTS: dict[str, Callable[[_Bench], dict[str, Any]]] = {
    "engines": _engines,
    "where": _where,
    "client": lambda bench: {"figures": client_cost.measure()},
    "neighbours": _neighbours,
    "demo_int8": _demo_int8,
    "growth": _growth,
    "served": _served,
    "peers": _peers,
    "overload": _overload,
    "memory": _memory,
    "on_paper": _on_paper,
}

if __name__ == "__main__":
    main()
