"""MLServer: a custom runtime, adaptive batching, a pool of inference workers."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from load_tests.peers.scorer import Scorer, read_wav
from load_tests.peers.setting import Setting


class StressRuntime(MLModel):
    """Windows as WAV files in base64 in, logits and levels out."""

    async def load(self) -> bool:
        """Load the model, in a worker."""
        self._scorer = Scorer(Setting.from_environment().threads)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Logits and levels of the windows that MLServer put together."""
        scores = self._scorer.score([read_wav(wav) for wav in Base64Codec.decode_input(payload.inputs[0])])
        logits = np.array([score["logits"] for score in scores], dtype=np.float32)
        levels = np.array([[score["level"]] for score in scores], dtype=np.float32)
        outputs = [NumpyCodec.encode_output("logits", logits), NumpyCodec.encode_output("level", levels)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
