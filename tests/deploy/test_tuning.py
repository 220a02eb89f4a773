"""Settings that fit the machine: what is measured, what is chosen, and the variant that is written and served."""

from __future__ import annotations

import os
import shutil

import pytest
from voicestress import StressClient
from voicestress.cli import main
from voicestress_triton import ModelRepositoryError, TritonServer
from voicestress_triton.tuning import settings
from voicestress_triton.tuning.measure import Speed
from voicestress_triton.tuning.settings import Queue, Setting, config_with, contract_of, grid
from voicestress_triton.tuning.tune import best, queue_for, read_config, table

from tests.paths import JFK_WAV, MODEL_REPOSITORY

CONFIG = (MODEL_REPOSITORY / "stress" / "config.pbtxt").read_text()
ONE, TWO = Setting(1, 2, 4), Setting(2, 1, 4)


@pytest.mark.parametrize("cores", [1, 2, 3, 8, 64])
def test_every_setting_uses_the_cores_and_none_is_measured_twice(cores):
    settings = list(grid(cores))
    assert len(settings) == len(set(settings)) <= 20
    assert all(cores / 2 < setting.instances * setting.threads <= cores for setting in settings)
    assert {setting.max_batch_size for setting in settings} == {1, 2, 4, 8}


def test_a_variant_is_the_model_s_config_with_other_settings():
    text = config_with(CONFIG, Setting(2, 3, 3, 700), queue=Queue(17, 2.5), comments=["why", "", "so"])
    assert text.startswith("# why\n#\n# so\n")
    assert contract_of(text) == contract_of(CONFIG)
    for line in (
        "preferred_batch_size: 3\n",
        "max_batch_size: 4",  # how many windows a request may hold is no matter of speed
        "count: 2",
        "max_queue_delay_microseconds: 700",
        "max_queue_size: 17",
        "default_timeout_microseconds: 2500000",
        "allow_ragged_batch: true",
    ):
        assert line in text
    assert text.count("preferred_batch_size") == 1
    assert "rate_limiter" not in text, "two at once take no turns"
    assert "rate_limiter" in config_with(CONFIG, ONE), "one at a time, and another holds the next batch"
    assert 'key: "intra_op_thread_count"' in text
    cached = CONFIG + "response_cache { enable: true }\n"
    assert "response_cache {\n  enable: true" in config_with(cached, ONE), "what was exported stays"
    assert "response_cache" not in config_with(CONFIG, ONE)


def test_threads_are_named_as_the_model_s_backend_reads_them():
    torchscript = (MODEL_REPOSITORY / "stress_torchscript" / "config.pbtxt").read_text()
    assert 'key: "INTRA_OP_THREAD_COUNT"' in config_with(torchscript, ONE)
    assert "intra_op_thread_count" not in config_with(torchscript, ONE)
    with pytest.raises(ModelRepositoryError, match="stress: its backend is 'python'; what can be tuned is onnxruntime"):
        config_with(CONFIG.replace('"onnxruntime"', '"python"'), ONE)


def test_what_is_no_config_is_refused(tmp_path):
    with pytest.raises(ModelRepositoryError, match="can't be read"):
        config_with("max_batch_size: eight", ONE)
    with pytest.raises(ModelRepositoryError, match="no such file"):
        read_config(tmp_path)


def speeds(*pairs):
    return [Speed(*pair) for pair in pairs]


def test_the_fastest_is_chosen_and_among_equals_the_one_that_answers_soonest():
    assert best({ONE: speeds((100, 0.2), (90, 0.2), (300, 0.2)), TWO: speeds((80, 0.1), (80, 0.1), (80, 0.1))}) == ONE
    assert best({ONE: speeds((100, 0.2)), TWO: speeds((98, 0.1))}) == TWO


def test_the_queue_holds_what_is_scored_in_the_longest_wait():
    queue = queue_for(speeds((450, 0.1)), contract_of(CONFIG), 2.0)
    assert queue.longest_s == pytest.approx(2 * 2.0, rel=0.02)  # a full queue is scored in half of it
    assert 150 < queue.windows < 260  # windows of 1 to 8 s
    slow = queue_for(speeds((1, 1)), contract_of(CONFIG), 2.0)
    assert slow.windows == 8  # a batch must be able to wait
    assert 8 * 2 < slow.longest_s < 8 * 2 * 8


def test_the_table_is_best_first_and_marks_what_was_chosen():
    lines = table({ONE: speeds((10, 0.2)), TWO: speeds((20, 0.1))}, TWO)
    assert lines[1].endswith("2 x 1 threads, batches of 4  <- chosen")
    assert lines[2].endswith("1 x 2 threads, batches of 4")


def test_the_command_writes_the_best_with_what_was_measured_in_its_comments(tmp_path, monkeypatch, capsys):
    shutil.copytree(MODEL_REPOSITORY / "stress", tmp_path / "stress")
    monkeypatch.setattr(settings, "grid", lambda: iter([ONE, TWO]))
    argv = ["tune", str(tmp_path), "--model", "stress", "--name", "mine", "--rounds", "1", "--seconds", "3"]
    assert main(argv) == 0
    said = capsys.readouterr()
    text = (tmp_path / "stress" / "configs" / "mine.pbtxt").read_text()
    assert text.count("  <- chosen\n") == 1
    assert f"{os.cpu_count()} cores" in text
    assert "serve it with --model-config-name mine" in said.out
    measured = [line.split(maxsplit=4) for line in said.err.splitlines()]
    assert [setting for *_, setting in measured] == [str(ONE), str(TWO)]
    for rate, _, latency_s, *_ in measured:  # of a real server
        assert float(rate) > 10
        assert 0.001 < float(latency_s) < 1
    with TritonServer(tmp_path, model_config_name="mine") as server, StressClient(server.url) as client:
        assert client.analyze(JFK_WAV).windows


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rounds", "0"], "'0' is not a whole number, 1 or more"),
        (["--rounds", "2.5"], "'2.5' is not a whole number, 1 or more"),
        (["--seconds", "0"], "'0' is not a number of seconds above 0"),
        (["--seconds", "-3"], "'-3' is not a number of seconds above 0"),
        (["--seconds", "nan"], "'nan' is not a number of seconds above 0"),
        (["--seconds", "ten"], "'ten' is not a number of seconds above 0"),
        (["--longest-wait-s", "0"], "'0' is not a number of seconds above 0"),
        (["--longest-wait-s", "-1"], "'-1' is not a number of seconds above 0"),
        (["--longest-wait-s", "inf"], "'inf' is not a number of seconds above 0"),
        (["--name", "gpu"], "'gpu': gpu is what `voicestress export` writes; choose another name"),
    ],
)
def test_what_could_not_be_measured_or_would_overwrite_is_wrong_usage(options, complaint, capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["tune", str(MODEL_REPOSITORY), *options])
    assert exit_code.value.code == 2
    assert f"argument {options[0]}: {complaint}" in capsys.readouterr().err
