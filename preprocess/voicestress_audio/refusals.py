"""What several formats are refused for, in the same words."""

from __future__ import annotations

from voicestress_audio.errors import InvalidAudio

CONVERT = "Convert it to WAV or FLAC, e.g. `ffmpeg -i INPUT -ar 16000 OUTPUT.wav`"


def cut_off(name: str, how: str) -> InvalidAudio:
    """The end is missing, or what is there can't be decoded."""
    return InvalidAudio(f"{name}: is cut off or damaged: {how}. Copy or record it again.")


def several(name: str, of_what: str) -> InvalidAudio:
    """Recordings are joined that a decoder would read the first of."""
    return InvalidAudio(
        f"{name}: holds several {of_what} one after the other, and only the first would be read. "
        f"Give them one by one, or as one recording: {CONVERT[0].lower()}{CONVERT[1:]}."
    )


def unreadable(message: str) -> InvalidAudio:
    """The container or the codec isn't read here."""
    error = InvalidAudio(message)
    error.is_unreadable_format = True
    return error
