"""What can be wrong with a training run."""

from voicestress.errors import StressError


class TrainingError(StressError):
    """The run can't start or go on. The message names the setting or the recording, the value and the way out."""
