"""A run learns, survives being killed, and leaves a checkpoint that loads."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from voicestress_model.agreement import reference_logits
from voicestress_model.checkpoints import load_checkpoint
from voicestress_model.training import TrainingError, TrainingSettings, command, read_settings, train
from voicestress_model.training.detectors import detector_to_train
from voicestress_model.training.progress import Epoch, Progress

from tests.model.training.conftest import LONG
from tests.model.training.voices import (
    HEAD,
    PITCH_HZ,
    RATE_HZ,
    hum,
    run,
    settings_of,
    write_corpus,
    write_settings,
)

_CODE = (
    "import sys; from pathlib import Path; from voicestress_model.training import read_settings, train\n"
    "if __name__ == '__main__': train(read_settings(Path(sys.argv[1])))"
)


def weights(folder):
    return safetensors.torch.load_file(folder / "model.safetensors")


def record(folder):
    return json.loads((folder / "training.json").read_text())


def test_a_run_learns_to_tell_the_hums_of_new_speakers_apart(finished):
    assert record(finished)["dev_uar"] > 0.9
    checkpoint = load_checkpoint(str(finished))
    rng = np.random.default_rng(99)
    hums = [np.rint(32_767 * hum(pitch_hz, rng)).astype(np.int16) for pitch_hz in PITCH_HZ.values()]
    assert reference_logits(checkpoint, hums).argmax(axis=1).tolist() == [0, 1, 2]


def test_the_checkpoint_is_what_the_settings_asked_for(finished):
    checkpoint = load_checkpoint(str(finished))
    assert checkpoint.weights == "trained"
    assert checkpoint.normalize
    assert checkpoint.detector.labels == ("neutral", "sad", "anxious")
    assert checkpoint.detector.config.stress_head["kind"] == "attentive_statistics"
    assert checkpoint.detector.config.stress_temperature == record(finished)["temperature"] > 0


def test_the_record_says_what_was_done(finished):
    written = record(finished)
    best = Progress(history=tuple(Epoch(**epoch) for epoch in written["epochs"])).best
    assert len(written["epochs"]) == LONG["epochs"]
    assert (written["best_epoch"], written["dev_uar"]) == (best.epoch, best.dev_uar)
    assert written["dev_nll"] <= best.dev_nll + 1e-6  # no temperature is worse than 1
    assert written["settings"]["seed"] == 0
    assert written["corpus"]["train"]["labels"] == {"neutral": 12, "sad": 12, "anxious": 12}
    assert written["versions"]["torch"] in torch.__version__
    assert written["wall_s"] > 0


def test_tensorboard_gets_the_losses_and_the_development_scores(finished):
    events = EventAccumulator(str(finished / "tensorboard"))
    events.Reload()
    assert {"train/loss", "train/learning_rate", "dev/uar", "dev/nll"} <= set(events.Tags()["scalars"])
    assert len(events.Scalars("dev/uar")) == LONG["epochs"]


def test_a_bar_shows_how_far_a_run_is(corpus, tmp_path, capsys):
    settings = TrainingSettings.model_validate(settings_of(corpus, tmp_path / "out", epochs=1))
    steps = train(settings, bar=True)["epochs"][-1]["step"]
    shown = capsys.readouterr().err
    assert f"{steps}/{steps}" in shown
    assert "step" in shown


def test_nothing_but_the_checkpoint_and_its_records_is_left(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "config.json",
        "corpus.csv",
        "model.safetensors",
        "preprocessor_config.json",
        "tensorboard",
        "training.json",
    ]


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(corpus, finished, tmp_path):
    out = tmp_path / "killed"
    # Its clips come from a worker process: that must change nothing either.
    config = write_settings(tmp_path / "config.yaml", settings_of(corpus, out, **LONG, batches={"workers": 1}))
    process = subprocess.Popen([sys.executable, "-c", _CODE, str(config)], stderr=subprocess.DEVNULL)
    wait_for(out / "progress" / "state.pt", process)
    time.sleep(random.uniform(0, 1))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    state = torch.load(out / "progress" / "state.pt", weights_only=True)
    assert 0 < state["progress"]["step"] < record(finished)["epochs"][-1]["step"]

    lines = []
    train(read_settings(config), report=lines.append)

    assert f"going on from step {state['progress']['step']}" in lines[0]
    resumed, undisturbed = weights(out), weights(finished)
    for name, expected in undisturbed.items():
        assert torch.equal(resumed[name], expected), name
    assert record(out)["temperature"] == record(finished)["temperature"]
    unlike = {"wall_s"}
    for one, other in zip(record(out)["epochs"], record(finished)["epochs"], strict=True):
        assert {k: v for k, v in one.items() if k not in unlike} == {k: v for k, v in other.items() if k not in unlike}
    for name in ("train/loss", "dev/uar"):  # what was drawn before the kill and again after it is there once
        assert drawn_steps(out, name) == drawn_steps(finished, name)


def drawn_steps(folder, name):
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return [event.step for event in events.Scalars(name)]


def wait_for(path, process, timeout_s=120):
    until = time.monotonic() + timeout_s
    while not path.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_run_that_is_going_on_refuses_other_settings(corpus, tmp_path):
    def stop(line):
        if line.startswith("epoch 2"):
            raise KeyboardInterrupt

    settings = settings_of(corpus, tmp_path, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train(TrainingSettings.model_validate(settings), report=stop)
    with pytest.raises(TrainingError, match=r"holds a run with other settings \(epochs, optimiser\.peak_lr\)"):
        run(corpus, tmp_path, epochs=5, optimiser={"peak_lr": 1e-3})


def test_a_file_is_no_folder_to_train_into(corpus, tmp_path):
    (tmp_path / "out").write_text("notes")
    with pytest.raises(TrainingError, match="out: is a file"):
        run(corpus, tmp_path / "out")


def test_a_finished_run_is_not_trained_over(corpus, finished):
    with pytest.raises(TrainingError, match="holds a finished run"):
        run(corpus, finished)


def test_training_stops_when_patience_is_over_and_keeps_the_best(corpus, tmp_path):
    # A rate so small that nothing is learned: the first epoch stays the best, or the second.
    out = run(corpus, tmp_path, epochs=30, patience=2, optimiser={"peak_lr": 1e-12})
    assert len(out["epochs"]) == out["best_epoch"] + 2 < 30


def test_only_the_head_learns_while_the_backbone_is_frozen(corpus, tmp_path):
    def state(frozen_steps, seed_epochs):
        folder = tmp_path / f"{frozen_steps}"
        run(corpus, folder, epochs=seed_epochs, optimiser={"frozen_steps": frozen_steps})
        return weights(folder)

    settings = TrainingSettings.model_validate(settings_of(corpus, tmp_path))
    start, _ = detector_to_train(settings.model, ("neutral", "sad", "anxious"), seed=0)
    frozen, thawed = state(10_000, 1), state(2, 1)
    for name, parameter in start.named_parameters():
        moved = not torch.equal(frozen[name], parameter.detach())
        assert moved == (not name.startswith("wav2vec2.")), name
    assert not torch.equal(
        thawed["wav2vec2.feature_projection.projection.weight"], frozen["wav2vec2.feature_projection.projection.weight"]
    )


def test_the_average_of_the_weights_is_kept_and_changes_nothing_in_how_they_learn(corpus, tmp_path):
    plain, averaged = run(corpus, tmp_path / "plain"), run(corpus, tmp_path / "averaged", optimiser={"averaging": 0.9})
    losses = [[epoch["train_loss"] for epoch in done["epochs"]] for done in (plain, averaged)]
    assert losses[0] == losses[1]
    last, mean = weights(tmp_path / "plain"), weights(tmp_path / "averaged")
    settings = TrainingSettings.model_validate(settings_of(corpus, tmp_path))
    start, _ = detector_to_train(settings.model, ("neutral", "sad", "anxious"), seed=0)
    for name in ("head.layers.0.weight", "wav2vec2.feature_projection.projection.weight"):
        way, mean_way = (kept[name] - start.get_parameter(name).detach() for kept in (last, mean))
        # On the way to the last weights, and not there yet.
        assert 0.05 < (way * mean_way).sum() / way.square().sum() < 0.995, name


def test_another_seed_gives_another_model(corpus, tmp_path):
    run(corpus, tmp_path / "0", epochs=1)
    run(corpus, tmp_path / "1", epochs=1, seed=1)
    assert not torch.equal(
        weights(tmp_path / "0")["head.layers.0.weight"], weights(tmp_path / "1")["head.layers.0.weight"]
    )


def test_everything_that_can_be_switched_on_trains_together(corpus, tmp_path):
    effects = ("speed", "pitch", "reverberation", "noise", "telephone", "codecs", "gain")
    out = run(
        corpus,
        tmp_path,
        epochs=1,
        model={
            "spec_augment": True,
            "head": {"kind": "temporal_convolution", "bottleneck": 8, "channels": 8, "blocks": 2},
        },
        optimiser={"layer_decay": 0.8, "head_lr": 1e-2, "label_smoothing": 0.1, "class_weights": "balanced"},
        augment={name: {"probability": 0.5} for name in effects},
    )
    assert np.isfinite(out["epochs"][0]["train_loss"])


def test_a_loss_that_is_no_number_stops_the_run(corpus, tmp_path):
    with pytest.raises(TrainingError, match=r"the loss is .*peak_lr"):
        run(corpus, tmp_path / "out", epochs=20, optimiser={"peak_lr": 1e18, "warmup_share": 0.0})


def test_the_command_trains_lists_what_it_skipped_and_says_what_came_of_it(tmp_path, capsys):

    manifest = write_corpus(tmp_path / "corpus")
    soundfile.write(manifest.parent / "ann-sad-1.wav", np.zeros(RATE_HZ), RATE_HZ)
    settings = settings_of(manifest, tmp_path / "out", epochs=1, corpus={"max_rejected_share": 0.05})
    config = write_settings(tmp_path / "config.yaml", settings)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args([str(config), "--set", "seed=3"])) == 0
    printed = capsys.readouterr().out
    assert "skipped: " in printed
    assert "1 recordings were skipped" in printed
    assert "dev UAR" in printed
    assert record(tmp_path / "out")["settings"]["seed"] == 3


@pytest.mark.skipif(os.name != "posix", reason="gloo")
def test_two_processes_train_one_model(corpus, tmp_path):
    still = {"dropout": 0.0, "head": {**HEAD, "dropout": 0.0}}
    changes = {"optimiser": {"frozen_steps": 3}, "model": still, "auxiliary": {"prosody": True}}
    settings = settings_of(corpus, tmp_path / "out", **changes)
    config = write_settings(tmp_path / "config.yaml", settings)
    script = tmp_path / "script.py"
    script.write_text(_CODE)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
        str(config),
    ]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-3000:]
    assert record(tmp_path / "out")["processes"] == 2
    # Each heard half of every batch, and together they learned what one learns from all of it.
    run(corpus, tmp_path / "alone", **changes)
    together, alone = (
        [epoch["train_loss"] for epoch in record(tmp_path / name)["epochs"]] for name in ("out", "alone")
    )
    assert together == pytest.approx(alone, rel=1e-3)
    # The last weights, too: the loss of the labels does not tell of the prosody's share.
    kept, expected = weights(tmp_path / "out"), weights(tmp_path / "alone")
    for name, weight in expected.items():
        assert torch.allclose(kept[name], weight, atol=5e-3), name
