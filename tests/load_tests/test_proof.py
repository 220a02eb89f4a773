"""Parts of a run that are measured again stand beside what that run found, of like things only."""

from __future__ import annotations

import argparse
import json

import pytest

from load_tests.bench.proof import _Bench


@pytest.fixture
def bench(tmp_path):
    return _Bench(argparse.Namespace(out=tmp_path, architecture="tiny", threads=1, parts=["served"]))


def test_a_part_that_is_measured_again_keeps_the_others(bench):
    about = bench.about()
    bench.json.write_text(json.dumps({"about": {**about, "commands": ["all of it"]}, "failed": {}, "peers": 1}))
    found = bench.earlier()
    assert found["peers"] == 1
    assert found["about"] == {**about, "commands": ["all of it", *about["commands"]]}


def test_a_whole_run_forgets_the_one_before(bench):
    bench.json.write_text(json.dumps({"about": bench.about(), "failed": {}, "peers": 1}))
    bench.arguments.parts = None
    assert "peers" not in bench.earlier()


def test_a_part_does_not_go_beside_another_machine_s(bench):
    bench.json.write_text(json.dumps({"about": {**bench.about(), "processor": "an abacus"}, "failed": {}}))
    with pytest.raises(SystemExit, match="another machine"):
        bench.earlier()
