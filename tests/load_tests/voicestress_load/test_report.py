"""The report of a run, seen as its reader sees it: in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright
from voicestress_load.report import render, write_report
from voicestress_load.results import UnreadableRun

from tests.load_tests.voicestress_load import made_runs


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def searched(tmp_path):
    """A search that was kept."""
    made_runs.keep(tmp_path, *made_runs.served([10, 30, 60], most_waiting=40))
    return tmp_path


def opened(browser, path, **how) -> Page:
    """The page, from which nothing may be asked of anybody."""
    page = browser.new_context(**how).new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    return page


def test_the_first_screen_has_the_headline_and_what_limits_it(browser, searched):
    page = opened(browser, write_report(searched), viewport={"width": 1280, "height": 800})
    figures = json.loads((searched / "report.json").read_text())
    assert page.locator(".headline b").inner_text() == f"{figures['headline']['audio_s_per_s']:.1f}"
    limits = page.locator(".limits")
    assert "The model's compute" in limits.inner_text()
    box = limits.bounding_box()
    assert box["y"] + box["height"] < 800
    assert page.locator(".void").count() == 0


def test_it_has_a_drawing_of_everything_that_was_asked_for(browser, searched):
    page = opened(browser, write_report(searched))
    titles = page.locator("figure h3").all_inner_texts()
    assert titles == [
        "Latency against offered load", "Offered against achieved", "Latency over time", "What became of the requests",
        "The generator's lag", "Lengths", "Waiting and computing", "How busy it was", "Batch size over time",
        "Batch sizes", "Waiting requests and memory",
    ]  # fmt: skip
    assert page.locator("figure svg[aria-label]").count() == len(titles)
    text = page.locator("main").inner_text()
    for said in ("voicestress load run utterances", "triton 2.51.0", "2 cores of a processor", "were rejected"):
        assert said in text
    assert page.locator("h2", has_text="What it does not show").count() == 1


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_fits_a_telephone_and_can_be_read_there(browser, searched, colours):
    page = opened(browser, write_report(searched), viewport={"width": 360, "height": 740}, color_scheme=colours)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    sizes = page.evaluate(
        "[...document.querySelectorAll('figure svg text')].map(text => text.getBoundingClientRect().height)"
    )
    assert min(sizes) > 7
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", paper)[:3])) / 3
    assert (lightness > 200) == (colours == "light")


def test_a_void_run_says_so_first_and_in_words(browser, tmp_path):
    requests, server, steps = made_runs.served([10, 30])
    made_runs.keep(tmp_path, requests, server, steps, void="its requests were sent up to 900 ms late")
    page = opened(browser, write_report(tmp_path))
    alert = page.get_by_role("alert")
    assert "This run is void: its requests were sent up to 900 ms late" in alert.inner_text()
    assert "No figure below says what the server can do" in alert.inner_text()
    assert page.locator(".headline").count() == 0
    assert alert.bounding_box()["y"] < 300


def test_without_metrics_it_says_how_to_get_them(browser, tmp_path):
    requests, _, steps = made_runs.served([10])
    made_runs.keep(tmp_path, requests, None, steps, shape="steady")
    page = opened(browser, write_report(tmp_path))
    assert "--metrics" in page.locator("main").inner_text()
    assert page.locator("figure").count() == 6


def test_names_from_outside_are_text_and_not_markup(tmp_path):
    requests, server, steps = made_runs.served([10])
    made_runs.keep(tmp_path, requests, server, steps, command="<script>x</script>", workload_name="<b>w</b>")
    page = render(tmp_path)
    assert "<script" not in page
    assert "<b>w</b>" not in page


def test_the_same_run_gives_the_same_page(searched):
    assert render(searched) == render(searched)


def test_a_folder_without_a_run_is_an_error_that_names_it(tmp_path):
    with pytest.raises(UnreadableRun, match=re.escape(str(tmp_path))):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
