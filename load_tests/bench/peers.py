"""What somebody would pick instead, each at its best setting and in turns with this project's Triton.

All serve the same checkpoint on the same cores to the same callers, one server alive at a time. A peer's best setting
is looked for first: its layouts of workers and threads one window at a time, then batches of twice as many while that
helps. Then everything is started, measured and stopped in turns, a few rounds of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from voicestress_model.agreement import Pcm, reference_logits
from voicestress_model.checkpoints import StressCheckpoint
from voicestress_triton import TritonServer

from load_tests.bench.arrivals import busy_per_s, closed_loop
from load_tests.bench.workload import mixed_speech
from load_tests.peers.caller import answers_one, ask, busy
from load_tests.peers.catalogue import PEERS, Peer
from load_tests.peers.process import PeerError, PeerProcess
from load_tests.peers.setting import Setting

CALLERS = 16
LARGEST_BATCH = 8
TOLERANCE = 1e-4
WARM_UP_SHARE = 0.25  # of each measurement, and not counted


@dataclass(frozen=True)
class Ratio:
    """Of ours over a peer's, round by round."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class PeerFigures:
    """``tried`` has audio-seconds a second by setting, ``audio_s_per_s`` is the median over rounds at the ``best`` one.

    The ratios are of our Triton over the peer, by precision.
    """

    name: str
    version: str
    tried: dict[str, float]
    best: str
    audio_s_per_s: float
    fp32_ratio: Ratio
    int8_ratio: Ratio


@dataclass(frozen=True)
class Comparison:
    """``ours`` has audio-seconds a second by precision; ``not_measured`` says why a peer is not there."""

    ours: dict[str, float]
    peers: tuple[PeerFigures, ...]
    not_measured: dict[str, str]


def measure(
    checkpoint: StressCheckpoint,
    *,
    fp32: Path,
    int8: Path,
    rounds: int,
    seconds: float,
    peers: Sequence[Peer] = PEERS,
) -> Comparison:
    """Compare ``peers`` with our Triton on the repositories ``fp32`` and ``int8``; a measurement takes ``seconds``.

    A peer that can't be installed, does not start or answers wrong is left out, and it is said why.
    """
    windows = mixed_speech(64, seed=5)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder))
        trial = Trial(Path(folder), windows, reference_logits(checkpoint, windows[:1])[0], seconds)
        not_measured: dict[str, str] = {}
        tried: dict[Peer, dict[Setting, float]] = {}
        for peer in peers:
            try:
                if (refusal := peer.refusal()) is not None:
                    raise PeerError(refusal)
                tried[peer] = search(peer, trial.of)
            except PeerError as error:
                not_measured[peer.name] = str(error)
        theirs = {peer.name: partial(trial.of, peer, best(rates)) for peer, rates in tried.items()}
        ours = {name: partial(_triton, at, windows, seconds) for name, at in (("fp32", fp32), ("int8", int8))}
        rates = in_turns({**theirs, **ours}, rounds, not_measured)
    return Comparison(
        ours={name: float(np.median(rates[name])) for name in ours},
        peers=tuple(
            PeerFigures(
                name=peer.name,
                version=peer.version(),
                tried={str(setting): rate for setting, rate in by_setting.items()},
                best=str(best(by_setting)),
                audio_s_per_s=float(np.median(rates[peer.name])),
                fp32_ratio=ratio(rates["fp32"], rates[peer.name]),
                int8_ratio=ratio(rates["int8"], rates[peer.name]),
            )
            for peer, by_setting in tried.items()
            if peer.name not in not_measured
        ),
        not_measured=not_measured,
    )


@dataclass(frozen=True)
class Trial:
    """A checkpoint folder, what to ask for, and the logits its first window must get."""

    checkpoint: Path
    windows: Sequence[Pcm]
    logits: np.ndarray
    seconds: float

    def of(self, peer: Peer, setting: Setting) -> float:
        """Audio-seconds a second of ``peer``, started for it.

        Raises:
            PeerError: it does not start, or does not answer as it should.
        """
        with serving(peer, setting, self.checkpoint, self.windows[0]) as server:
            difference = float(np.abs(ask(peer, server.url, self.windows[0]) - self.logits).max())
            if not difference <= TOLERANCE:
                raise PeerError(f"its logits are {difference:.1e} from the checkpoint's own")
            answers = busy(peer, server.url, self.windows, callers=CALLERS, seconds=self.seconds)
        if lost := [answer for answer in answers if answer.outcome != "scored"]:
            raise PeerError(f"{len(lost)} of {len(answers)} requests were not scored: {lost[0].outcome}")
        try:
            return busy_per_s(answers, from_s=WARM_UP_SHARE * self.seconds, until_s=self.seconds)
        except ValueError as error:
            raise PeerError(str(error)) from error


def serving(peer: Peer, setting: Setting, checkpoint: Path, window: Pcm) -> PeerProcess:
    """The peer as a process that is ready once it scores ``window``."""
    return PeerProcess(
        peer.command(setting),
        peer.variables(setting, checkpoint),
        is_ready=lambda url: answers_one(peer, url, window),
    )


def search(peer: Peer, measured: Callable[[Peer, Setting], float]) -> dict[Setting, float]:
    """Figures of the settings on the way to the best one: the layouts, then the best one's batches doubled."""
    tried = {setting: measured(peer, setting) for setting in peer.layouts}
    while peer.batches and (found := best(tried)).batch_size < LARGEST_BATCH:
        larger = dataclasses.replace(found, batch_size=2 * found.batch_size)
        if larger in tried:  # it was no better
            break
        tried[larger] = measured(peer, larger)
    return tried


def best(rates: Mapping[Setting, float]) -> Setting:
    """The setting with the highest figure."""
    return max(rates, key=rates.__getitem__)


def in_turns(
    runs: Mapping[str, Callable[[], float]], rounds: int, not_measured: dict[str, str]
) -> dict[str, list[float]]:
    """What each of ``runs`` gives, once a round; every other round goes backwards.

    What fails with ``PeerError`` takes part no more, and ``not_measured`` gets its message.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in reversed(runs) if number % 2 else runs:
            if name in not_measured:
                continue
            try:
                found[name].append(runs[name]())
            except PeerError as error:
                not_measured[name] = str(error)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ours over theirs, round by round."""
    ratios = np.array(ours) / np.array(theirs)
    return Ratio(float(np.median(ratios)), float(ratios.min()), float(ratios.max()))


def _triton(repository: Path, windows: Sequence[Pcm], seconds: float) -> float:
    with TritonServer(repository) as server:
        run = closed_loop(server.url, windows, callers=CALLERS, seconds=seconds, deadline_s=120, finish=False)
        answers = asyncio.run(run)
    if lost := [answer for answer in answers if answer.outcome != "scored"]:
        raise RuntimeError(f"our own Triton: {len(lost)} of {len(answers)} not scored: {lost[0].outcome}")
    return busy_per_s(answers, from_s=WARM_UP_SHARE * seconds, until_s=seconds)
