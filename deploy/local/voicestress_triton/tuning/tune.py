"""Measure each setting on this machine, in rounds, and take the best."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from voicestress import StressContract

from voicestress_triton.errors import ModelRepositoryError
from voicestress_triton.server import TritonServer
from voicestress_triton.tuning.measure import Speed, mixed_windows, speed
from voicestress_triton.tuning.settings import Queue, Setting, config_with, contract_of

# Closer together than this, the machine's noise decides: then the setting that answers sooner is better.
_AS_GOOD = 0.97
_CALLERS = 32

Measured = Mapping[Setting, Sequence[Speed]]


def measure_all(
    model: Path,
    settings: Sequence[Setting],
    *,
    rounds: int,
    seconds: float,
    on_measured: Callable[[Setting, Speed], object],
) -> dict[Setting, list[Speed]]:
    """Serve ``model`` with each of ``settings`` in turn, ``rounds`` times over: what the machine does besides hits all.

    Raises:
        ServerStartError, ServiceError: it can't be served so, or fails.
    """
    found: dict[Setting, list[Speed]] = {setting: [] for setting in settings}
    for _ in range(rounds):
        for setting in settings:
            found[setting].append(_measure(model, setting, seconds))
            on_measured(setting, found[setting][-1])
    return found


def best(measured: Measured) -> Setting:
    """The setting with the highest rate, or of those hardly below it the one that answers soonest."""
    highest = max(_rate(speeds) for speeds in measured.values())
    good = [setting for setting, speeds in measured.items() if _rate(speeds) >= _AS_GOOD * highest]
    return min(good, key=lambda setting: _latency_s(measured[setting]))


def queue_for(speeds: Sequence[Speed], contract: StressContract, longest_wait_s: float) -> Queue:
    """As many windows as are scored in ``longest_wait_s``: who would wait longer is turned away at once.

    Only on a machine that has become slower does anybody wait for twice as long, and is turned away then.
    """
    lengths = [len(window) / contract.sample_rate_hz for window in mixed_windows(contract, 64)]
    per_s = _rate(speeds) / statistics.mean(lengths)
    windows = max(math.ceil(per_s * longest_wait_s), 8)
    return Queue(windows, 2 * windows / per_s)


def table(measured: Measured, chosen: Setting) -> list[str]:
    """What was measured, a line a setting, best first."""
    lines = ["audio-seconds a second, busy   seconds a 5 s window, idle   setting"]
    for setting, speeds in sorted(measured.items(), key=lambda pair: -_rate(pair[1])):
        mark = "  <- chosen" if setting == chosen else ""
        lines.append(f"{_rate(speeds):30.1f} {_latency_s(speeds):28.3f}   {setting}{mark}")
    return lines


def _measure(model: Path, setting: Setting, seconds: float) -> Speed:
    with tempfile.TemporaryDirectory(prefix="voicestress-tune-") as scratch:
        folder = Path(scratch, model.name)
        folder.mkdir()
        for version in model.iterdir():
            if version.is_dir() and version.name.isdigit():
                (folder / version.name).symlink_to(version.resolve())
        config = read_config(model)
        text = config_with(config, setting, queue=Queue(4 * _CALLERS, 120.0))
        (folder / "config.pbtxt").write_text(text, encoding="utf-8")
        with TritonServer(scratch) as server:
            return speed(server.url, model.name, contract_of(config), seconds=seconds, callers=_CALLERS)


def read_config(model: Path) -> str:
    """The text of the model's config.pbtxt.

    Raises:
        ModelRepositoryError: there is none.
    """
    path = model / "config.pbtxt"
    if not path.is_file():
        raise ModelRepositoryError(f"{path}: no such file. Give the repository, and its model with --model.")
    return path.read_text(encoding="utf-8")


def _rate(speeds: Sequence[Speed]) -> float:
    return statistics.median(speed.audio_s_per_s for speed in speeds)


def _latency_s(speeds: Sequence[Speed]) -> float:
    return statistics.median(speed.latency_s for speed in speeds)
