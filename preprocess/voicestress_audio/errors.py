"""What can be wrong with a recording.

    StressError
      InvalidAudio          the recording can't be used (why, and what would help)
        NoSpeech            it can be read, but too little of it is speech
        TooLong             it is longer than whoever reads it allows

``voicestress.errors`` adds what can be wrong with the service.
"""


class StressError(Exception):
    """Base of every error voicestress raises on purpose."""


class InvalidAudio(StressError):
    """The recording can't be used. The message names it, the value that is wrong and what would help.

    ``is_unreadable_format`` tells that it is in a container or codec that isn't read here, or no audio at all.
    """

    is_unreadable_format = False


class TooLong(InvalidAudio):
    """The recording is longer than its reader allows."""


class NoSpeech(InvalidAudio):
    """The recording can be read, but too little of it is speech."""
