"""Asks a peer over HTTP: one window for its logits, or many at once for its throughput."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Sequence

import aiohttp
import numpy as np
from voicestress_model.agreement import Pcm

from load_tests.bench.arrivals import Answer, Outcome, keep_busy
from load_tests.peers.catalogue import Peer, wav
from load_tests.peers.process import PeerError

_ONE_ANSWER_S = 60.0


def ask(peer: Peer, url: str, pcm: Pcm) -> np.ndarray:
    """The peer's logits of one window.

    Raises:
        PeerError: it does not answer, or with something else.
    """
    body, content_type = peer.request(wav(pcm))
    request = urllib.request.Request(url + peer.path, body, {"Content-Type": content_type})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=_ONE_ANSWER_S) as answer:  # noqa: S310
            return np.array(peer.read_logits(json.load(answer)), dtype=np.float32)
    except urllib.error.HTTPError as error:
        with error:
            raise PeerError(f"it answers {error.code}: {error.read(300).decode(errors='replace')}") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PeerError(f"it does not answer with logits: {error!r}") from error


def answers_one(peer: Peer, url: str, pcm: Pcm) -> bool:
    """Whether it scores a window by now."""
    try:
        ask(peer, url, pcm)
    except PeerError:
        return False
    return True


def busy(
    peer: Peer, url: str, windows: Sequence[Pcm], *, callers: int, seconds: float, deadline_s: float = 120.0
) -> list[Answer]:
    """``callers`` at once ask for window after window for ``seconds``; what is unanswered then is dropped."""
    requests = [peer.request(wav(window)) for window in windows]  # made before the clock runs

    async def run() -> list[Answer]:
        patience = aiohttp.ClientTimeout(total=deadline_s)
        async with aiohttp.ClientSession(timeout=patience, connector=aiohttp.TCPConnector(limit=0)) as session:

            async def score(number: int) -> Outcome:
                body, content_type = requests[number]
                try:
                    async with session.post(url + peer.path, data=body, headers={"Content-Type": content_type}) as got:
                        await got.read()
                        return "scored" if got.status == 200 else "failed"
                except TimeoutError:
                    return "late"
                except aiohttp.ClientError:
                    return "failed"

            return await keep_busy(score, windows, callers=callers, seconds=seconds, finish=False)

    return asyncio.run(run())
