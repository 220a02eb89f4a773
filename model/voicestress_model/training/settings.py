"""What a training run is told: a YAML file, checked as a whole before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voicestress_model.geometry import KERNELS, LONGEST_WINDOW_S, SHORTEST_WINDOW_S
from voicestress_model.training.augment import Augmentation, Probability
from voicestress_model.training.errors import TrainingError

_SHIPPED = Path(__file__).parent / "configs"

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusSettings(_Section):
    """What is learned from.

    Args:
        path, kind: as ``read_corpus`` takes them.
        labels: the labels in the order of the logits; the corpus's own order by default.
        dev_share, test_share: of the utterances, for a corpus without splits; split by speaker.
        shortest_window_s, longest_window_s: longer recordings are cut into windows, as the client cuts them.
        speech_detection: keep only what the client's speech detection keeps; for uncut recordings.
        max_rejected_share: of the recordings, that may be unreadable or silent before the run is refused.
        shuffle_labels: give the recordings each other's labels and details. The control experiment: a model trained
            like this must be at chance, or something gives the labels away.
    """

    path: Path
    kind: Literal["manifest", "ravdess", "iemocap", "crema-d"] | None = None
    labels: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    dev_share: Annotated[Share, Field(gt=0)] = 0.15
    test_share: Share = 0.15
    shortest_window_s: Annotated[float, Field(ge=0.025)] = SHORTEST_WINDOW_S
    longest_window_s: Positive = LONGEST_WINDOW_S
    speech_detection: bool = False
    max_rejected_share: Probability = 0.05
    shuffle_labels: bool = False

    @model_validator(mode="after")
    def _windows_can_be_cut(self) -> CorpusSettings:
        if self.longest_window_s < 2 * self.shortest_window_s:
            raise ValueError("longest_window_s must be at least twice shortest_window_s")
        return self


class ShapeSettings(_Section):
    """What a named architecture may be changed in: fields of ``Wav2Vec2Config``, and nothing that moves its frames.

    ``conv_dim`` is one width for all seven convolutions, or seven.
    """

    hidden_size: Count | None = None
    num_hidden_layers: Count | None = None
    num_attention_heads: Count | None = None
    intermediate_size: Count | None = None
    conv_dim: Count | tuple[Count, Count, Count, Count, Count, Count, Count] | None = None
    conv_bias: bool | None = None
    feat_extract_norm: Literal["group", "layer"] | None = None
    do_stable_layer_norm: bool | None = None
    num_conv_pos_embeddings: Count | None = None
    num_conv_pos_embedding_groups: Count | None = None

    def fields(self) -> dict[str, Any]:
        """What was given, as keyword arguments of ``Wav2Vec2Config``."""
        given = self.model_dump(exclude_none=True)
        if isinstance(self.conv_dim, int):
            given["conv_dim"] = (self.conv_dim,) * len(KERNELS)
        return given


class ModelSettings(_Section):
    """What learns: exactly one of ``backbone``, ``checkpoint`` and ``architecture``.

    Args:
        backbone: folder or hub id of a Wav2Vec2 without a stress head; it gets a new one.
        checkpoint: folder or hub id of a model with its head, to go on from; the labels must be the same.
        architecture: a name of ``ARCHITECTURES``, from random weights, changed by ``shape``.
        head: what ``build_head`` takes; the article's by default. A ``checkpoint`` keeps its own.
        weighted_layer_sum: the head sees a learned mixture of all layers instead of the last.
        normalize: bring windows to zero mean and unit variance; by default as the checkpoint asks, else yes.
        dropout: after each part of a transformer layer and before the first; by default as the checkpoint has it.
        spec_augment: mask spans of frames in training, as the checkpoint's configuration says.
    """

    backbone: str | None = None
    checkpoint: str | None = None
    architecture: str | None = None
    shape: ShapeSettings = ShapeSettings()
    head: dict[str, Any] | None = None
    weighted_layer_sum: bool | None = None
    normalize: bool | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    spec_augment: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> ModelSettings:
        given = [name for name in ("backbone", "checkpoint", "architecture") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of backbone, checkpoint and architecture; given: {', '.join(given) or 'none'}")
        if self.shape.fields() and not self.architecture:
            raise ValueError("shape changes an architecture; the weights of a checkpoint would no longer fit")
        if self.checkpoint and (self.head is not None or self.weighted_layer_sum is not None):
            raise ValueError("a checkpoint keeps its own head; give it as backbone to train a new one")
        return self


class OptimiserSettings(_Section):
    """How it learns: AdamW, a linear warm-up, then half a cosine down to nothing.

    Args:
        peak_lr, head_lr: highest learning rates of the backbone and of the head (by default the same).
        layer_decay: the learning rate of each layer is this much of the layer's above it.
        warmup_share: of all steps.
        frozen_steps: the head alone learns for so many steps first.
        class_weights: ``balanced``, or a weight for every label; by default all recordings count the same.
        clip_norm: gradients longer than this are shortened to it.
        averaging: what is scored and kept are not the last weights but their exponential average, with this decay
            (Polyak and Juditsky 1992); 0 for the weights as they are.
    """

    peak_lr: Positive = 1e-4
    head_lr: Positive | None = None
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    warmup_share: Share = 0.1
    frozen_steps: Annotated[int, Field(ge=0)] = 0
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    label_smoothing: Share = 0.0
    class_weights: Literal["balanced"] | dict[str, Positive] | None = None
    clip_norm: Positive = 1.0
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0


class AuxiliarySettings(_Section):
    """Numbers to learn beside the labels; see ``auxiliary.py``.

    Args:
        details: columns of the manifest, numbers for every recording, where the corpus knows some.
        prosody: the 23 features of ``corpora/prosody.py``, measured in every recording before training starts. For a
            backbone from random weights: a pretrained one knows them.
        tracks: pitch, level and spectrum of every frame (``tracks.py``), for such a backbone too.
        weight: of their mean squared error (each has unit variance), beside the cross entropy of the labels.
    """

    details: tuple[str, ...] = ()
    prosody: bool = False
    tracks: bool = False
    weight: Positive = 1.0


class BatchSettings(_Section):
    """What is heard at once.

    Args:
        audio_s: seconds of audio in a batch, all its clips cut to one length: nothing is padded.
        at_once_s: of these, go through the model at a time; by default all. A CPU is fastest with what fits its cache,
            a GPU needs it to fit its memory. The result is the same but for the last digits.
        crop_s: that length is drawn from this span, and shortened to the batch's shortest clip.
        workers: processes that cut and augment ahead of the model; 0 does it in between.
    """

    audio_s: Positive = 60.0
    at_once_s: Positive | None = None
    crop_s: tuple[Positive, Positive] = (2.0, 8.0)
    workers: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _crops_in_order(self) -> BatchSettings:
        if self.crop_s[0] > self.crop_s[1]:
            raise ValueError(f"crop_s: the first value must not be above the second: {list(self.crop_s)}")
        return self


class TrainingSettings(_Section):
    """One training run.

    Args:
        out: the folder the checkpoint is written to.
        epochs: times every recording is heard, unless ``patience`` ends it.
        patience: epochs without a better one on the split "dev" before training stops; by default it never does.
            Of the epochs with about the highest UAR, the one with the lowest loss is the best.
        precision: ``bf16`` and ``fp16`` need a GPU; ``auto`` is bf16 on one that has it, fp16 on others, fp32 on a CPU.
        save_every_steps: how often the run is saved; a killed one goes on from there.
        threads: of the CPU; by default one a core. Another number changes the last digits of the result.
    """

    corpus: CorpusSettings
    model: ModelSettings
    out: Path
    seed: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=1)] = 20
    patience: Annotated[int, Field(ge=1)] | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    save_every_steps: Annotated[int, Field(ge=1)] = 200
    threads: Annotated[int, Field(ge=1)] | None = None
    optimiser: OptimiserSettings = OptimiserSettings()
    auxiliary: AuxiliarySettings = AuxiliarySettings()
    batches: BatchSettings = BatchSettings()
    augment: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _crops_are_windows(self) -> TrainingSettings:
        if self.batches.crop_s[0] < self.corpus.shortest_window_s:
            raise ValueError("batches.crop_s must not start below corpus.shortest_window_s")
        return self


def read_settings(path: Path, changes: Sequence[str] = ()) -> TrainingSettings:
    """The settings in the YAML file ``path``; relative paths in it start at the working directory.

    A bare name that is no file, ``finetune`` or ``demo``, is that of a file that is shipped. ``changes`` replace single
    settings: ``"corpus.path=other.csv"``, the value in YAML.

    Raises:
        TrainingError: no such file, not YAML, a setting that is unknown, missing or out of range.
    """
    shipped = _SHIPPED / f"{path}.yaml"
    if not path.exists() and len(path.parts) == 1 and shipped.exists():
        path = shipped
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TrainingError(f"{path}: settings are `name: value` lines; corpus, model and out are needed.")
        for change in changes:
            _change(content, change)
        return TrainingSettings.model_validate(content)
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: can't be read ({error}). Check the path.") from error
    except yaml.YAMLError as error:
        raise TrainingError(f"{path}: is not YAML ({error}).") from error
    except ValidationError as error:
        problems = "\n".join(f"  {_problem(item)}" for item in error.errors())
        raise TrainingError(f"{path}: can't be used:\n{problems}") from error


def _change(content: dict[str, Any], change: str) -> None:
    name, equals, value = change.partition("=")
    *sections, last = name.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            break
    if not equals or not isinstance(content, dict):
        raise TrainingError(f"--set {change}: is not of the form section.name=value")
    content[last] = yaml.safe_load(value)


def _problem(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    if item["type"] == "missing":
        return f"{where}: is missing"
    message = item["msg"].removeprefix("Value error, ")
    given = "" if isinstance(item["input"], dict) else f" (it is {item['input']!r})"
    return f"{where or 'settings'}: {message}{given}"
