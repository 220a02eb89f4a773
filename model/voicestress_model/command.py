"""``voicestress export``: a checkpoint becomes a Triton model."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voicestress.commands.arguments import points, seconds, whole

from voicestress_model.geometry import LONGEST_WINDOW_S, SHORTEST_WINDOW_S

if TYPE_CHECKING:
    from voicestress.contract import StressContract

    from voicestress_model.checkpoints import StressCheckpoint

SUMMARY = "export a checkpoint as a Triton model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress export``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("checkpoint", nargs="?", help="folder or hub id of a Hugging Face checkpoint with a head")
    source.add_argument(
        "--architecture", help="seeded random weights of a named architecture, for benchmarks and tests"
    )
    parser.add_argument("--seed", type=whole, default=0, help="seed of --architecture (default: 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model, e.g. model_repository/stress")
    parser.add_argument(
        "--label-weights",
        type=label_weights,
        metavar="LABEL=WEIGHT,…",
        help="how much each label counts towards stress, 0 to 1 (default: neutral=0,sad=0.5,anxious=1)",
    )
    for name, default_s in (("shortest", SHORTEST_WINDOW_S), ("longest", LONGEST_WINDOW_S)):
        parser.add_argument(
            f"--{name}-window-s",
            type=seconds,
            default=default_s,
            metavar="SECONDS",
            help=f"{name} window scored (default: {default_s:g} s)",
        )
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "int8"),
        default="fp32",
        help="int8, for CPUs, or fp16, for the variant for GPUs (a file beside the fp32 one, served with "
        "--model-config-name=gpu): faster, at a change of the level that is measured and printed (default: fp32)",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="recordings like those to be scored, as folders, manifests (.csv, .parquet) or files. For int8, one half "
        "sets the scales, the other measures the change; for fp16 all measure it, or noise where there are none",
    )
    parser.add_argument(
        "--largest-level-change",
        type=points,
        default=1.0,
        metavar="POINTS",
        help="for int8 and fp16: export only if levels (0 to 100) change by no more than this on average (default: 1)",
    )
    parser.add_argument(
        "--format",
        choices=("onnx", "torchscript"),
        default="onnx",
        help="onnx for Triton's onnxruntime backend, torchscript (fp32) for its pytorch backend (default: onnx)",
    )
    parser.add_argument(
        "--response-cache",
        action="store_true",
        help="let Triton answer repeated audio from its response cache (see `voicestress serve --response-cache-mb`)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, and print what was written and how well it agrees with Hugging Face."""
    from voicestress_model.architectures import random_checkpoint
    from voicestress_model.checkpoints import load_checkpoint
    from voicestress_model.errors import ExportError
    from voicestress_model.export import FORMATS, export_model, other_variants, stress_contract

    if arguments.architecture:
        checkpoint = random_checkpoint(arguments.architecture, seed=arguments.seed)
    else:
        checkpoint = load_checkpoint(arguments.checkpoint)
    contract = stress_contract(
        checkpoint,
        label_weights=arguments.label_weights,
        shortest_window_s=arguments.shortest_window_s,
        longest_window_s=arguments.longest_window_s,
    )
    if arguments.format == "torchscript" and arguments.precision != "fp32":
        raise ExportError(f"{arguments.precision} is for --format onnx; torchscript is fp32")
    outdated = other_variants(arguments.out)
    if arguments.precision == "fp32":
        difference = export_model(
            checkpoint,
            contract,
            arguments.out,
            format=arguments.format,
            response_cache=arguments.response_cache,
        )
        made = FORMATS[arguments.format]
        _say(f"{arguments.out}: {checkpoint.name}, {_megabytes(arguments.out, made.file)}")
        _say(f"{made.runtime} and Hugging Face agree to {difference:.1e} on mixed lengths")
    else:
        export = _export_int8 if arguments.precision == "int8" else _export_half
        for line in export(checkpoint, contract, arguments):
            _say(line)
    for variant in outdated:
        _say(f"removed {variant}, which was of the model that stood here; `voicestress tune` makes another")
    return 0


def _export_int8(
    checkpoint: StressCheckpoint, contract: StressContract, arguments: argparse.Namespace
) -> Iterator[str]:
    from voicestress_model.quantisation import export_int8

    exported = export_int8(
        checkpoint,
        contract,
        arguments.out,
        calibration=arguments.calibration or (),
        largest_level_change=arguments.largest_level_change,
        response_cache=arguments.response_cache,
    )
    yield f"{arguments.out}: {checkpoint.name}, int8, {_megabytes(arguments.out, 'model.onnx')}"
    yield f"ONNX Runtime and Hugging Face agree to {exported.difference:.1e} on mixed lengths before quantising"
    yield f"in int8, {exported.change} windows of recordings it was not calibrated on"
    yield from _left_out(exported.left_out)


def _export_half(
    checkpoint: StressCheckpoint, contract: StressContract, arguments: argparse.Namespace
) -> Iterator[str]:
    from voicestress_model.export import HALF_FILE
    from voicestress_model.half_export import export_half

    exported = export_half(
        checkpoint,
        contract,
        arguments.out,
        recordings=arguments.calibration or (),
        largest_level_change=arguments.largest_level_change,
        response_cache=arguments.response_cache,
    )
    sizes = (
        f"{_megabytes(arguments.out, 'model.onnx')} in fp32, {_megabytes(arguments.out, HALF_FILE)} in fp16 for GPUs"
    )
    yield f"{arguments.out}: {checkpoint.name}, {sizes} (--model-config-name=gpu)"
    yield f"ONNX Runtime and Hugging Face agree to {exported.difference:.1e} on mixed lengths in fp32"
    source = f"{exported.recordings} recordings" if exported.recordings else "noise; give recordings with --calibration"
    yield f"in fp16, {exported.change} windows of {source}; logits change by {exported.logits:.1e} at most"
    yield from _left_out(exported.left_out)


def _left_out(recordings: Sequence[str]) -> Iterator[str]:
    if recordings:
        yield f"{len(recordings)} recordings could not be used; the first: {recordings[0]}"


def _megabytes(folder: Path, file: str) -> str:
    return f"{(folder / '1' / file).stat().st_size / 1e6:.1f} MB"


def _say(line: str) -> None:
    print(line)  # noqa: T201 - the command's answer


def label_weights(text: str) -> dict[str, float]:
    """The value of ``--label-weights``: ``"neutral=0,sad=0.5"`` as a dict."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        label, _, weight = part.partition("=")
        if label.strip() in weights:
            raise argparse.ArgumentTypeError(f"{label.strip()!r} has two weights")
        try:
            weights[label.strip()] = float(weight)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form neutral=0,sad=0.5,anxious=1") from error
    return weights
