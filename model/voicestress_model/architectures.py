"""Named architectures with seeded random weights: for benchmarks and tests, never for scoring."""

from __future__ import annotations

import torch
from transformers import Wav2Vec2Config

from voicestress_model.checkpoints import StressCheckpoint
from voicestress_model.detector import StressDetector, stress_config
from voicestress_model.errors import CheckpointError

_LARGE = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "conv_bias": True}
_LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
_TINY = {
    "hidden_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 192,
    "conv_dim": (64,) * 7,
    "num_conv_pos_embedding_groups": 8,
}

ARCHITECTURES: dict[str, dict[str, object]] = {
    # facebook/wav2vec2-base: 94 M parameters, group norm, post-norm encoder.
    "wav2vec2-base": {},
    # facebook/wav2vec2-large-lv60 and its XLSR kin: 315 M parameters, layer norm, pre-norm encoder.
    "wav2vec2-large": {**_LARGE, **_LAYER_NORM, "num_hidden_layers": 24},
    # audEERING's pruned wav2vec2-large-robust: 12 of the 24 layers.
    "wav2vec2-large-12": {**_LARGE, **_LAYER_NORM, "num_hidden_layers": 12},
    # Small enough to test with, in both norm kinds.
    "tiny": _TINY,
    "tiny-layer-norm": {**_TINY, **_LAYER_NORM},
}


def random_checkpoint(architecture: str, *, seed: int = 0) -> StressCheckpoint:
    """An untrained ``architecture`` with the article's head; the same seed gives the same weights.

    Raises:
        CheckpointError: no architecture by that name.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(f"{architecture}: no such architecture; known are: {', '.join(ARCHITECTURES)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = StressDetector(stress_config(Wav2Vec2Config(**ARCHITECTURES[architecture])))
    name = f"{architecture}-random-seed-{seed}"
    return StressCheckpoint(detector=detector.eval(), normalize=True, name=name, weights="random")
