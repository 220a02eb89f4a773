"""What a page and a picture say of the number: which model made it, and what it is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicestress.look.entries import Entry, Look
from voicestress.report import ModelInfo
from voicestress.terminal import counted

IN_SHORT = (
    "The level, 0 to 100, orders voices by what a model was trained to hear. "
    "It is no diagnosis, no lie detector and no measure of a person's health."
)
WHAT_IT_IS_NOT = (
    "Vocal stress is a weak and disputed signal. The level orders voices by what a model was trained to hear; it is no "
    "diagnosis, no lie detector and no measure of a person's health.",
    "In the EU, inferring emotions at work or in education is prohibited except for medical or safety reasons (AI Act, "
    "Art. 5(1)(f)), and people must be told when it is done (Art. 50(3)).",
)
RANDOM = "The model's weights are random: nobody trained it, and its levels mean nothing."
HEURISTIC = "The level is a rule of thumb: the model was trained for dimensions of emotion, not for stress."

SOUND = (
    "The outline of the sound, the louder the taller, scaled to its loudest moment. Coloured is what was taken for "
    "speech. The rest was not scored, save for pauses of up to 0.3 s, and a little around speech shorter than a window."
)
LEVEL = (
    "One bar is one window: a stretch of speech that the model scored by itself. The recording's level is the mean "
    "over the windows, weighted by their seconds of speech. Above the dashed line it counts as High."
)
SHARES = "What the model took each window for: probabilities, which add up to 100% in every window."
DIMENSIONS = "What the model said of each window: the dimensions it was trained for, about 0 to 1 each."


def card_line(model: ModelInfo) -> str:
    """Which model scored: name, version, checkpoint, precision, weights, threshold."""
    return (
        f"{model.name} version {model.version}: {model.checkpoint}, {model.precision}, {model.weights} weights, "
        f"High above {model.status_threshold:g}"
    )


def warnings_of(model: ModelInfo) -> list[str]:
    """What must be said before the number is."""
    return [RANDOM] * (model.weights == "random") + [HEURISTIC] * model.heuristic


def models_of(entries: Iterable[Entry]) -> list[ModelInfo]:
    """The models that scored, each once, in order."""
    found: list[ModelInfo] = []
    for entry in entries:
        if isinstance(entry, Look) and entry.report.model not in found:
            found.append(entry.report.model)
    return found


def outcome(entries: Sequence[Entry]) -> str:
    """How many recordings there are, and what became of them."""
    scored = [entry.report for entry in entries if isinstance(entry, Look)]
    high = sum(report.status == "High" for report in scored)
    text = f"{counted(len(entries), 'recording')}: {high} High, {len(scored) - high} Normal"
    missing = len(entries) - len(scored)
    return f"{text}, {missing} not scored" if missing else text
