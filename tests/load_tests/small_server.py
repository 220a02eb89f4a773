"""A server to try the harness on, in the standard library: ``small_server.py serve|die|sleep|stubborn``.

It scores one window at a time, at ``AUDIO_S_PER_S``, and writes the process ids of itself and its daemon to ``pids``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

AUDIO_S_PER_S = 200.0
_WAV_HEADER_BYTES = 44


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep((len(body) - _WAV_HEADER_BYTES) / 2 / 16_000 / AUDIO_S_PER_S)
        if self.path == "/broken":
            self.send_error(500)
            return
        answer = json.dumps({"logits": [0.0, 1.0, 2.0]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class Server(HTTPServer):
    request_queue_size = 64


def daemon() -> int:
    """A process in a session of its own, whose parent is gone."""
    sleeper = "subprocess.Popen(['sleep', '600'], start_new_session=True, stdout=-3, stderr=-3)"
    forget = f"import subprocess; print({sleeper}.pid)"
    return int(subprocess.run([sys.executable, "-c", forget], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "die":
        sys.exit("no model here")
    if kind == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(os.environ["PIDS"]).write_text(json.dumps([os.getpid(), daemon()]))
    if kind == "sleep":
        time.sleep(600)
    Server(("127.0.0.1", int(os.environ["PEER_PORT"])), Handler).serve_forever()
