"""The page is for everybody: keyboard, screen reader, telephone, light and dark, no motion."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.paths import JFK_WAV

NARROW = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


def focused(here) -> str:
    return here.page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()")


def serious(here) -> list[str]:
    violations = Axe().run(here.page).response["violations"]
    return [f"{found['id']}: {found['help']}" for found in violations if found["impact"] in ("serious", "critical")]


def test_it_works_with_the_keyboard_alone(visit):
    here = visit()
    press = here.page.keyboard.press
    press("Tab")
    press("Space")
    assert here.page.get_by_role("checkbox").is_checked()
    press("Tab")
    assert focused(here) == "Choose a file"
    with here.page.expect_file_chooser() as chooser:
        press("Enter")
    chooser.value.set_files(JFK_WAV)
    here.wait_for_report()
    assert focused(here) == "jfk.wav"
    press("Tab")
    assert focused(here).startswith("Window 1 of 4")
    press("ArrowRight")
    press("ArrowRight")
    assert focused(here).startswith("Window 3 of 4")
    press("Enter")
    assert here.page.get_by_role("button", pressed=True).count() == 1
    press("Escape")
    assert here.page.get_by_role("button", pressed=True).count() == 0
    press("End")
    press("Space")
    assert here.page.get_by_role("button", name="Window 4 of 4", pressed=True).count() == 1
    press("Space")
    assert here.page.get_by_role("button", pressed=True).count() == 0
    press("Tab")
    assert focused(here) == "Play all"
    press("Tab")
    press("Tab")
    assert focused(here).startswith("Play 0:00")


@pytest.mark.slow
def test_a_voice_is_recorded_with_the_keyboard_alone(visit):
    here = visit()
    press = here.page.keyboard.press
    for key in ("Tab", "Space", "Tab", "Tab", "Enter"):
        press(key)
    here.page.get_by_role("button", name="Stop", exact=True).wait_for()
    assert focused(here) == "Stop"
    here.page.wait_for_timeout(5000)
    press("Enter")
    here.wait_for_report()
    assert focused(here) == "Your voice"


def test_a_screen_reader_hears_what_happens(visit):
    here = visit()
    here.score()
    assert re.search(r"scored: level \d+\.\d of 100, (Normal|High)", here.page.get_by_role("status").inner_text())
    tree = here.page.locator("#result").aria_snapshot()
    assert "toolbar" in tree
    assert re.search(r'row "Play 0:00\.3 to 0:02\.3', tree)
    assert re.search(r'img "Level\. 4 windows, levels from', tree)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_nothing_serious(visit, scheme, width, silence):
    here = visit(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
    assert serious(here) == []
    here.agree()
    assert serious(here) == []
    here.choose(silence)
    here.problem()
    assert serious(here) == []
    here.choose(JFK_WAV)
    here.wait_for_report()
    assert serious(here) == []
    here.speak(seconds=4.0)
    assert serious(here) == []


@pytest.mark.slow
def test_axe_finds_nothing_serious_where_a_key_is_asked_for(visit, locked_url):
    here = visit(locked_url, bypass_csp=True)
    here.agree()
    here.choose(JFK_WAV)
    here.problem()
    assert serious(here) == []


@pytest.mark.slow
def test_360_pixels_are_wide_enough(visit, silence):
    here = visit(**NARROW)

    def too_wide() -> int:
        return here.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert too_wide() == 0
    here.agree()
    here.choose(silence)
    here.problem()
    assert too_wide() == 0
    here.choose(JFK_WAV)
    here.wait_for_report()
    assert too_wide() == 0
    assert here.page.locator(".scroll").evaluate("scroll => scroll.scrollWidth - scroll.clientWidth") == 0
    here.speak(seconds=3.0)
    assert too_wide() == 0
    small = "button => button.offsetHeight < 32 && button.offsetParent && !button.closest('.windows')"
    assert here.page.evaluate(f"[...document.querySelectorAll('button')].filter({small}).length") == 0


@pytest.mark.slow
def test_dark_is_dark_and_light_is_light(visit):
    shades = {}
    for scheme in ("light", "dark"):
        here = visit(color_scheme=scheme)
        colour = here.page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(map(int, re.findall(r"\d+", colour)))
    assert shades["light"] > 700
    assert shades["dark"] < 100


@pytest.mark.slow
def test_nothing_moves_for_who_wants_no_motion(visit):
    here = visit(reduced_motion="reduce")
    here.agree()
    here.speak(seconds=2.5)
    moving = "document.getAnimations().filter((animation) => animation.playState === 'running').length"
    assert here.page.evaluate(moving) == 0
