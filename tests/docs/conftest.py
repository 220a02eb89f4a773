"""The programs of docs/wire, ready to run: Node's with what its lock file names, Go's with Debian's libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from tests.paths import ROOT

WIRE = ROOT / "docs" / "wire"
# Node comes with the environment that the tests run in, and goes first.
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
GO_TOOLS = ("go", "protoc-gen-go", "protoc-gen-go-grpc")
DEBIAN_GO_LIBRARIES = Path("/usr/share/gocode")


@dataclass(frozen=True)
class Program:
    """A program of docs/wire: the words that start it, and what of the environment it needs."""

    command: Sequence[str | Path]
    options: str
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, window: Path, *, url: str, model: str = "group_norm", deadline_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """What it says to the WAV file ``window``."""
        settings = {"url": url, "model": model, "deadline": deadline_s}
        words = [word for name, value in settings.items() for word in (f"{self.options}{name}", str(value))]
        return subprocess.run(
            [*self.command, *words, window],
            env=os.environ | {"PATH": SEARCH_PATH} | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def install_node(folder: Path) -> Program:
    shutil.copy(WIRE / "inference.proto", folder)
    shutil.copytree(WIRE / "node", folder / "node", ignore=shutil.ignore_patterns("node_modules"))
    node, npm = (shutil.which(name, path=SEARCH_PATH) for name in ("node", "npm"))
    assert node, "no Node.js: make test installs it"
    assert npm, "no npm: make test installs it"
    subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder / "node",
        env=os.environ | {"PATH": SEARCH_PATH},
        check=True,
        timeout=200,
    )
    return Program([node, folder / "node" / "score.mjs"], options="--")


def build_go(folder: Path) -> Program:
    """Built without modules, against the grpc-go that Debian packages."""
    missing = [tool for tool in GO_TOOLS if not shutil.which(tool)]
    if not (DEBIAN_GO_LIBRARIES / "src" / "google.golang.org" / "grpc").exists():
        missing.append("golang-google-grpc-dev")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    source = folder / "src" / "score"
    shutil.copytree(WIRE / "go", source)
    shutil.copy(Path(__file__).with_name("debian_connect.go"), source / "connect.go")
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={WIRE}", "--go_out=.", "--go-grpc_out=."]
    subprocess.run([*protoc, "inference.proto"], cwd=source, check=True, timeout=60)
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": f"{folder}:{DEBIAN_GO_LIBRARIES}", "CGO_ENABLED": "0"}
    for command in (["vet"], ["build", "-o", folder / "score"]):
        subprocess.run(["go", *command, "score"], cwd=source, env=environment, check=True, timeout=280)
    # On by default since grpc-go 1.40.
    return Program([folder / "score"], options="-", environment={"GRPC_GO_RETRY": "on"})


BUILDERS = {"node": install_node, "go": build_go}


# Go builds grpc-go first, for half a minute.
@pytest.fixture(scope="session", params=["node", pytest.param("go", marks=pytest.mark.slow)])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return BUILDERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def stub(server):
    """Triton's calls, as gRPC has them."""
    with grpc.insecure_channel(server.url) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)
