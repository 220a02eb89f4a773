from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.chart.rendering import Rendered
from tests.deploy.chart.servers import ChartTriton, baked_models, install_cpu_image

Start = Callable[..., ChartTriton]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder needs the tools that `make chart` installs."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chart)


@pytest.fixture(scope="session")
def cpu_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the ``tritonserver`` of deploy/docker/Dockerfile.cpu."""
    return install_cpu_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has baked in."""
    return baked_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def start(cpu_image: Path, models: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the Triton of a rendered release, and stops it afterwards."""
    with ExitStack() as running:
        number = 0

        def started(rendered: Rendered, folders: dict[str, Path] | None = None, **where_to: Any) -> ChartTriton:
            nonlocal number
            number += 1
            where = {"/models": models, **(folders or {})}
            triton = ChartTriton(rendered.triton(), cpu_image, tmp_path / f"triton-{number}.log", where, **where_to)
            running.callback(triton.stop)
            return triton

        yield started
