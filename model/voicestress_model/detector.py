"""StressDetector: a Wav2Vec2 backbone and a head, in Hugging Face's form.

This is the reference that the padding-free model is held against, and what training works on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PreTrainedModel

from voicestress_model.heads import build_head

ARTICLE_LABELS = ("neutral", "sad", "anxious")
ARTICLE_HEAD = {"kind": "mean_pool_mlp", "bottleneck": 256, "dropout": 0.3}


class StressDetector(Wav2Vec2PreTrainedModel):  # type: ignore[misc]
    """Wav2Vec2 and a head that ``config.stress_head`` names; saved and loaded like any Hugging Face model.

    With ``config.use_weighted_layer_sum`` the head sees the softmax-weighted sum of all layers' frames instead of the
    last layer's (Yang et al. 2021, SUPERB).
    """

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        if config.use_weighted_layer_sum:
            states = config.num_hidden_layers + 1  # the transformer's input counts as one
            self.layer_weights = nn.Parameter(torch.ones(states) / states)
        self.head = build_head(config)
        self.post_init()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the logits."""
        return tuple(self.config.id2label[index] for index in range(self.config.num_labels))

    def forward(self, input_values: Tensor) -> Tensor:
        """Logits ``[B, labels]`` of normalised waveforms ``[B, samples]`` at 16 kHz, all of one length."""
        outputs = self.wav2vec2(input_values, output_hidden_states=self.config.use_weighted_layer_sum)
        frames = outputs.last_hidden_state  # [B, T, H]
        if self.config.use_weighted_layer_sum:
            shares = self.layer_weights.softmax(dim=-1)  # [layers + 1]
            frames = torch.einsum("l,lbth->bth", shares, torch.stack(outputs.hidden_states))
        mask = torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device)
        logits: Tensor = self.head(frames, mask)
        return logits


def stress_config(backbone: Wav2Vec2Config, labels: tuple[str, ...] = ARTICLE_LABELS) -> Wav2Vec2Config:
    """``backbone``'s configuration with ``labels`` and the article's head."""
    fields = {name: value for name, value in backbone.to_dict().items() if name != "stress_temperature"}
    config = Wav2Vec2Config(**fields)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}
    config.stress_head = dict(ARTICLE_HEAD)
    config.architectures = [StressDetector.__name__]
    return config
