"""LitServe: worker processes behind one HTTP server, batches by count and time.

LitServe reads the annotations, so they are no strings here.
"""

from collections.abc import Sequence
from typing import Any

import litserve
import numpy as np
from fastapi import Request

from load_tests.peers.scorer import Score, Scorer, read_base64
from load_tests.peers.setting import Setting, address


class StressApi(litserve.LitAPI):
    """A window in, its score out."""

    def setup(self, device: str) -> None:
        """Load the model, in a worker."""
        self._scorer = Scorer(Setting.from_environment().threads)

    def decode_request(self, request: Request) -> np.ndarray:
        """The window in a request's JSON, which is what arrives here."""
        return read_base64(request["audio"])

    def predict(self, x: Any) -> Any:
        """The score of a window, or the scores of a batch of them."""
        return self._scorer.score(x) if isinstance(x, list) else self._scorer.score([x])[0]

    def batch(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """A batch as it came: LitServe would stack the windows, which differ in length."""
        return list(inputs)

    def unbatch(self, output: list[Score]) -> list[Score]:
        """The scores one by one."""
        return output

    def encode_response(self, output: Score) -> Score:
        """The score as it is: a dictionary, which becomes JSON."""
        return output


if __name__ == "__main__":
    setting = Setting.from_environment()
    api = StressApi(max_batch_size=setting.batch_size, batch_timeout=setting.wait_s)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=setting.workers, timeout=300)
    host, port = address()
    server.run(host=host, port=port, num_api_servers=1, generate_client_file=False)
