"""Make an API key for the gateway: the key, for who will use it, and its line, for the gateway's keys file."""

from __future__ import annotations

import argparse
import sys

from voicestress_gateway.keys import digest_of, new_key

SUMMARY = "make an API key for the gateway"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``voicestress gateway-key``."""
    parser.add_argument("name", metavar="NAME", help="whose key it is, as logs will call it: letters, digits, . _ -")


def run(arguments: argparse.Namespace) -> int:
    """Print the line to standard output, to be appended to the file, and the key to standard error."""
    key = new_key()
    sys.stderr.write(f"the key of {arguments.name}, shown only now: {key}\n")
    sys.stdout.write(f"{arguments.name} {digest_of(key)}\n")
    return 0
