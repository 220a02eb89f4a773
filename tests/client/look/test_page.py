"""The page: whole, safe, and complete."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from voicestress.look import Unscored
from voicestress.look.page import render_page
from voicestress.look.scale import time_marks
from voicestress.terminal import clock

_VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """A page as a parser sees it: its tags, its text, and the cells of its tables."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.rows, self.words, self._open = [], [], [], [], []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.words.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, attribute):
        return [value for name, value in self.attributes if name == attribute]


@pytest.fixture(scope="module")
def source(look):
    return render_page([look])


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_nothing_is_loaded_and_nothing_runs(source, page):
    assert "://" not in source
    assert not {"script", "img", "link", "iframe", "object", "audio"} & set(page.tags)
    assert page.all("src") == []
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert set(re.findall(r"url\((.)", source)) == {"#"}
    assert all(address.startswith("#") for address in page.all("href"))
    assert any(policy.startswith("default-src 'none'") for policy in page.all("content"))


def test_every_id_is_its_own_and_every_reference_has_one(look):
    page = Page(render_page([look, look, Unscored("notes.wav", "is not audio")]))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    named = [name for names in page.all("aria-labelledby") for name in names.split()]
    named += [address[1:] for address in page.all("href")]
    named += [address[5:-1] for address in page.all("clip-path")]
    assert set(named) <= set(ids)
    assert named


def test_every_drawing_says_what_it_shows(page):
    assert page.tags.count("svg") == page.tags.count("desc") == 3 + 3
    assert page.all("role").count("img") == page.tags.count("svg")


def test_every_heading_of_a_table_has_a_scope(page):
    assert len(page.all("scope")) == page.tags.count("th")


def test_all_windows_are_in_the_table(page, report):
    rows = page.rows[1:]
    assert len(rows) == len(report.windows)
    for row, window in zip(rows, report.windows, strict=True):
        assert row[0] == f"{clock(window.start_s, 2)} to {clock(window.end_s, 2)}"
        assert row[1:] == [
            f"{window.speech_s:.2f}",
            f"{window.stress_level:.1f}",
            *(f"{number:.0%}" for number in window.emotions.values()),
        ]


def test_the_level_the_status_and_the_model_are_told(page, report):
    model = report.model
    assert f"{report.stress_level:.1f} of 100 {report.status}" in page.text
    assert (
        f"{model.name} version {model.version}: {model.checkpoint}, {model.precision}, trained weights, High above 70"
    ) in page.text
    assert "no diagnosis, no lie detector and no measure of a person's health" in page.text
    assert "means nothing" not in page.text


HOSTILE = "<img src=x onerror=alert(1)>&\"'</title><script>\x1b[2J\u202e\udce9.wav"


def test_names_labels_and_reasons_are_only_text(look, changed):
    strange = changed(name=HOSTILE, labels=[HOSTILE, "b", "c"], checkpoint=HOSTILE)
    for entries in ([strange], [strange, Unscored(HOSTILE, HOSTILE)], [Unscored(HOSTILE, HOSTILE)]):
        source = render_page(entries)
        source.encode()
        page = Page(source)
        assert not {"img", "script"} & set(page.tags)
        assert "\x1b" not in source
        assert "\u202e" not in source
        assert "<img src=x onerror=alert(1)>" in page.text


def test_a_recording_that_could_not_be_scored_is_a_line_with_the_reason(look):
    page = Page(render_page([look, Unscored("notes.wav", "is not audio. Convert it.")]))
    assert "Not scored notes.wav : is not audio. Convert it." in page.text
    assert "2 recordings: 0 High, 1 Normal, 1 not scored" in page.text
    assert page.tags.count("section") == 1


def test_a_page_of_nothing_but_failures_is_whole(look):
    page = Page(render_page([Unscored("notes.wav", "is not audio")]))
    assert "1 recording: 0 High, 0 Normal, 1 not scored" in page.text


def test_a_model_nobody_trained_is_warned_of_before_its_number(changed):
    text = Page(render_page([changed(weights="random")])).text
    assert 0 < text.index("levels mean nothing") < text.index("of 100")


def test_a_heuristic_is_called_one_and_dimensions_are_no_shares(changed):
    text = Page(render_page([changed(heuristic=True)])).text
    assert "rule of thumb" in text
    assert "%" not in text


def test_what_is_above_the_threshold_is_high(changed):
    source = render_page([changed(status_threshold=0.0)])
    assert 'class="high"' in source
    assert 'rect class="normal"' not in source


@pytest.mark.parametrize(
    ("seconds", "decimals", "written"),
    [(0, 0, "0:00"), (59.6, 0, "1:00"), (65.318, 2, "1:05.32"), (59.999, 2, "1:00.00"), (7265, 0, "2:01:05")],
)
def test_clock(seconds, decimals, written):
    assert clock(seconds, decimals) == written


@pytest.mark.parametrize("duration_s", [0.03, 0.5, 1.0, 11.0, 60.0, 61.0, 3600.0, 86_400.0, 500_000.0])
def test_an_axis_has_few_marks_and_none_past_its_end(duration_s):
    marks = time_marks(duration_s)
    assert 1 <= len(marks) <= 7
    assert all(0 <= at_s <= duration_s + 1e-9 for at_s, _ in marks)
    assert len({written for _, written in marks}) == len(marks)
