"""``voicestress corpus``: make the synthetic corpus, or check one of your own."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from voicestress.commands.arguments import seconds, share, some, whole

from voicestress_model.geometry import SHORTEST_WINDOW_S

SUMMARY = "make the synthetic corpus, or check one of your own"

_KINDS = ("manifest", "ravdess", "iemocap", "crema-d")
_EXIT_REJECTED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress corpus``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    synthesize = actions.add_parser("synthesize", help="make the corpus the demo model is trained on")
    synthesize.add_argument("--out", type=Path, required=True, help="folder to make it in")
    synthesize.add_argument("--size", choices=("small", "demo"), default="demo", help="(default: demo)")
    synthesize.add_argument("--seed", type=whole, default=0, help="the same seed gives the same corpus (default: 0)")
    synthesize.add_argument("--workers", type=some, default=2, help="processes (default: 2)")
    check = actions.add_parser("check", help="count a corpus, and list the recordings that can't be used")
    check.add_argument("corpus", type=Path, help="a .csv or .parquet manifest, or the folder of a dataset")
    check.add_argument("--kind", choices=_KINDS, help="what it is (default: found out)")
    check.add_argument(
        "--shortest-s",
        type=seconds,
        default=SHORTEST_WINDOW_S,
        metavar="SECONDS",
        help=f"shorter recordings can't be used (default: {SHORTEST_WINDOW_S:g}, as in training and evaluation)",
    )
    check.add_argument(
        "--max-rejected-share",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="share of recordings that may be unusable before the command fails (default: 0)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    return _synthesize(arguments) if arguments.action == "synthesize" else _check(arguments)


def _synthesize(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from voicestress_model.corpora.synthetic.synthesis import MANIFEST, recording_count, synthesize_corpus

    with tqdm(total=recording_count(arguments.size), unit=" recordings", disable=None) as bar:
        corpus = synthesize_corpus(
            arguments.out,
            size=arguments.size,
            seed=arguments.seed,
            workers=arguments.workers,
            progress=bar.update,
        )
    print(f"{arguments.out / MANIFEST}: {len(corpus.utterances)} recordings")  # noqa: T201 - the command's answer
    for split in corpus.splits:
        chosen = corpus.split(split)
        spoken_s = sum(float(utterance.details["seconds"]) for utterance in chosen)
        speakers = len({utterance.speaker for utterance in chosen})
        print(f"  {split:<20}{len(chosen):>6}  {speakers:>3} speakers  {spoken_s / 60:6.1f} min")  # noqa: T201
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from voicestress_model.corpora import check_recordings, read_corpus

    corpus = read_corpus(arguments.corpus, kind=arguments.kind)
    total = len(corpus.utterances)
    with tqdm(total=total, unit=" recordings", disable=None) as bar:
        corpus, rejected = check_recordings(
            corpus,
            shortest_s=arguments.shortest_s,
            progress=bar.update,
            on_rejected=lambda found: tqdm.write(f"voicestress: {found.reason}", file=sys.stderr),
        )
    counts = Counter(utterance.label for utterance in corpus.utterances)
    labels = ", ".join(f"{counts[label]} {label}" for label in corpus.labels)
    print(f"{corpus.name}: {len(corpus.utterances)} recordings of {len(corpus.speakers)} speakers: {labels}")  # noqa: T201
    if corpus.dropped:
        dropped = ", ".join(f"{count} {label}" for label, count in corpus.dropped.items())
        print(f"  left out by the reader (no label fits, or a copy): {dropped}")  # noqa: T201
    if rejected:
        print(f"  left out, unusable: {len(rejected)} of {total}")  # noqa: T201
    return _EXIT_REJECTED if len(rejected) > arguments.max_rejected_share * total else 0
