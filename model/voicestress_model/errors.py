"""What can be wrong with a checkpoint or an export."""

from voicestress.errors import StressError


class CheckpointError(StressError):
    """The checkpoint can't be used. The message names it, what is missing or unexpected, and what would help."""


class ExportError(StressError):
    """The exported model is not as good as the checkpoint it came from, so nothing was written."""
