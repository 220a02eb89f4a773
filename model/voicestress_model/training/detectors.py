"""The detector a run starts from: a backbone with a new head, a checkpoint to go on from, or random weights."""

from __future__ import annotations

import torch
from transformers import Wav2Vec2Config

from voicestress_model.architectures import ARCHITECTURES
from voicestress_model.checkpoints import load_backbone, load_checkpoint, wants_normalization
from voicestress_model.detector import StressDetector, stress_config
from voicestress_model.errors import CheckpointError
from voicestress_model.training.errors import TrainingError
from voicestress_model.training.settings import ModelSettings


def detector_to_train(settings: ModelSettings, labels: tuple[str, ...], *, seed: int) -> tuple[StressDetector, bool]:
    """A detector for ``labels`` as ``settings`` describe it, and whether it wants normalised windows.

    What is not loaded is drawn from ``seed``.

    Raises:
        CheckpointError: the checkpoint can't be loaded, is of the wrong kind, or the head can't be built.
        TrainingError: the labels are others than the checkpoint's, or the shape is impossible.
    """
    if settings.checkpoint is not None:
        detector, normalize = _from_checkpoint(settings.checkpoint, labels, settings, seed)
    elif settings.backbone is not None:
        loaded = load_backbone(settings.backbone, labels=labels)
        detector = _rebuilt(loaded.config, settings, seed)
        detector.wav2vec2.load_state_dict(loaded.wav2vec2.state_dict())
        normalize = _asks_for_normalization(settings)
    else:
        detector, normalize = _from_scratch(labels, settings, seed), True
    return detector, normalize if settings.normalize is None else settings.normalize


def _from_checkpoint(
    path_or_id: str, labels: tuple[str, ...], settings: ModelSettings, seed: int
) -> tuple[StressDetector, bool]:
    loaded = load_checkpoint(path_or_id)
    if loaded.detector.labels != labels:
        raise TrainingError(
            f"{path_or_id}: its labels are {', '.join(loaded.detector.labels)}, in this order; "
            f"the corpus's are {', '.join(labels)}. Set corpus.labels, or train its backbone with a new head."
        )
    detector = _rebuilt(loaded.detector.config, settings, seed)
    detector.load_state_dict(loaded.detector.state_dict())
    return detector, loaded.normalize


def _from_scratch(labels: tuple[str, ...], settings: ModelSettings, seed: int) -> StressDetector:
    if settings.architecture not in ARCHITECTURES:
        raise TrainingError(
            f"model.architecture: {settings.architecture!r} is unknown; known are: {', '.join(ARCHITECTURES)}"
        )
    shape = Wav2Vec2Config(**{**ARCHITECTURES[settings.architecture], **settings.shape.fields()})
    return _rebuilt(stress_config(shape, labels), settings, seed)


def _rebuilt(config: Wav2Vec2Config, settings: ModelSettings, seed: int) -> StressDetector:
    """A detector with fresh weights: modules take their dropout from the configuration when they are made."""
    # Layers skipped at random differ between the processes of a distributed run, which then wait for each other.
    config.layerdrop = 0.0
    config.apply_spec_augment = settings.spec_augment
    if settings.head is not None:
        config.stress_head = settings.head
    if settings.weighted_layer_sum is not None:
        config.use_weighted_layer_sum = settings.weighted_layer_sum
    if settings.dropout is not None:
        config.hidden_dropout = config.feat_proj_dropout = settings.dropout
        # Dropping attention weights and activations as well adds a tenth to the time of a small model, and no accuracy.
        config.attention_dropout = config.activation_dropout = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return StressDetector(config)
        except ValueError as error:
            raise TrainingError(f"model.shape: {error}") from error


def _asks_for_normalization(settings: ModelSettings) -> bool:
    if settings.normalize is not None:
        return settings.normalize
    assert settings.backbone is not None
    try:
        return wants_normalization(settings.backbone)
    except CheckpointError as error:
        raise TrainingError(f"{error}; or set model.normalize") from error
