"""``voicestress train``: a corpus and a backbone become a stress checkpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

SUMMARY = "train a stress checkpoint from a config file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress train``."""
    parser.add_argument("config", type=Path, help="YAML file with the settings, or finetune or demo, which are shipped")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="changes",
        help="change a setting of the file, e.g. --set out=build/other --set corpus.shuffle_labels=true",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, saying how it goes, and print what came of it."""
    from tqdm.auto import tqdm

    from voicestress_model.training.run import train
    from voicestress_model.training.settings import read_settings

    settings = read_settings(arguments.config, arguments.changes)
    train(settings, report=tqdm.write, bar=sys.stderr.isatty())
    return 0
