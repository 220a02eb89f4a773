"""``voicestress bulk``: score an archive of recordings, each exactly once, whatever interrupts it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from voicestress.commands.arguments import some
from voicestress.commands.connecting import add_connection_arguments, settings_of, untrained_said_elsewhere

SUMMARY = "score an archive of recordings into a Parquet file"
EXIT_SOME_FAILED = 2
# Of one recording; many are scored at once.
_IN_FLIGHT = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress bulk``."""
    parser.add_argument(
        "source", help="a directory, a glob (quoted), a manifest (CSV or Parquet with a column path), or one at a URL"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet", help="the results")
    parser.add_argument(
        "--shard", metavar="I/N", help="only part I of N, from 0; N alone takes I from a Kubernetes Indexed Job"
    )
    parser.add_argument(
        "--at-once", type=some, default=16, help="recordings with the servers at once, at most (default: 16)"
    )
    parser.add_argument(
        "--processes",
        type=some,
        default=os.cpu_count() or 1,
        help="processes that decode (default: one a core)",
    )
    parser.add_argument(
        "--patience-s", type=float, default=300.0, help="how long a service that is away is waited for (default: 300)"
    )
    parser.add_argument("--retry-failed", action="store_true", help="also those that could not be used before")
    parser.add_argument(
        "--no-speech-detection", dest="speech_detection", action="store_false", help="there is nothing but speech"
    )
    add_connection_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score what is not scored yet; 2 if some recordings can't be used."""
    import pyarrow  # noqa: F401 - missing, it is said before anything is done

    from voicestress.async_client import AsyncStressClient
    from voicestress.bulk.progress import Progress
    from voicestress.bulk.run import Files, Settings, score_archive
    from voicestress.bulk.sources import Shard, SourceError, list_recordings

    out: Path = arguments.out
    if out.suffix != ".parquet" or not out.parent.is_dir():
        raise SourceError(f"{out}: give --out as a .parquet file in a directory that exists")
    shard = None
    if arguments.shard is not None:
        try:
            shard = Shard.parse(arguments.shard)
        except ValueError as error:
            raise SourceError(f"--shard {error}") from error
        out = shard.named(out)
    recordings = list_recordings(arguments.source, shard)
    settings = Settings(
        at_once=arguments.at_once,
        processes=arguments.processes,
        speech_detection=arguments.speech_detection,
        patience_s=arguments.patience_s,
    )

    async def score() -> int:
        async with AsyncStressClient(**settings_of(arguments), priority="archive", in_flight=_IN_FLIGHT) as client:
            with untrained_said_elsewhere():
                contract = await client.contract()
            if contract.weights == "random":
                print(f"{contract.checkpoint} has random weights; its levels mean nothing", file=sys.stderr)  # noqa: T201
            with Progress(len(recordings)) as progress:
                summary = await score_archive(
                    recordings,
                    Files(out),
                    client,
                    settings,
                    retry_failed=arguments.retry_failed,
                    on_done=progress.show,
                )
            progress.print_summary(summary, Files(out))
            return EXIT_SOME_FAILED if summary.failed else 0

    return asyncio.run(score())
