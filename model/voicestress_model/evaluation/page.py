"""An evaluation as one self-contained HTML page: no scripts, nothing loaded from anywhere."""

from __future__ import annotations

from html import escape

from voicestress.look.drawing import drawn_in_page_colours
from voicestress.look.drawn_page import document, table

from voicestress_model.evaluation import figures, words
from voicestress_model.evaluation.bootstrap import Interval
from voicestress_model.evaluation.evaluation import DEV, TRAIN, WHOLE, Agreement, Evaluation
from voicestress_model.evaluation.robustness import Robustness
from voicestress_model.evaluation.tiers import Tier

_MOST_REJECTED = 200


def render_page(evaluation: Evaluation, command: str) -> str:
    """The page of an ``evaluation`` that ``command`` made."""
    with drawn_in_page_colours():
        sections = [
            _head(evaluation),
            _summary(evaluation),
            *(_tier(tier, evaluation) for tier in evaluation.tiers),
            _robustness(evaluation.robustness, evaluation.tiers[0].chance) if evaluation.robustness else "",
            _agreement(evaluation.agreement) if evaluation.agreement else "",
            _left_out(evaluation),
            _how(evaluation, command),
        ]
    return document(f"{evaluation.contract.checkpoint} on {evaluation.corpus}", "".join(sections))


def _head(evaluation: Evaluation) -> str:
    contract = evaluation.contract
    warning = f"<p><strong>{words.RANDOM_WEIGHTS}</strong></p>" if contract.weights == "random" else ""
    card = "".join(f"<p>{escape(text)}</p>" for text in words.WHAT_IT_IS_NOT)
    weights = ", ".join(
        f"{label} {weight:g}" for label, weight in zip(contract.labels, contract.label_weights, strict=True)
    )
    return (
        f"<h1>{escape(contract.checkpoint)} on {escape(evaluation.corpus)}</h1>"
        f'<p class="lead">Evaluated by {escape(evaluation.runtime)}, {contract.precision}; label weights '
        f"{escape(weights)}; temperature {contract.temperature:.3g}.</p>"
        f'<div class="card"><h3>What the number is not</h3>{warning}{card}</div>'
    )


def _summary(evaluation: Evaluation) -> str:
    names = list(dict.fromkeys(found.name for tier in evaluation.tiers for found in tier.comparisons))
    titles = {"prosody": "Prosody features", "ceiling": "Ceiling"}
    header = ["Tier", "Utterances", "Speakers", "UAR", "Macro-F1", *(titles[name] for name in names), "Chance",
              "Level AUC", "Calibration error before", "… and after"]  # fmt: skip
    rows = []
    for tier in evaluation.tiers:
        compared = {found.name: _interval(found.uar) for found in tier.comparisons}
        auc = _interval(tier.separation.auc) if tier.separation else "-"
        rows.append(
            [escape(tier.name), str(tier.utterances), str(tier.speakers), f"<strong>{_interval(tier.uar)}</strong>",
             _interval(tier.macro_f1), *(compared[name] for name in names), f"{tier.chance:.2f}", auc,
             _error(tier.before.error, tier.before.error_if_calibrated),
             _error(tier.after.error, tier.after.error_if_calibrated)]
        )  # fmt: skip
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in evaluation.notes)
    picture = _figure(figures.overview(evaluation.tiers), "How good, against what", "overview", wide=True)
    return f"<h2>All tiers</h2>{table(header, rows, kind='stacked')}{notes}{picture}"


def _tier(tier: Tier, evaluation: Evaluation) -> str:
    labels = evaluation.contract.labels
    remarks = {DEV: words.TUNED, TRAIN: words.TRAINED, WHOLE: words.WHOLE}
    notes = [remarks[tier.name]] if tier.name in remarks else []
    if tier.resampled == "utterances":
        notes.append(
            f"There are only {tier.speakers} speakers, so the intervals resample utterances and are too narrow: "
            "they say nothing about other people."
        )
    counts = ", ".join(f"{count} {label}" for label, count in tier.per_label.items())
    return (
        f"<h2>{escape(tier.name)}</h2>"
        f"<p>{tier.utterances} utterances of {tier.speakers} speakers ({escape(counts)}). "
        f"UAR {_interval(tier.uar)}, chance {tier.chance:.2f}. {_compared(tier)}</p>"
        + "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
        + '<div class="figures">'
        + _figure(figures.confusion(tier, labels), "What is taken for what", "confusion")
        + _figure(figures.levels(tier, labels), "Stress level by label", "levels")
        + _figure(figures.reliability(tier), "Confidence against truth", "reliability")
        + _figure(figures.speakers(tier), "Speaker by speaker", "speakers")
        + "</div>"
        + _tier_tables(tier)
    )


def _compared(tier: Tier) -> str:
    sentences = []
    for found in tier.comparisons:
        if found.name == "ceiling":
            sentences.append(f"It reaches {found.model_share:.0%} of the ceiling, {_interval(found.uar)}.")
        else:
            lead = found.model_ahead_by
            sentences.append(
                f"The prosody features reach {_interval(found.uar)}; the model's lead over them is "
                f"{lead.value:+.2f} <small>[{lead.low:+.2f}, {lead.high:+.2f}]</small>."
            )
    return " ".join(sentences)


def _tier_tables(tier: Tier) -> str:
    labels = [
        [escape(label), str(found.utterances), f"{tier.recall[label]:.2f}", f"{found.mean:.1f}",
         *(f"{value:.1f}" for value in found.quantiles.values())]
        for label, found in tier.levels.items()
    ]  # fmt: skip
    header = [
        "Label",
        "Utterances",
        "Recall",
        "Mean level",
        *(f"{name} % below" for name in next(iter(tier.levels.values())).quantiles),
    ]
    spread = tier.per_speaker
    text = (
        f"<p>By speaker, UAR goes from {spread.lowest:.2f} to {spread.highest:.2f}, median {spread.median:.2f}, "
        f"standard deviation {spread.standard_deviation:.2f}. "
    )
    if tier.by_sex is None:
        text += "The corpus does not know the sex of enough speakers for a comparison.</p>"
    else:
        each = ", ".join(f"{sex} {_interval(found)}" for sex, found in tier.by_sex.uar.items())
        text += f"By sex: {each}; the gap is {tier.by_sex.gap:.2f}.</p>"
    return table(header, labels) + text


def _robustness(found: Robustness, chance: float) -> str:
    header = ["Condition", "Utterances", "UAR", "Level moves by", "and on average up by"]
    rows = [
        [escape(row.name), str(row.utterances), _interval(row.uar), f"{row.mean_absolute_change:.1f}",
         f"{row.mean_change:+.1f}"]
        for row in found.conditions
    ]  # fmt: skip
    picture = _figure(figures.robustness(found, chance), "Worse recordings, same words", "robustness", wide=True)
    return (
        f"<h2>Noise and codecs</h2><p>The same {found.utterances} utterances of {escape(', '.join(found.splits))}, "
        f"drawn evenly over tiers and labels.</p>{picture}{table(header, rows)}"
    )


def _agreement(found: Agreement) -> str:
    verdict = "They agree." if found.holds else "<strong>They do not agree: this is not one model.</strong>"
    return (
        f"<h2>Checkpoint and server</h2><p>{escape(found.between[0])} against {escape(found.between[1])} on "
        f"{found.utterances} utterances: the stress level differs by {found.largest_difference:.4f} points at most and "
        f"{found.mean_difference:.4f} on average; {found.allowed:g} are allowed. {verdict}</p>"
    )


def _left_out(evaluation: Evaluation) -> str:
    rejected = evaluation.rejected
    text = "<h2>What was left out</h2>"
    if evaluation.dropped:
        counts = ", ".join(f"{label} ({count})" for label, count in evaluation.dropped.items())
        text += f"<p>By the corpus reader, because no label fits or it is a copy: {escape(counts)}.</p>"
    if not rejected:
        return text + f"<p>None of the {evaluation.asked} recordings of the tiers above was refused.</p>"
    text += f"<p>{len(rejected)} of {evaluation.asked} recordings ({evaluation.rejected_share:.1%}) were refused"
    text += f"; the first {_MOST_REJECTED}:</p>" if len(rejected) > _MOST_REJECTED else ":</p>"
    rows = [[escape(item.utterance.split or "all"), escape(item.reason)] for item in rejected[:_MOST_REJECTED]]
    return text + table(["Tier", "Why"], rows, text_columns=(1,))


def _how(evaluation: Evaluation, command: str) -> str:
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in words.DEFINITIONS.items())
    versions = ", ".join(f"{name} {number}" for name, number in evaluation.versions.items())
    return (
        f"<h2>How it was measured</h2><dl>{terms}</dl><p>Made by</p><pre><code>{escape(command)}</code></pre>"
        f'<p class="note">seed {evaluation.seed}; {escape(versions)}</p>'
    )


def _interval(found: Interval) -> str:
    return f"{found.value:.2f} <small>[{found.low:.2f}, {found.high:.2f}]</small>"


def _error(error: float, if_calibrated: float) -> str:
    return f"{error:.3f} <small>({if_calibrated:.3f})</small>"


def _figure(svg: str, title: str, words_of: str, *, wide: bool = False) -> str:
    kind = ' class="wide"' if wide else ""
    caption = escape(words.HOW_TO_READ[words_of])
    return f"<figure{kind}><h3>{escape(title)}</h3>{svg}<figcaption>{caption}</figcaption></figure>"
