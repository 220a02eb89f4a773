"""``voicestress tune``: find the settings of a model that are fastest on this machine."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from voicestress.commands.arguments import seconds, some

if TYPE_CHECKING:
    from voicestress_triton.tuning.measure import Speed
    from voicestress_triton.tuning.settings import Setting

SUMMARY = "find the settings of a model that are fastest on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress tune``."""
    parser.add_argument(
        "repository",
        metavar="MODEL_REPOSITORY",
        nargs="?",
        default="./model_repository",
        type=Path,
        help="folder of the models (default: %(default)s)",
    )
    parser.add_argument("--model", default="stress", help="the model to tune (default: %(default)s)")
    parser.add_argument(
        "--name", default="tuned", type=_name, help="of the variant written, configs/NAME.pbtxt (default: tuned)"
    )
    parser.add_argument("--rounds", type=some, default=2, help="times each setting is measured (default: 2)")
    parser.add_argument("--seconds", type=seconds, default=10.0, help="each measurement takes (default: 10)")
    parser.add_argument(
        "--longest-wait-s",
        type=seconds,
        default=2.0,
        help="the queue holds what is scored in this time, and turns the rest away (default: 2)",
    )


def _name(text: str) -> str:
    if text == "gpu" or not text.isidentifier():
        why = "gpu is what `voicestress export` writes" if text == "gpu" else "letters, digits and _ only"
        raise argparse.ArgumentTypeError(f"{text!r}: {why}; choose another name")
    return text


def _say(setting: Setting, speed: Speed) -> None:
    sys.stderr.write(f"{speed.audio_s_per_s:8.1f} audio-s/s  {speed.latency_s:6.3f} s  {setting}\n")


def run(arguments: argparse.Namespace) -> int:
    """Measure every setting of a small grid, and write the best one as a variant of the model's config."""

    from voicestress_triton.tuning.settings import config_with, contract_of, grid
    from voicestress_triton.tuning.tune import best, measure_all, queue_for, read_config, table

    model: Path = arguments.repository / arguments.model
    config = read_config(model)
    settings = list(grid())
    measured = measure_all(model, settings, rounds=arguments.rounds, seconds=arguments.seconds, on_measured=_say)
    chosen = best(measured)
    queue = queue_for(measured[chosen], contract_of(config), arguments.longest_wait_s)
    lines = table(measured, chosen)
    comments = [
        "Written by `voicestress tune`, for the machine it ran on.",
        f"{os.cpu_count()} cores ({platform.machine()}), voicestress {version('voicestress')}; "
        f"{arguments.rounds} rounds of {arguments.seconds:g} s, medians",
        "",
        *lines,
        "",
        f"The queue holds {queue.windows} windows of each priority, about {queue.longest_s:g} s of work.",
    ]
    path = model / "configs" / f"{arguments.name}.pbtxt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(config_with(config, chosen, queue=queue, comments=comments))
    sys.stdout.write("\n".join([*lines, "", f"{path}: serve it with --model-config-name {arguments.name}"]) + "\n")
    return 0
