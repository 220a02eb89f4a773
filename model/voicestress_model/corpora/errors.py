"""What can be wrong with a corpus, all of it found before any compute is spent."""

from voicestress.errors import StressError


class CorpusError(StressError):
    """The corpus can't be used. The message names the file, the row or value that is wrong, and the way out."""
