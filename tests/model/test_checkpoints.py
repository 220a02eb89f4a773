"""Checkpoints people bring load completely or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Model,
)
from voicestress_model.agreement import reference_logits
from voicestress_model.architectures import ARCHITECTURES, random_checkpoint
from voicestress_model.checkpoints import load_backbone, load_checkpoint
from voicestress_model.errors import CheckpointError
from voicestress_model.packed import PackedWav2Vec2

from tests.model.conftest import noise

# In the order of superb/wav2vec2-base-superb-er.
SUPERB_LABELS = ("neu", "hap", "ang", "sad")


def save_classifier(folder, *, architecture="tiny", normalize=False, **options):
    torch.manual_seed(3)
    settings = {**ARCHITECTURES[architecture], **options}
    config = Wav2Vec2Config(**settings, id2label=dict(enumerate(SUPERB_LABELS)))
    config.label2id = {label: index for index, label in enumerate(SUPERB_LABELS)}
    model = Wav2Vec2ForSequenceClassification(config).eval()
    with torch.no_grad():  # fresh biases are zero, and would hide that they are left out
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.add_(0.2 * torch.randn_like(parameter))
    if config.use_weighted_layer_sum:
        model.layer_weights.data = torch.randn_like(model.layer_weights)
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalize).save_pretrained(folder)
    return model


def rewrite_weights(folder, change):
    path = folder / "model.safetensors"
    safetensors.torch.save_file(change(safetensors.torch.load_file(path)), path, metadata={"format": "pt"})


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def packed_logits(checkpoint, window):
    model = PackedWav2Vec2(
        checkpoint.detector, normalize=checkpoint.normalize, shortest_samples=400, longest_samples=128_000
    )
    with torch.inference_mode():
        return model(torch.from_numpy(window), torch.tensor([[len(window)]], dtype=torch.int32))[0].numpy()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("weighted", [True, False], ids=["weighted-layer-sum", "last-layer"])
@pytest.mark.parametrize("architecture", ["tiny", "tiny-layer-norm"])
@pytest.mark.parametrize("conv_bias", [True, False])
def test_a_classifier_scores_as_its_own_class_does(tmp_path, architecture, weighted, normalize, conv_bias):
    model = save_classifier(
        tmp_path,
        architecture=architecture,
        normalize=normalize,
        use_weighted_layer_sum=weighted,
        classifier_proj_size=40,
        conv_bias=conv_bias,
    )
    window = noise(20_000)
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path)
    values = extractor(window.astype(np.float32) / 32768, sampling_rate=16_000, return_tensors="pt").input_values
    with torch.inference_mode():
        expected = model(values).logits[0].numpy()

    checkpoint = load_checkpoint(str(tmp_path))

    assert checkpoint.detector.labels == SUPERB_LABELS
    assert checkpoint.normalize is normalize
    assert np.abs(reference_logits(checkpoint, [window])[0] - expected).max() < 1e-6
    assert np.abs(packed_logits(checkpoint, window) - expected).max() < 1e-4


def test_a_stress_detector_is_saved_and_loaded_whole(tmp_path):
    saved = random_checkpoint("tiny", seed=5)
    saved.save(tmp_path)
    loaded = load_checkpoint(str(tmp_path))
    assert loaded.detector.labels == ("neutral", "sad", "anxious")
    assert (loaded.normalize, loaded.weights, loaded.name) == (True, "trained", tmp_path.name)
    window = [noise(12_000)]
    assert np.array_equal(reference_logits(loaded, window), reference_logits(saved, window))


def test_the_same_seed_gives_the_same_weights():
    window = [noise(12_000)]
    first, again, other = (reference_logits(random_checkpoint("tiny", seed=seed), window) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_weight_norm_under_its_old_names_loads(tmp_path):
    expected = reference_logits(_saved(tmp_path), [noise(9000)])
    old_names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}

    def rename(weights):
        for new, old in old_names.items():
            weights = {key.replace(new, old): value for key, value in weights.items()}
        assert sum(key.endswith(("weight_g", "weight_v")) for key in weights) == 2
        return weights

    rewrite_weights(tmp_path, rename)
    assert np.abs(reference_logits(load_checkpoint(str(tmp_path)), [noise(9000)]) - expected).max() < 1e-6


def test_a_head_stored_as_dense_and_output_is_mapped(tmp_path):
    model = save_classifier(tmp_path, classifier_proj_size=ARCHITECTURES["tiny"]["hidden_size"])
    edit_config(tmp_path, classifier_proj_size=256)  # what the file of that checkpoint says, to no effect
    names = {"projector.": "classifier.dense.", "classifier.": "classifier.output."}

    def rename(weights):
        return {
            next((new + key.removeprefix(old) for old, new in names.items() if key.startswith(old)), key): value
            for key, value in weights.items()
        }

    rewrite_weights(tmp_path, rename)
    loaded = load_checkpoint(str(tmp_path)).detector.head
    assert torch.equal(loaded.projector.weight, model.projector.weight)
    assert torch.equal(loaded.classifier.weight, model.classifier.weight)


@pytest.mark.parametrize("key", ["projector.bias", "classifier.weight", "wav2vec2.encoder.layers.1.layer_norm.weight"])
def test_a_missing_weight_is_an_error_that_names_it(tmp_path, key):
    save_classifier(tmp_path)
    rewrite_weights(tmp_path, lambda weights: {name: value for name, value in weights.items() if name != key})
    with pytest.raises(CheckpointError, match=rf"missing weights: {key}"):
        load_checkpoint(str(tmp_path))


def test_an_unexpected_weight_is_an_error_that_names_it(tmp_path):
    save_classifier(tmp_path)
    rewrite_weights(tmp_path, lambda weights: {**weights, "classifier.scale": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"unexpected weights: classifier\.scale"):
        load_checkpoint(str(tmp_path))


def test_a_weight_of_another_shape_is_an_error_that_names_it(tmp_path):
    save_classifier(tmp_path)
    rewrite_weights(tmp_path, lambda weights: {**weights, "classifier.bias": torch.ones(7)})
    with pytest.raises(CheckpointError, match=r"classifier\.bias \(7,\) instead of \(4,\)"):
        load_checkpoint(str(tmp_path))


def test_a_truncated_file_of_weights_is_an_error(tmp_path):
    save_classifier(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="weights can't be read"):
        load_checkpoint(str(tmp_path))


@pytest.mark.parametrize("kind", [Wav2Vec2Model, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining])
def test_a_backbone_gets_a_new_head_only_when_asked(tmp_path, kind):
    model = kind(Wav2Vec2Config(**ARCHITECTURES["tiny"], codevector_dim=64, proj_codevector_dim=64, vocab_size=12))
    model.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="without a stress head"):
        load_checkpoint(str(tmp_path))
    detector = load_backbone(str(tmp_path), labels=("calm", "tense"), seed=1)
    backbone = getattr(model, "wav2vec2", model)
    assert detector.labels == ("calm", "tense")
    for name, parameter in backbone.named_parameters():
        assert torch.equal(parameter, detector.wav2vec2.get_parameter(name)), name


def test_a_backbone_with_a_missing_weight_is_refused(tmp_path):
    Wav2Vec2Model(Wav2Vec2Config(**ARCHITECTURES["tiny"])).save_pretrained(tmp_path)
    key = "encoder.layers.0.attention.k_proj.weight"
    rewrite_weights(tmp_path, lambda weights: {name: value for name, value in weights.items() if name != key})
    with pytest.raises(CheckpointError, match="k_proj"):
        load_backbone(str(tmp_path))


def test_nothing_there_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="neither a folder"):
        load_checkpoint(str(tmp_path / "nowhere"))
    with pytest.raises(CheckpointError, match="nowhere-at-all"):
        load_checkpoint("nowhere-at-all")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model_type": "hubert"}, "model type 'hubert'"),
        ({"architectures": ["Wav2Vec2ForXVector"]}, "Wav2Vec2ForXVector is not supported"),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, "conv_stride is"),
        ({"hidden_act": "relu"}, "hidden_act is relu"),
        ({"adapter_attn_dim": 16}, "adapter_attn_dim is 16"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path, change, complaint):
    save_classifier(tmp_path)
    edit_config(tmp_path, **change)
    with pytest.raises(CheckpointError, match=complaint):
        load_checkpoint(str(tmp_path))


def test_a_checkpoint_without_its_feature_extractor_is_refused(tmp_path):
    save_classifier(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"preprocessor_config\.json"):
        load_checkpoint(str(tmp_path))


def test_a_checkpoint_for_another_sample_rate_is_refused(tmp_path):
    save_classifier(tmp_path)
    Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="8000 Hz"):
        load_checkpoint(str(tmp_path))


def test_an_unknown_architecture_is_an_error_that_lists_the_known():
    with pytest.raises(CheckpointError, match="wav2vec2-base"):
        random_checkpoint("wav2vec3")


def _saved(folder):
    save_classifier(folder)
    return load_checkpoint(str(folder))
