"""``voicestress export``: a checkpoint becomes a Triton model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

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
    parser.add_argument("--seed", type=int, default=0, help="seed of --architecture (default: 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model, e.g. model_repository/stress")
    parser.add_argument(
        "--label-weights",
        type=label_weights,
        metavar="LABEL=WEIGHT,…",
        help="how much each label counts towards stress, 0 to 1 (default: neutral=0,sad=0.5,anxious=1)",
    )
    parser.add_argument("--shortest-window-s", type=float, default=0.5, help="shortest window scored (default: 0.5 s)")
    parser.add_argument("--longest-window-s", type=float, default=8.0, help="longest window scored (default: 8 s)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "int8"),
        default="fp32",
        help="int8, for CPUs: faster, at a change of the level that is measured and printed (default: fp32)",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="for int8: recordings like those to be scored, as folders, manifests (.csv, .parquet) or files; one half "
        "sets the scales, the other measures the change",
    )
    parser.add_argument(
        "--largest-level-change",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="for int8: export only if levels (0 to 100) change by no more than this on average (default: 1)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, and print what was written and how well it agrees with Hugging Face."""
    from voicestress_model.architectures import random_checkpoint
    from voicestress_model.checkpoints import load_checkpoint
    from voicestress_model.export import export_model, stress_contract

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
    if arguments.precision == "int8":
        return _export_int8(checkpoint, contract, arguments)
    difference = export_model(checkpoint, contract, arguments.out)
    size_mb = (arguments.out / "1" / "model.onnx").stat().st_size / 1e6
    print(f"{arguments.out}: {checkpoint.name}, {size_mb:.1f} MB")  # noqa: T201 - the command's answer
    print(f"ONNX Runtime and Hugging Face agree to {difference:.1e} on mixed lengths")  # noqa: T201
    return 0


def _export_int8(checkpoint: StressCheckpoint, contract: StressContract, arguments: argparse.Namespace) -> int:
    from voicestress_model.quantisation import export_int8

    exported = export_int8(
        checkpoint,
        contract,
        arguments.out,
        calibration=arguments.calibration or (),
        largest_level_change=arguments.largest_level_change,
    )
    size_mb = (arguments.out / "1" / "model.onnx").stat().st_size / 1e6
    print(f"{arguments.out}: {checkpoint.name}, int8, {size_mb:.1f} MB")  # noqa: T201 - the command's answer
    print(f"ONNX Runtime and Hugging Face agree to {exported.difference:.1e} on mixed lengths before quantising")  # noqa: T201
    print(f"in int8, {exported.change} windows of recordings it was not calibrated on")  # noqa: T201
    if exported.left_out:
        print(f"{len(exported.left_out)} recordings could not be used; the first: {exported.left_out[0]}")  # noqa: T201
    return 0


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
