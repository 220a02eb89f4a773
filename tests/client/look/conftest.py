"""Looks at a real recording, scored by the session's Triton."""

from __future__ import annotations

import pytest
from voicestress.look import look_at

from tests.paths import JFK_WAV


@pytest.fixture(scope="session")
def report(client):
    return client.analyze(JFK_WAV)


@pytest.fixture(scope="session")
def look(report):
    return look_at("jfk.wav", JFK_WAV, report)


@pytest.fixture(scope="session")
def changed(look):
    """The look with another name, labels, or fields of its model."""

    def change(name=look.name, labels=None, **model):
        report = look.report
        if labels is not None:
            rename = dict(zip(report.emotions, labels, strict=True))
            windows = tuple(
                window.model_copy(update={"emotions": {rename[k]: v for k, v in window.emotions.items()}})
                for window in report.windows
            )
            emotions = {rename[label]: number for label, number in report.emotions.items()}
            report = report.model_copy(update={"emotions": emotions, "windows": windows})
        report = report.model_copy(update={"model": report.model.model_copy(update=model)})
        return type(look)(name, report, look.envelope, look.speech)

    return change
