"""``voicestress evaluate``, from a corpus to the report."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from voicestress import Unavailable
from voicestress_model.corpora import CorpusError
from voicestress_model.errors import CheckpointError, ExportError
from voicestress_model.evaluation import EvaluationError
from voicestress_model.evaluation.words import DEFINITIONS, HOW_TO_READ, WHAT_IT_IS_NOT

from tests.conftest import RANDOM_MODEL
from tests.model.evaluation.conftest import CLIPS_EACH, LABELS, SPEAKERS, evaluate_command, write_manifest

TIERS = ("dev", "unseen_voices")
WINDOWS = ("--longest-window-s", "3")
QUICK = (*WINDOWS, "--robustness-utterances", "0")


@pytest.fixture(scope="module")
def made(checkpoint_folder, manifest, tmp_path_factory):
    """The folder of a whole evaluation of a checkpoint."""
    out = tmp_path_factory.mktemp("report") / "of" / "checkpoint"
    assert evaluate_command(checkpoint_folder, manifest, "--robustness-utterances", 9, *WINDOWS, "--out", out) == 0
    return out


@pytest.fixture(scope="module")
def figures(made):
    return json.loads((made / "report.json").read_text(), parse_constant=pytest.fail)


@pytest.fixture(scope="module")
def page(made):
    return (made / "report.html").read_text()


def test_every_tier_but_train_is_reported(figures):
    assert [tier["name"] for tier in figures["tiers"]] == list(TIERS)
    for tier in figures["tiers"]:
        assert tier["speakers"] == SPEAKERS[tier["name"]]
        assert tier["utterances"] == SPEAKERS[tier["name"]] * CLIPS_EACH
        assert tier["per_label"] == dict.fromkeys(LABELS, SPEAKERS[tier["name"]] * CLIPS_EACH // 3)


def test_the_figures_of_a_tier_fit_together(figures):
    for tier in figures["tiers"]:
        counts = tier["confusion"]
        recall = [row[number] / sum(row) for number, row in enumerate(counts)]
        assert [*tier["recall"].values()] == pytest.approx(recall)
        assert tier["uar"]["value"] == pytest.approx(sum(recall) / 3)
        for interval in (tier["uar"], tier["macro_f1"], tier["separation"]["auc"]):
            assert 0 <= interval["low"] <= interval["value"] <= interval["high"] <= 1
        assert tier["chance"] == pytest.approx(1 / 3)
        assert (tier["separation"]["high"], tier["separation"]["low"]) == (["anxious"], ["neutral"])
        assert len(tier["per_speaker"]["uar"]) == tier["speakers"]
        assert set(tier["by_sex"]["uar"]) == {"female", "male"}
        for side in ("before", "after"):
            assert sum(part["count"] for part in tier[side]["bins"]) == tier["utterances"]
        for label in LABELS:
            assert sum(tier["levels"][label]["histogram"]) == tier["per_label"][label]
    assert {tier["name"]: tier["resampled"] for tier in figures["tiers"]} == {
        "dev": "utterances",
        "unseen_voices": "speakers",
    }


def test_the_model_is_held_against_prosody_and_ceiling_draw_by_draw(figures):
    for tier in figures["tiers"]:
        assert [found["name"] for found in tier["comparisons"]] == ["prosody", "ceiling"]
        for found in tier["comparisons"]:
            lead = tier["uar"]["value"] - found["uar"]["value"]
            assert found["trained_on"] == SPEAKERS["train"] * CLIPS_EACH
            assert found["model_ahead_by"]["value"] == pytest.approx(lead)
            assert found["model_share"] == pytest.approx(tier["uar"]["value"] / found["uar"]["value"])
    ceiling = figures["tiers"][1]["comparisons"][1]
    assert ceiling["uar"]["value"] > 0.9  # the made-up parameters give the label away


def test_the_same_utterances_go_through_every_distortion(figures):
    found = figures["robustness"]
    assert found["splits"] == ["unseen_voices"]  # dev chose the model
    names = [condition["name"] for condition in found["conditions"]]
    noises = [f"{kind}, {snr} dB" for kind in ("white noise", "babble") for snr in (20, 10, 5, 0)]
    assert names == ["as recorded", *noises, "telephone", "Opus, 16 kbit/s", "MP3, 32 kbit/s"]
    assert {condition["utterances"] for condition in found["conditions"]} == {9}
    clean, *worse = found["conditions"]
    assert clean["mean_absolute_change"] == 0
    assert all(condition["mean_absolute_change"] >= abs(condition["mean_change"]) > 0 for condition in worse)


def test_the_report_says_what_made_it(figures):
    assert figures["command"].startswith("voicestress evaluate ")
    for option in ("--seed 0", "--longest-window-s 3", "--robustness-utterances 9"):
        assert option in figures["command"]
    assert figures["seed"] == 0
    assert {"voicestress", "torch", "scikit-learn", "python"} <= set(figures["versions"])
    assert figures["model"]["checkpoint"] == "lively"
    assert figures["rejected"] == {"count": 0, "share": 0.0, "utterances": []}


def test_the_same_seed_gives_the_same_figures(checkpoint_folder, manifest, figures, tmp_path):
    assert evaluate_command(checkpoint_folder, manifest, "--robustness-utterances", 9, *WINDOWS, "--out", tmp_path) == 0
    again = json.loads((tmp_path / "report.json").read_text())
    assert {**again, "command": ""} == {**figures, "command": ""}


class Page(HTMLParser):
    """Open elements, ids and attributes of a page."""

    VOID = ("meta", "br", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()


def test_the_page_loads_nothing_from_anywhere(page):
    parser = Page()
    parser.feed(page)
    assert parser.open == []
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert not {"script", "link", "img", "iframe", "object"} & set(parser.tags)
    references = [value for name, value in parser.attributes if name in {"href", "src", "xlink:href"}]
    assert all(value.startswith("#") for value in references)
    assert all(reference.startswith("#") for reference in re.findall(r"url\(([^)]*)\)", page))


def test_every_picture_is_there_with_words_and_colours_of_the_page(page):
    parser = Page()
    parser.feed(page)
    assert parser.tags.count("svg") == parser.tags.count("figcaption") == 2 + 4 * len(TIERS)
    assert len(parser.ids) == len(set(parser.ids))
    text = page.replace("&#x27;", "'").replace("&quot;", '"')
    for words in (*HOW_TO_READ.values(), *DEFINITIONS.values(), *WHAT_IT_IS_NOT):
        assert words in text
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawings)) == set()
    assert "var(--ink)" in drawings


def test_the_pictures_are_files_too_with_colours_of_their_own(made):
    pictures = {path.stem: path.read_text() for path in (made / "pictures").iterdir()}
    kinds = ("confusion", "levels", "reliability")
    assert set(pictures) == {"overview", "robustness", *(f"{tier}-{kind}" for tier in TIERS for kind in kinds)}
    for svg in pictures.values():
        ElementTree.fromstring(svg)
        defined = set(re.findall(r"--([\w-]+):", svg))
        assert set(re.findall(r"var\(--([\w-]+)\)", svg)) <= defined
        assert "prefers-color-scheme: dark" in svg


def test_the_page_owns_up_to_what_its_figures_do_not_say(page):
    assert "The speech is synthetic" in page
    assert "only 2 speakers" in page
    assert "This split chose the checkpoint" in page


def test_a_server_is_evaluated_like_its_checkpoint_and_the_two_agree(
    server, checkpoint_folder, manifest, figures, tmp_path, capsys
):
    argv = ["--url", server.url, "--model", "group_norm", "--robustness-utterances", 0, "--out", tmp_path]
    assert evaluate_command(checkpoint_folder, manifest, *argv) == 0
    served = json.loads((tmp_path / "report.json").read_text())
    assert served["runtime"] == "Triton"
    assert served["agreement"]["holds"]
    assert served["agreement"]["largest_difference"] < 0.1
    assert served["agreement"]["utterances"] == sum(tier["utterances"] for tier in figures["tiers"])
    for tier, here in zip(served["tiers"], figures["tiers"], strict=True):
        assert tier["confusion"] == here["confusion"]
        assert tier["levels"]["anxious"]["mean"] == pytest.approx(here["levels"]["anxious"]["mean"], abs=0.1)
    assert "differ by 0.0" in capsys.readouterr().out


def test_a_server_with_another_model_does_not_agree(server, checkpoint_folder, manifest, tmp_path, capsys):
    argv = ["--url", server.url, "--model", "layer_norm", "--robustness-utterances", 0, "--split", "dev"]
    assert evaluate_command(checkpoint_folder, manifest, *argv, "--out", tmp_path) == 1
    assert "do not agree" in capsys.readouterr().err
    assert "not one model" in (tmp_path / "report.html").read_text()


def test_a_server_alone_is_enough_and_random_weights_are_said_to_be_random(server, manifest, tmp_path):
    argv = [
        manifest,
        "--url",
        server.url,
        "--model",
        RANDOM_MODEL,
        "--robustness-utterances",
        0,
        "--split",
        "dev",
        "--out",
        tmp_path,
    ]
    assert evaluate_command(*argv) == 0
    assert "Nobody trained this model" in (tmp_path / "report.html").read_text()


def test_no_server_is_an_error(manifest, tmp_path):
    with pytest.raises(Unavailable):
        evaluate_command(manifest, "--url", "127.0.0.1:9", "--out", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_corpus_without_splits_is_one_tier(checkpoint_folder, rows, tmp_path):
    part = [{key: row[key] for key in ("path", "label", "speaker")} for row in rows if row["split"] == "dev"]
    plain = write_manifest(tmp_path / "plain.csv", part)
    assert evaluate_command(checkpoint_folder, plain, *QUICK, "--out", tmp_path) == 0
    figures = json.loads((tmp_path / "report.json").read_text())
    (tier,) = figures["tiers"]
    assert (tier["name"], tier["utterances"], tier["by_sex"], tier["comparisons"]) == ("all", 12, None, [])
    assert "no split 'train'" in figures["notes"][0]


@pytest.fixture
def with_bad_recordings(rows, tmp_path):
    """The corpus with a recording that is no sound, one that is silent, one too short, and one of "train" lost."""
    import numpy as np
    import soundfile

    (tmp_path / "bad.wav").write_text("no sound")
    soundfile.write(tmp_path / "silent.wav", np.zeros(32_000), 16_000)
    soundfile.write(tmp_path / "short.wav", np.ones(800) / 2, 16_000)
    sick = next(row for row in rows if row["split"] == "dev")
    bad = [{**sick, "path": tmp_path / name} for name in ("bad.wav", "silent.wav", "short.wav")]
    (tmp_path / "lost.wav").write_text("no sound either")
    bad.append({**rows[0], "path": tmp_path / "lost.wav"})
    return write_manifest(tmp_path / "bad.csv", [*rows, *bad])


@pytest.mark.parametrize(("allowed", "code"), [("0.3", 0), ("0.1", 1)])
def test_recordings_that_can_not_be_used_are_listed_and_too_many_fail(
    checkpoint_folder, with_bad_recordings, tmp_path, capsys, allowed, code
):
    argv = [checkpoint_folder, with_bad_recordings, "--split", "dev", *QUICK, "--max-rejected-share", allowed]
    assert evaluate_command(*argv, "--out", tmp_path) == code
    err = capsys.readouterr().err
    for reason in ("bad.wav: is not audio", "silent.wav: is silent", "short.wav: is 0.05 s long", "3 of 15 recordings"):
        assert reason in err
    figures = json.loads((tmp_path / "report.json").read_text())
    assert (figures["rejected"]["count"], figures["rejected"]["share"]) == (3, 0.2)
    assert figures["tiers"][0]["utterances"] == 12
    page = (tmp_path / "report.html").read_text()
    assert "silent.wav: is silent" in page
    assert "1 of the 73 recordings for the regression on hand-made features can" in page


def refused(expected, match, *argv, out):
    with pytest.raises(expected, match=match):
        evaluate_command(*argv, "--out", out)
    assert not out.exists()


def test_what_does_not_fit_is_refused_before_anything_is_computed(checkpoint_folder, manifest, rows, tmp_path):
    out = tmp_path / "report"
    refused(CheckpointError, "nowhere", "./nowhere", manifest, out=out)
    refused(CorpusError, "nothing is there", checkpoint_folder, tmp_path / "no.csv", out=out)
    refused(CorpusError, "no kind of corpus", checkpoint_folder, manifest, "--kind", "films", out=out)
    refused(
        EvaluationError,
        r"no split tset\. Its splits: train, dev",
        checkpoint_folder,
        manifest,
        "--split",
        "tset",
        out=out,
    )
    refused(EvaluationError, "name a checkpoint", manifest, out=out)
    refused(ExportError, "at least twice", checkpoint_folder, manifest, "--longest-window-s", 0.6, out=out)

    other = write_manifest(tmp_path / "other.csv", [{**row, "label": f"very {row['label']}"} for row in rows])
    refused(EvaluationError, "very anxious.*not among those of lively: neutral", checkpoint_folder, other, out=out)
    only_train = write_manifest(tmp_path / "train.csv", [row for row in rows if row["split"] == "train"])
    refused(EvaluationError, "only split is 'train'", checkpoint_folder, only_train, out=out)
    no_sad = [row for row in rows if row["split"] != "unseen_voices" or row["label"] != "sad"]
    lacking = write_manifest(tmp_path / "lacking.csv", no_sad)
    refused(EvaluationError, "split 'unseen_voices' is labelled sad", checkpoint_folder, lacking, out=out)


def test_out_that_is_a_file_is_refused(checkpoint_folder, manifest):
    with pytest.raises(EvaluationError, match="is a file"):
        evaluate_command(checkpoint_folder, manifest, "--out", manifest)


@pytest.mark.parametrize("option", [("--max-rejected-share", "2"), ("--robustness-utterances", "-1"), ("--seed", "x")])
def test_options_out_of_range_are_wrong_usage(checkpoint_folder, manifest, tmp_path, option, capsys):
    with pytest.raises(SystemExit) as exit_code:
        evaluate_command(checkpoint_folder, manifest, *option, "--out", tmp_path)
    assert exit_code.value.code == 2
    assert option[0] in capsys.readouterr().err
