"""What a page or a picture shows of one recording: its report and its outline, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from voicestress_audio import Source

from voicestress.look.envelope import Envelope, Span, read_outline
from voicestress.report import StressReport


@dataclass(frozen=True, eq=False)
class Look:
    """A recording that was scored; ``speech`` are the stretches of speech in it, in seconds."""

    name: str
    report: StressReport
    envelope: Envelope
    speech: tuple[Span, ...]


@dataclass(frozen=True)
class Unscored:
    """A recording that could not be scored, and the reason."""

    name: str
    reason: str


Entry = Look | Unscored


def look_at(name: str, source: Source, report: StressReport, *, speech_detection: bool = True) -> Look:
    """Read the recording ``source`` once more for its outline; ``report`` is what ``analyze`` said of it.

    A file object must be one that can seek. Without ``speech_detection`` the windows count as the speech.

    Raises:
        InvalidAudio: the recording can't be read any more, or is not as long as it was.
    """
    envelope, speech = read_outline(source, report.duration_s, speech_detection=speech_detection)
    if not speech_detection:
        speech = tuple((window.start_s, window.end_s) for window in report.windows)
    return Look(name, report, envelope, speech)
