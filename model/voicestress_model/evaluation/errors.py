"""What can be wrong with an evaluation, found before any compute is spent."""

from voicestress.errors import StressError


class EvaluationError(StressError):
    """The model can't be evaluated on the corpus. The message names what does not fit, and the way out."""
