"""The README's figures are those of the run whose page it shows."""

from __future__ import annotations

import json

from voicestress_model.evaluation.card import filled

from load_tests.bench.page import render
from load_tests.bench.readme import tables
from load_tests.bench.verdicts import verdicts
from tests.paths import ROOT

BENCH = json.loads((ROOT / "docs" / "bench" / "bench.json").read_text())


def test_the_readme_quotes_the_run():
    readme = (ROOT / "README.md").read_text()
    assert filled(readme, tables(BENCH)) == readme


def test_the_page_is_that_of_the_run():
    assert (ROOT / "docs" / "bench" / "bench.html").read_text() == render(BENCH)


def test_what_falls_short_is_in_bold():
    short = [verdict.what for verdict in verdicts(BENCH) if not verdict.reached]
    bold = [line for line in tables(BENCH)["verdicts"].splitlines() if line.endswith("** |")]
    assert [line.split(" | ")[0].removeprefix("| ") for line in bold] == short
