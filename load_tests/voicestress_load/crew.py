"""The workers of a run, as its master sees them: started, counted, told, heard."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import RPCError

from voicestress_load import messages
from voicestress_load.errors import BadInput

_START_S = 60.0
_EXPECTED_S = 600.0
_MISSING_S = 30.0
_LOOK_S = 0.2


class LostWorker(Exception):
    """A worker has gone, or answers no more: what it sent is unknown."""


class Crew:
    """``own`` workers that are started here, and ``expected`` ones that come from elsewhere, over Locust's protocol.

    Args:
        own, expected: how many.
        bind, port: where they find their master; port 0 for any that is free.
        on_rows: told of the rows of a worker, by its index.
    """

    def __init__(self, own: int, expected: int, *, bind: str, port: int, on_rows: Callable[[int, bytes], None]) -> None:
        self.environment = Environment(user_classes=[])
        try:
            self._runner = self.environment.create_master_runner(bind, port)
        except RPCError as error:
            raise BadInput(f"--port {port}: workers can't be listened for there ({error}); give another") from error
        self._own, self._expected, self._bind = own, expected, bind
        self._on_rows = on_rows
        self._children: list[subprocess.Popen[bytes]] = []
        self._ready: set[str] = set()
        self._index: dict[str, int] = {}
        self._heard: dict[int, dict[str, Any]] = {}
        self._something = Event()
        self._missing_since: dict[str, float] = {}
        for name in (messages.INTRODUCED, messages.IDLED, messages.SENT):
            self._runner.register_message(name, self._hear)
        self._runner.register_message(messages.READY, self._hear_ready)
        self._runner.register_message(messages.ROWS, self._hear_rows)

    @property
    def port(self) -> int:
        """Where workers find their master."""
        return int(self._runner.server.port)

    def __len__(self) -> int:
        return self._own + self._expected

    def assemble(self, on_waiting: Callable[[int], None]) -> None:
        """Start those to be started, and wait until all are there.

        Raises:
            BadInput: they don't come.
        """
        host = "127.0.0.1" if self._bind in ("*", "0.0.0.0") else self._bind  # noqa: S104 - compared, not bound
        command = [sys.executable, "-m", "voicestress_load.node", "worker", host, str(self.port), "--child"]
        self._children = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(self._own)]
        if self._expected:
            on_waiting(self._expected)
        give_up_at = time.monotonic() + (_EXPECTED_S if self._expected else _START_S)
        while len(self._ready) < len(self):
            self._check_children()
            if time.monotonic() > give_up_at:
                there = len(self._ready)
                raise BadInput(
                    f"{there} of {len(self)} workers came; start the others with `voicestress load worker --master "
                    f"HOST:{self.port}`, or expect fewer"
                )
            gevent.sleep(_LOOK_S)
        self._index = {client: place for place, client in enumerate(sorted(self._ready)[: len(self)])}

    def tell(self, name: str, message_of: Callable[[int], dict[str, Any]]) -> None:
        """Tell every worker what ``message_of`` gives for its index."""
        self._heard.clear()
        for client, place in self._index.items():
            self._runner.send_message(name, message_of(place), client_id=client)

    def stop(self) -> None:
        """Tell every worker to send nothing more."""
        self._runner.send_message(messages.STOP, {})

    def answers(self, *, within_s: float) -> list[dict[str, Any]]:
        """What every worker answers to what it was told, by their index.

        Raises:
            LostWorker: one has gone, or does not answer in time.
        """
        give_up_at = time.monotonic() + within_s
        while len(self._heard) < len(self):
            self._something.clear()
            self._something.wait(_LOOK_S)
            self._check_children()
            self._check_heartbeats()
            if time.monotonic() > give_up_at:
                raise LostWorker(f"a worker did not answer within {within_s:.0f} s")
        return [self._heard[place] for place in range(len(self))]

    def dismiss(self) -> None:
        """Say goodbye, and end those that were started here."""
        self._runner.quit()
        for child in self._children:
            if child.stdin is not None:
                child.stdin.close()  # it ends with it
            try:
                child.wait(5.0)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _hear(self, environment: Environment, msg: Any, **_: Any) -> None:
        if msg.node_id in self._index:
            self._heard[self._index[msg.node_id]] = msg.data
            self._something.set()

    def _hear_ready(self, environment: Environment, msg: Any, **_: Any) -> None:
        self._ready.add(msg.node_id)

    def _hear_rows(self, environment: Environment, msg: Any, **_: Any) -> None:
        if msg.node_id in self._index:
            self._on_rows(self._index[msg.node_id], msg.data["rows"])

    def _check_children(self) -> None:
        for place, child in enumerate(self._children):
            if child.poll() is not None:
                raise LostWorker(f"worker {place + 1} of this machine ended with {child.returncode}")

    def _check_heartbeats(self) -> None:
        now = time.monotonic()
        for client in self._index:
            node = self._runner.clients.get(client)
            if node is not None and node.state != "missing":
                self._missing_since.pop(client, None)
            elif now - self._missing_since.setdefault(client, now) > _MISSING_S:
                raise LostWorker(f"worker {self._index[client] + 1} has not been heard of for {_MISSING_S:.0f} s")
