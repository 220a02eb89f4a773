"""``voicestress evaluate``: how good a checkpoint, or a running server, is on a corpus."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from voicestress.commands.arguments import seconds, share, whole

from voicestress_model.command import label_weights
from voicestress_model.geometry import LONGEST_WINDOW_S, SHORTEST_WINDOW_S

if TYPE_CHECKING:
    from voicestress_model.corpora import Corpus
    from voicestress_model.evaluation.evaluation import Evaluation
    from voicestress_model.evaluation.scorers import Scorer

SUMMARY = "evaluate a checkpoint or a running server on a corpus"
_MOST_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress evaluate``."""
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="folder or hub id of a checkpoint; with --url it may be left out, or else must agree with the server",
    )
    parser.add_argument("corpus", type=Path, help="a manifest (.csv, .parquet) or the folder of a known dataset")
    parser.add_argument(
        "--kind", help="what the corpus is, where its name or layout does not tell: manifest, ravdess, …"
    )
    parser.add_argument("--split", nargs="+", default=[], metavar="NAME", help="tiers (default: all but train)")
    parser.add_argument("--url", metavar="HOST:PORT", help="evaluate the model on this server (gRPC)")
    parser.add_argument("--model", default="stress", help="its name there (default: stress)")
    parser.add_argument("--out", type=Path, required=True, help="folder for report.json, report.html and pictures")
    parser.add_argument("--seed", type=whole, default=0, help="seed of everything drawn (default: 0)")
    parser.add_argument(
        "--robustness-utterances",
        type=whole,
        default=300,
        metavar="N",
        help="utterances that go through noise and codecs (default: 300; 0: none)",
    )
    parser.add_argument(
        "--max-rejected-share",
        type=share,
        default=0.05,
        metavar="SHARE",
        help="fail if more of the recordings than this can't be used, 0 to 1 (default: 0.05)",
    )
    parser.add_argument(
        "--label-weights",
        type=label_weights,
        metavar="LABEL=WEIGHT,…",
        help="of a checkpoint with other labels, as given to `voicestress export`",
    )
    parser.add_argument(
        "--shortest-window-s", type=seconds, default=SHORTEST_WINDOW_S, help="of a checkpoint, as for `export`"
    )
    parser.add_argument(
        "--longest-window-s", type=seconds, default=LONGEST_WINDOW_S, help="of a checkpoint, as for `export`"
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write the report, and print its main figures; 1 if too many recordings were refused."""
    from voicestress_model.corpora import read_corpus
    from voicestress_model.evaluation.errors import EvaluationError
    from voicestress_model.evaluation.evaluation import Options, evaluate
    from voicestress_model.evaluation.report import write_report

    if arguments.checkpoint is None and arguments.url is None:
        raise EvaluationError("nothing to evaluate: name a checkpoint and a corpus, or a corpus and --url HOST:PORT")
    if arguments.out.exists() and not arguments.out.is_dir():
        raise EvaluationError(f"{arguments.out}: is a file; --out names a folder")
    options = Options(
        splits=tuple(arguments.split),
        seed=arguments.seed,
        robustness_utterances=arguments.robustness_utterances,
        progress=True,
    )
    corpus: Corpus = read_corpus(arguments.corpus, kind=arguments.kind)
    with ExitStack() as open_until_done:
        scorers = _scorers(arguments, open_until_done)
        evaluation = evaluate(scorers[0], corpus, options, other=scorers[1] if len(scorers) > 1 else None)
    write_report(evaluation, arguments.out, command=_command(arguments))
    _print_figures(evaluation, arguments.out)
    return _verdict(evaluation, arguments.max_rejected_share)


def _scorers(arguments: argparse.Namespace, open_until_done: ExitStack) -> list[Scorer]:
    """The scorer to evaluate, and the one it must agree with where both a server and a checkpoint are named."""
    from voicestress import StressClient
    from voicestress.commands.connecting import untrained_said_elsewhere

    from voicestress_model.checkpoints import load_checkpoint
    from voicestress_model.evaluation.scorers import checkpoint_scorer, server_scorer
    from voicestress_model.export import stress_contract

    found = []
    shortest_s, longest_s = arguments.shortest_window_s, arguments.longest_window_s
    if arguments.url is not None:
        client = open_until_done.enter_context(StressClient(arguments.url, model=arguments.model))
        with untrained_said_elsewhere():
            found.append(server_scorer(client))
        shortest_s, longest_s = found[0].contract.shortest_window_s, found[0].contract.longest_window_s
    if arguments.checkpoint is not None:
        checkpoint = load_checkpoint(arguments.checkpoint)
        contract = stress_contract(
            checkpoint,
            label_weights=arguments.label_weights,
            shortest_window_s=shortest_s,
            longest_window_s=longest_s,
        )
        found.append(checkpoint_scorer(checkpoint, contract))
    return found


def _print_figures(evaluation: Evaluation, folder: Path) -> None:
    lines = []
    for tier in evaluation.tiers:
        uar, auc = tier.uar, tier.separation.auc.value if tier.separation else float("nan")
        lines.append(
            f"{tier.name}: UAR {uar.value:.3f} [{uar.low:.3f}, {uar.high:.3f}], level AUC {auc:.3f}, calibration "
            f"error {tier.before.error:.3f} before and {tier.after.error:.3f} after scaling; "
            f"{tier.utterances} utterances, {tier.speakers} speakers"
        )
    if found := evaluation.agreement:
        lines.append(f"checkpoint and server differ by {found.largest_difference:.4f} points of stress level at most")
    print("\n".join([*lines, f"{folder / 'report.html'}"]))  # noqa: T201 - the command's answer


def _verdict(evaluation: Evaluation, allowed_share: float) -> int:
    rejected, complaints = evaluation.rejected, []
    complaints.extend(item.reason for item in rejected[:_MOST_LISTED])
    if len(rejected) > _MOST_LISTED:
        complaints.append(f"{len(rejected) - _MOST_LISTED} more refused recordings are in report.json")
    too_many = evaluation.rejected_share > allowed_share
    if rejected:
        limit = f", more than the {allowed_share:.1%} allowed" if too_many else ""
        complaints.append(
            f"{len(rejected)} of {evaluation.asked} recordings ({evaluation.rejected_share:.1%}) refused{limit}"
        )
    disagree = evaluation.agreement is not None and not evaluation.agreement.holds
    if disagree:
        complaints.append("the checkpoint and the server do not agree: what is served is not this checkpoint")
    for complaint in complaints:
        print(f"voicestress: {complaint}", file=sys.stderr)  # noqa: T201 - the command's answer
    return int(too_many or disagree)


def _command(arguments: argparse.Namespace) -> str:
    """The command that gives the same report, all options that matter written out."""
    words = ["voicestress", "evaluate"]
    words += [arguments.checkpoint] if arguments.checkpoint is not None else []
    words.append(str(arguments.corpus))
    options = {
        "--kind": arguments.kind,
        "--split": arguments.split,
        "--url": arguments.url,
        "--model": arguments.model if arguments.url is not None else None,
        "--seed": arguments.seed,
        "--robustness-utterances": arguments.robustness_utterances,
        "--out": arguments.out,
    }
    if arguments.checkpoint is not None:
        weights = arguments.label_weights
        options["--label-weights"] = ",".join(f"{label}={weights[label]:g}" for label in weights) if weights else None
        if arguments.url is None:
            options["--shortest-window-s"] = f"{arguments.shortest_window_s:g}"
            options["--longest-window-s"] = f"{arguments.longest_window_s:g}"
    for name, value in options.items():
        if value is not None and value != []:
            words += [name, *(value if isinstance(value, list) else [str(value)])]
    return shlex.join(words)
