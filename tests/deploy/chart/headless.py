"""A headless Service's name: a small DNS server that answers with the addresses of the replicas that are ready."""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType

_A, _ANSWER = 1, 0x8580


class HeadlessName:
    """Answers every question for an A record with ``addresses``, which may change. In a ``with`` block."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.questions: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> HeadlessName:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, sender = self._socket.recvfrom(512)
            except OSError:
                return
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, message: bytes) -> bytes:
        identity = message[:2]
        end = 12
        labels = []
        while message[end]:
            labels.append(message[end + 1 : end + 1 + message[end]].decode())
            end += message[end] + 1
        self.questions.add(".".join(labels))
        (kind,) = struct.unpack("!H", message[end + 1 : end + 3])
        known = list(self.addresses) if kind == _A else []
        records = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", _A, 1, 0, 4) + socket.inet_aton(address) for address in known
        )
        return identity + struct.pack("!HHHHH", _ANSWER, 1, len(known), 0, 0) + message[12 : end + 5] + records
