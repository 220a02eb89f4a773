"""What a load test refuses before it begins."""

from __future__ import annotations

from voicestress.errors import StressError


class BadInput(StressError):
    """What was asked for can't be run: the message names it, its value and the way out."""
