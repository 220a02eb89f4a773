"""Which models of a repository are served."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from voicestress_triton import ModelRepositoryError, TritonServer
from voicestress_triton.choice import choose_models
from voicestress_triton.runtime import Runtime

from tests.deploy.graphs import CONFIG, add_model, ragged_rows

WHEEL = Runtime(Path("tritonserver"), (), {}, from_wheel=True)
INSTALLED = Runtime(Path("tritonserver"), (), {}, from_wheel=False)
NAMES = ["rows", "twin"]


@pytest.fixture(scope="module")
def two_models(tmp_path_factory) -> Path:
    """A repository of an ONNX model and one for the pytorch backend."""
    repository = tmp_path_factory.mktemp("two")
    add_model(repository, "rows", ragged_rows())
    add_model(repository, "twin", b"", CONFIG.replace("onnxruntime", "pytorch"))
    return repository


@pytest.fixture
def no_torch(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))


def choose(runtime, repository, wanted=None):
    return choose_models(runtime, repository, NAMES, wanted, None)


def test_all_models_are_served_where_nothing_is_missing(two_models):
    assert choose(WHEEL, two_models) == (NAMES, {})


@pytest.mark.usefixtures("no_torch")
def test_a_model_whose_backend_lacks_its_package_here_is_left_out_with_the_reason(two_models):
    served, left_out = choose(WHEEL, two_models)
    assert served == ["rows"]
    assert "needs the package torch here (pip install" in left_out["twin"]


@pytest.mark.usefixtures("no_torch")
def test_nvidia_s_own_backends_need_no_package(two_models):
    assert choose(INSTALLED, two_models) == (NAMES, {})


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize("wanted", [["twin"], ["rows", "twin"]])
def test_a_model_that_was_asked_for_is_not_left_out_in_silence(two_models, wanted):
    with pytest.raises(ModelRepositoryError, match=r"model 'twin' can't be served: .* needs the package torch"):
        choose(WHEEL, two_models, wanted)


def test_a_model_that_is_not_there_is_named_with_those_that_are(two_models):
    with pytest.raises(ModelRepositoryError, match="no model named 'stress'; there is rows, twin"):
        choose(WHEEL, two_models, ["stress"])


def test_triton_serves_the_model_asked_for_and_no_other(two_models):
    with TritonServer(two_models, models=["rows"]) as server:
        assert server.models == ["rows (version 1)"]
        assert server.left_out == {"twin": "not asked for"}
