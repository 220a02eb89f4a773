"""Loading Hugging Face checkpoints, by path or hub id, without ever making up a weight.

Transformers initialises what a file lacks and drops what it doesn't know, with a warning. For a classifier that means
confident scores from a random head, so here every missing or unexpected weight is an error that names it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification, Wav2Vec2Model
from transformers.utils import logging

from voicestress_model.detector import ARTICLE_LABELS, StressDetector, stress_config
from voicestress_model.errors import CheckpointError
from voicestress_model.geometry import KERNELS, SAMPLE_RATE_HZ, STRIDES

_CLASSIFIER = Wav2Vec2ForSequenceClassification.__name__
# In no release of transformers: audEERING's, and others made with the same script, bring the class along.
_SPEECH_CLASSIFIER = "Wav2Vec2ForSpeechClassification"
_BACKBONES = ("Wav2Vec2Model", "Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining")

# SpecAugment's mask: used in training only, and absent from files of models that never masked.
_TRAINING_ONLY = {"masked_spec_embed"}
# What the classes of _BACKBONES carry on top of the backbone.
_OTHER_HEADS = (
    "lm_head.", "quantizer.", "project_q.", "project_hid.", "classifier.", "projector.", "head.", "layer_weights",
)  # fmt: skip

# ehcalabres/wav2vec2-lg-xlsr-en-speech-emotion-recognition stores the stock class's head under other names.
_RENAMED_HEAD = {r"^classifier\.dense\.": "projector.", r"^classifier\.output\.": "classifier."}
_RENAMED_KEYS = {f"classifier.{layer}.{kind}" for layer in ("dense", "output") for kind in ("weight", "bias")}


@dataclasses.dataclass(frozen=True)
class StressCheckpoint:
    """A stress detector ready to export.

    ``normalize``: the checkpoint wants zero mean and unit variance per recording (its feature extractor's
    ``do_normalize``). ``weights``: ``"random"`` for seeded architectures that nobody trained.
    """

    detector: StressDetector
    normalize: bool
    name: str
    weights: Literal["trained", "random"]

    def save(self, folder: Path) -> None:
        """Write the checkpoint to ``folder`` in Hugging Face's layout; ``load_checkpoint`` reads it back."""
        with _without_bars():
            self.detector.save_pretrained(folder)
        Wav2Vec2FeatureExtractor(do_normalize=self.normalize).save_pretrained(folder)


def load_checkpoint(path_or_id: str) -> StressCheckpoint:
    """Load a stress detector or a classifier from a folder or a hub id.

    A classifier is a ``Wav2Vec2ForSequenceClassification`` or a ``Wav2Vec2ForSpeechClassification`` with mean pooling.

    Raises:
        CheckpointError: nothing there, an unsupported architecture, no head, or weights missing or unexpected.
    """
    config = _load_config(path_or_id)
    architecture = _architecture(config)
    if architecture == StressDetector.__name__:
        detector = _load_strictly(StressDetector, path_or_id, config)
    elif architecture == _CLASSIFIER:
        detector = _detector_of_classifier(_load_classifier(path_or_id, config))
    elif architecture == _SPEECH_CLASSIFIER:
        detector = _load_speech_classifier(path_or_id, config)
    elif architecture in _BACKBONES:
        raise CheckpointError(
            f"{path_or_id}: {architecture} is a backbone without a stress head; train a head on it first"
        )
    else:
        raise CheckpointError(
            f"{path_or_id}: architecture {architecture} is not supported; "
            f"supported are {StressDetector.__name__}, {_CLASSIFIER} and {_SPEECH_CLASSIFIER}"
        )
    return StressCheckpoint(
        detector=detector.eval(), normalize=wants_normalization(path_or_id), name=_name(path_or_id), weights="trained"
    )


def load_backbone(path_or_id: str, *, labels: tuple[str, ...] = ARTICLE_LABELS, seed: int = 0) -> StressDetector:
    """A detector on the backbone of any Wav2Vec2 checkpoint, with a new head for ``labels`` drawn from ``seed``.

    For training: the head is untrained, on purpose and by request. Other heads (CTC, pre-training, classifiers) stay
    behind; anything else missing from or unexpected in the backbone is an error.

    Raises:
        CheckpointError: nothing there, an unsupported architecture, or weights missing or unexpected.
    """
    config = _load_config(path_or_id)
    architecture = _architecture(config)
    known = (*_BACKBONES, _CLASSIFIER, _SPEECH_CLASSIFIER, StressDetector.__name__)
    if architecture not in known:
        raise CheckpointError(
            f"{path_or_id}: architecture {architecture} is not supported; supported are {', '.join(known)}"
        )
    backbone = _load_strictly(Wav2Vec2Model, path_or_id, config, ignored_prefixes=_OTHER_HEADS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = StressDetector(stress_config(config, labels))
    detector.wav2vec2 = backbone
    return detector


def _load_config(path_or_id: str) -> Wav2Vec2Config:
    try:
        config_dict, _ = Wav2Vec2Config.get_config_dict(path_or_id)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path_or_id}: neither a folder with a Hugging Face checkpoint nor a model on the hub ({error})"
        ) from error
    if not config_dict:
        raise CheckpointError(f"{path_or_id}: no config.json there")
    if config_dict.get("model_type") != "wav2vec2":
        raise CheckpointError(f"{path_or_id}: model type {config_dict.get('model_type')!r}, 'wav2vec2' needed")
    config = Wav2Vec2Config.from_dict(config_dict)
    _check_supported(path_or_id, config)
    return config


def _check_supported(path_or_id: str, config: Wav2Vec2Config) -> None:
    wanted: dict[str, tuple[Any, Any]] = {
        "conv_kernel": (tuple(config.conv_kernel), KERNELS),
        "conv_stride": (tuple(config.conv_stride), STRIDES),
        "hidden_act": (config.hidden_act, "gelu"),
        "feat_extract_activation": (config.feat_extract_activation, "gelu"),
        "add_adapter": (config.add_adapter, False),
        "adapter_attn_dim": (getattr(config, "adapter_attn_dim", None), None),
    }
    for field, (value, supported) in wanted.items():
        if value != supported:
            raise CheckpointError(f"{path_or_id}: {field} is {value}; the padding-free encoder supports {supported}")


def _architecture(config: Wav2Vec2Config) -> str:
    return (config.architectures or ["unknown"])[0]


def _load_classifier(path_or_id: str, config: Wav2Vec2Config) -> Wav2Vec2ForSequenceClassification:
    model, problems = _load(Wav2Vec2ForSequenceClassification, path_or_id, config)
    if problems["unexpected"] == _RENAMED_KEYS:
        config.classifier_proj_size = config.hidden_size
        return _load_strictly(Wav2Vec2ForSequenceClassification, path_or_id, config, key_mapping=_RENAMED_HEAD)
    _refuse(path_or_id, problems)
    return model


def _load_speech_classifier(path_or_id: str, config: Wav2Vec2Config) -> StressDetector:
    pooling = getattr(config, "pooling_mode", "mean")
    if pooling != "mean":
        raise CheckpointError(f"{path_or_id}: pooling_mode is {pooling!r}; 'mean' is supported")
    labels = tuple(config.id2label[number] for number in range(config.num_labels))
    config = stress_config(config, labels)
    config.stress_head = {"kind": "dense_tanh", "bottleneck": config.hidden_size, "dropout": config.final_dropout}
    detector: StressDetector = _load_strictly(
        StressDetector, path_or_id, config, key_mapping={r"^classifier\.": "head."}
    )
    return detector


def _detector_of_classifier(model: Wav2Vec2ForSequenceClassification) -> StressDetector:
    config = stress_config(model.config)
    config.id2label, config.label2id = model.config.id2label, model.config.label2id
    config.stress_head = {"kind": "projection", "bottleneck": config.classifier_proj_size}
    detector = StressDetector(config)
    detector.wav2vec2 = model.wav2vec2
    detector.head.projector, detector.head.classifier = model.projector, model.classifier
    if config.use_weighted_layer_sum:
        detector.layer_weights = model.layer_weights
    return detector


def _load_strictly(
    kind: Any, path_or_id: str, config: Wav2Vec2Config, *, ignored_prefixes: tuple[str, ...] = (), **options: Any
) -> Any:
    model, problems = _load(kind, path_or_id, config, **options)
    problems["unexpected"] = {key for key in problems["unexpected"] if not key.startswith(ignored_prefixes)}
    _refuse(path_or_id, problems)
    return model


def _load(kind: Any, path_or_id: str, config: Wav2Vec2Config, **options: Any) -> tuple[Any, dict[str, set[str]]]:
    try:
        with _without_bars():
            model, info = kind.from_pretrained(
                path_or_id,
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **options,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise CheckpointError(f"{path_or_id}: its weights can't be read ({error})") from error
    missing = {key for key in info["missing_keys"] if key.rpartition(".")[2] not in _TRAINING_ONLY}
    reshaped = {f"{key} {tuple(stored)} instead of {tuple(wanted)}" for key, stored, wanted in info["mismatched_keys"]}
    return model, {"missing": missing, "unexpected": set(info["unexpected_keys"]), "misshapen": reshaped}


@contextmanager
def _without_bars() -> Iterator[None]:
    """Without progress bars over what takes no time."""
    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def _refuse(path_or_id: str, problems: dict[str, set[str]]) -> None:
    found = [f"{what} weights: {', '.join(sorted(keys))}" for what, keys in problems.items() if keys]
    if found:
        raise CheckpointError(
            f"{path_or_id}: {'; '.join(found)}. A model with made-up weights gives made-up scores: "
            "load the checkpoint with the class that saved it, and save it with the names above"
        )


def wants_normalization(path_or_id: str) -> bool:
    """Whether the checkpoint's feature extractor asks for windows of zero mean and unit variance.

    Raises:
        CheckpointError: it has none, or it wants another sampling rate.
    """
    try:
        extractor = Wav2Vec2FeatureExtractor.from_pretrained(path_or_id)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path_or_id}: no preprocessor_config.json, so nobody knows whether the model wants normalised audio; "
            "save its Wav2Vec2FeatureExtractor beside it"
        ) from error
    if extractor.sampling_rate != SAMPLE_RATE_HZ:
        raise CheckpointError(
            f"{path_or_id}: it wants {extractor.sampling_rate} Hz audio; {SAMPLE_RATE_HZ} Hz is supported"
        )
    return bool(extractor.do_normalize)


def _name(path_or_id: str) -> str:
    folder = Path(path_or_id)
    return folder.resolve().name if folder.exists() else path_or_id
