"""Looking at a result: one self-contained page, or one picture, of the recordings that were scored."""

from voicestress.look.entries import Look, Unscored, look_at
from voicestress.look.envelope import Envelope
from voicestress.look.output import LookError, write_page, write_plot

__all__ = ["Envelope", "Look", "LookError", "Unscored", "look_at", "write_page", "write_plot"]
