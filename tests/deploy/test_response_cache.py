"""Repeated audio: answered from memory, where the model and the server were both asked to."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient
from voicestress_triton import ServerStartError, TritonMissingError, TritonServer, command
from voicestress_triton.runtime import prepare_runtime

from tests.deploy.graphs import CONFIG, add_model, ragged_rows
from tests.deploy.processes import becomes_true
from tests.deploy.test_local_triton_batches import ask, expected, window


@pytest.fixture(scope="module")
def cached(tmp_path_factory) -> Path:
    repository = tmp_path_factory.mktemp("cached")
    add_model(repository, "rows", ragged_rows(), CONFIG + "\nresponse_cache { enable: true }\n")
    return repository


def counts(client: InferenceServerClient) -> tuple[int, int]:
    """Batches executed and answers from the cache."""
    [statistics] = client.get_inference_statistics("rows").model_stats
    return statistics.execution_count, statistics.inference_stats.cache_hit.count


def test_audio_that_was_heard_before_is_not_scored_again_and_other_audio_is(cached: Path):
    with TritonServer(cached, response_cache_mb=4) as server, InferenceServerClient(server.url) as client:
        for pcm in (window(900), window(900), window(901), window(900)):
            np.testing.assert_array_equal(ask(client, "rows", pcm)[:, :2], expected(pcm))
        assert becomes_true(lambda: counts(client) == (2, 2))


def test_without_a_cache_such_a_model_is_served_and_scores_everything(cached: Path):
    with TritonServer(cached) as server, InferenceServerClient(server.url) as client:
        for pcm in (window(900), window(900)):
            np.testing.assert_array_equal(ask(client, "rows", pcm)[:, :2], expected(pcm))
        assert becomes_true(lambda: counts(client) == (2, 0))


def test_a_triton_without_a_cache_library_is_named_with_the_way_out(tmp_path: Path):
    runtime = dataclasses.replace(prepare_runtime(tmp_path), caches=tmp_path / "none")
    with pytest.raises(TritonMissingError, match=r"no response cache \(libtritoncache_local\.so is missing.* PATH"):
        runtime.cache_flags(4)


def test_an_installed_tritonserver_is_given_the_size_and_knows_its_own_caches(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed = tmp_path / "tritonserver"
    installed.write_text('#!/bin/sh\necho "error: called with $*"\nexit 1\n')
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ServerStartError, match="--cache-config=local,size=4194304") as failure:
        TritonServer(cached, response_cache_mb=4).start()
    assert "--cache-directory" not in str(failure.value)


@pytest.mark.parametrize("size", ["0", "-1", "a few", "1.5"])
def test_a_size_that_is_no_number_of_megabytes_is_refused(size: str, capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--response-cache-mb", size])
    assert "is not a whole number, 1 or more" in capsys.readouterr().err
