"""The scores of many utterances, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from voicestress import InvalidAudio, StressContract, StressReport
from voicestress_audio import Source

from voicestress_model.corpora import Rejected, Utterance
from voicestress_model.evaluation.scorers import Scorer


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of n utterances.

    Args:
        utterances: what was scored.
        truth: their true labels ``[n]``, as numbers in the model's order.
        probabilities: ``[n, labels]`` at the model's temperature, as a client gets them.
        untempered: ``[n, labels]`` at temperature 1.
        levels: stress levels ``[n]``, 0 to 100, as a client gets them.
    """

    utterances: tuple[Utterance, ...]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    untempered: npt.NDArray[np.float64]
    levels: npt.NDArray[np.float64]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable labels ``[n]``."""
        return self.probabilities.argmax(axis=1)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who spoke each."""
        return tuple(utterance.speaker for utterance in self.utterances)

    def take(self, places: npt.NDArray[np.int64]) -> Scores:
        """The scores of the utterances at ``places [m]``."""
        return Scores(
            tuple(self.utterances[place] for place in places),
            self.truth[places],
            self.probabilities[places],
            self.untempered[places],
            self.levels[places],
        )


def score_utterances(
    scorer: Scorer,
    utterances: Sequence[Utterance],
    *,
    source: Callable[[Utterance], Source] = lambda utterance: utterance.path,
    on_scored: Callable[[], object] = lambda: None,
) -> tuple[Scores, list[Rejected]]:
    """Score ``utterances``, each read from what ``source`` makes of it; ``on_scored`` is called after each.

    Those that can't be used are left out of the scores and returned with the reason.
    """
    contract = scorer.contract
    supplies = (partial(source, utterance) for utterance in utterances)
    kept, reports, rejected = [], [], []
    for utterance, scored in zip(utterances, scorer.score(supplies), strict=True):
        if isinstance(scored, InvalidAudio):
            rejected.append(Rejected(utterance, str(scored)))
        else:
            kept.append(utterance)
            reports.append(scored)
        on_scored()
    scores = Scores(
        utterances=tuple(kept),
        truth=np.array([contract.labels.index(utterance.label) for utterance in kept], dtype=np.int64),
        probabilities=_rows((list(report.emotions.values()) for report in reports), contract),
        untempered=_rows((untempered(report, contract) for report in reports), contract),
        levels=np.array([report.stress_level for report in reports]),
    )
    return scores, rejected


def untempered(report: StressReport, contract: StressContract) -> npt.NDArray[np.float64]:
    """The probabilities ``[labels]`` the report would have at temperature 1.

    A window's probabilities are softmax(logits / temperature), so temperature · log(probability) is its logits but for
    a constant that softmax does not see.
    """
    windows = np.array([list(window.emotions.values()) for window in report.windows])  # [windows, labels]
    logits = contract.temperature * np.log(np.maximum(windows, np.finfo(np.float64).tiny))
    plain = contract.model_copy(update={"temperature": 1.0}).emotions(logits)
    return np.asarray(np.average(plain, axis=0, weights=[window.speech_s for window in report.windows]))


def _rows(rows: Iterable[Sequence[float]], contract: StressContract) -> npt.NDArray[np.float64]:
    return np.array([*rows], dtype=np.float64).reshape(-1, len(contract.labels))
