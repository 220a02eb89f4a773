"""A flood against the real server, small: some are scored, the rest is turned away at once, nothing is lost."""

from __future__ import annotations

from voicestress_triton import TritonServer
from voicestress_triton.tuning.settings import Queue, Setting, config_with

from load_tests.bench import overload


def test_a_flood_is_turned_away_and_leaves_nothing_behind(tiny_model):
    config = tiny_model / "config.pbtxt"
    config.write_text(config_with(config.read_text(), Setting(1, 1, 2), queue=Queue(16, 2.0)))
    with TritonServer(tiny_model.parent) as server:
        found = overload.measure(server, seconds=3.0, deadline_s=20.0)
    assert found.neither == 0
    assert found.scored + found.rejected == found.asked
    assert found.rejected > 0.3 * found.asked
    assert found.rejection_p50_s < found.scored_p95_s
    assert found.flood_share > 0.3  # the rest of this machine is the test's, which asks for three times too much
    assert 0 < found.memory_calm_mb <= found.memory_flood_mb
