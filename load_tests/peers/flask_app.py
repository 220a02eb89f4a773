"""The article's app: one file, one upload, one window at a time through Hugging Face."""

from __future__ import annotations

import tempfile

import soundfile
from flask import Flask, Response, jsonify, request

from load_tests.peers.scorer import Scorer
from load_tests.peers.setting import Setting, address

app = Flask(__name__)
scorer = Scorer(Setting.from_environment().threads)


@app.post("/analyze")
def analyze() -> Response:
    """The score of the uploaded recording."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        request.files["audio"].save(file)
        file.seek(0)
        waveform, _ = soundfile.read(file, dtype="float32")
    return jsonify(scorer.score([waveform])[0])


if __name__ == "__main__":
    host, port = address()
    app.run(host, port, threaded=True)
