"""Takes the pictures of docs/gateway again: ``python -m tests.gateway.page.pictures [NAME ...]``. Look at them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from voicestress_triton import TritonServer

from tests.gateway.conftest import running
from tests.gateway.page.conftest import MICROPHONE, Visit
from tests.paths import MODEL_REPOSITORY, ROOT

FOLDER = ROOT / "docs" / "gateway"
WIDE: dict[str, Any] = {"viewport": {"width": 1200, "height": 900}}
CONTEXTS: dict[str, dict[str, Any]] = {
    "first": WIDE,
    "light": WIDE,
    "dark": {**WIDE, "color_scheme": "dark"},
    "360": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
    "live": WIDE,
}


def main(names: list[str]) -> None:
    """Take those of ``names``, or all."""
    with (
        tempfile.TemporaryDirectory() as logs,
        TritonServer(MODEL_REPOSITORY, models=["stress"]) as triton,
        running(Path(logs), triton.url) as gateway,
        sync_playwright() as playwright,
    ):
        arguments = [*MICROPHONE, "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        for name in names or CONTEXTS:
            here = Visit(browser.new_context(**CONTEXTS[name]).new_page())
            here.page.goto(gateway.url)
            if name == "live":
                here.agree()
                here.speak(seconds=24)
            elif name != "first":
                here.score()
                here.page.get_by_role("button", name="Window 3 of 4").click()
                here.page.wait_for_timeout(1000)
            here.page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
            here.page.context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
