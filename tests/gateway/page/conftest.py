"""A real Chromium at the page of a running gateway, watched: whatever it complains of fails the test."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright
from voicestress_gateway.settings import KEYS_VARIABLE
from voicestress_triton import TritonServer

from tests.gateway.conftest import running
from tests.paths import JFK_WAV

KEY = "a-key-of-the-tests"
LARGEST_UPLOAD_MB = 1
LONGEST_AUDIO_S = 60
# A page whose answer a test has changed has no address of its own, and would not be let to this machine's.
_LOCAL = "--disable-features=LocalNetworkAccessChecks"
MICROPHONE = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={JFK_WAV}")
# Chromium says this of every answer of 400 and above, and of every broken connection; the page explains those itself.
_REFUSED = "Failed to load resource"


@dataclass
class Visit:
    """A tab at the page, and what the browser said and asked for meanwhile."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def agree(self) -> None:
        self.page.get_by_role("checkbox").check()

    def choose(self, recording: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose a file").click()
        chooser.value.set_files(recording)

    def score(self, recording: Path = JFK_WAV) -> None:
        self.agree()
        self.choose(recording)
        self.wait_for_report()

    def speak(self, seconds: float) -> None:
        self.page.get_by_role("button", name="Speak").click()
        self.page.get_by_role("button", name="Stop", exact=True).wait_for()
        self.page.wait_for_timeout(1000 * seconds)

    def wait_for_report(self) -> None:
        self.page.get_by_role("table").wait_for(timeout=30_000)

    def problem(self) -> str:
        """What the page says went wrong."""
        alert = self.page.get_by_role("alert")
        alert.get_by_role("heading").wait_for(timeout=30_000)
        return alert.inner_text()

    def watch(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("filechooser", lambda _: None)  # from now on no dialog opens, however fast a test is
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda socket: self._asked(socket.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.complaints.append(message.text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme not in ("blob", "data"):
            self.hosts.add(urlsplit(url).netloc)


@pytest.fixture(scope="package")
def gateway_url(server: TritonServer, logs_folder: Path) -> Iterator[str]:
    limits = ("--body-mb", str(LARGEST_UPLOAD_MB), "--longest-audio-s", str(LONGEST_AUDIO_S))
    with running(logs_folder, server.url, *limits) as gateway:
        yield gateway.url


@pytest.fixture(scope="package")
def locked_url(server: TritonServer, logs_folder: Path) -> Iterator[str]:
    """Of a gateway that asks for ``KEY``."""
    keys = f"tests {hashlib.sha256(KEY.encode()).hexdigest()}"
    with running(logs_folder, server.url, environment={KEYS_VARIABLE: keys}) as gateway:
        yield gateway.url


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """For this package only: it keeps an event loop running in the thread of the tests."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def launch(playwright: Playwright) -> Callable[[Sequence[str]], Browser]:
    executable = shutil.which("chromium")
    assert executable, "no chromium: make test installs it"
    return lambda arguments: playwright.chromium.launch(executable_path=executable, args=[*arguments])


@pytest.fixture(scope="package")
def browser(launch) -> Iterator[Browser]:
    """One whose microphone hears the recording of the tests, over and over, and is allowed."""
    started = launch([*MICROPHONE, "--use-fake-ui-for-media-stream", _LOCAL])
    yield started
    started.close()


@pytest.fixture
def visit(browser: Browser, gateway_url: str) -> Iterator[Callable[..., Visit]]:
    """Opens the page of a gateway in a new session, with options of Playwright's contexts."""
    visits = []

    def open_page(url: str = gateway_url, *, of: Browser = browser, **options: Any) -> Visit:
        made = Visit(of.new_context(**options).new_page())
        made.watch()
        made.page.goto(url)
        visits.append((made, url))
        return made

    yield open_page
    for made, _ in visits:
        made.page.context.close()
    for made, url in visits:
        assert not made.complaints
        assert made.hosts == {urlsplit(url).netloc}


@pytest.fixture(scope="session")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("silence") / "silence.wav"
    soundfile.write(path, np.zeros(48_000, dtype=np.int16), 16_000)
    return path
