"""Starts what the chart renders on this machine: its Triton container, as the CPU image has it, and its Envoy."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.deploy.chart.rendering import Manifest
from tests.paths import MODEL_REPOSITORY, ROOT

# The kernel hands out ports for the other end of connections from 32768 on: these are not taken by chance.
_PORTS = iter(range(21_000 + os.getpid() % 100 * 80, 32_000))


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on, and that this process has not given before."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}"
        time.sleep(0.1)


def http_status(url: str) -> int:
    """The status of a GET, 0 if nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def install_cpu_image(folder: Path) -> Path:
    """The folder of a ``tritonserver`` as in deploy/docker/Dockerfile.cpu, made by the very script that it runs."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "deploy/docker/install_tritonserver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install(folder / "runtime", folder / "bin" / "tritonserver")
    return folder / "bin"


def baked_models(folder: Path) -> Path:
    """``folder`` with what the images have baked in: the ONNX model alone."""
    (folder / "stress").symlink_to(MODEL_REPOSITORY / "stress")
    return folder


class Process:
    """A program with its log in a file; ``stop`` ends it and all it started."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command, env=dict(environment), stdout=output, stderr=output, start_new_session=True
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal the program alone, as Kubernetes does."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self, seconds: float = 20.0) -> None:
        if self.is_running:
            self.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.wait(seconds)
        self.kill()


class ChartTriton(Process):
    """A container of the chart's Triton, run as a process: its own command line, but for ports and folders.

    Args:
        container: as rendered.
        bin_folder: where the ``tritonserver`` of the CPU image is.
        folders: what is mounted where: path in the container to path here.
        address: of the loopback device; a pod has one of its own.
        grpc_port: the port for gRPC, where several replicas share one as pods do.
    """

    def __init__(
        self,
        container: Manifest,
        bin_folder: Path,
        log: Path,
        folders: Mapping[str, Path],
        *,
        address: str = "127.0.0.1",
        grpc_port: int | None = None,
    ) -> None:
        self.address = address
        self.ports = {"grpc": grpc_port or free_port(), "http": free_port(), "metrics": free_port()}
        self.admin_key = str(uuid.uuid4())
        self.prefix = f"chart-{uuid.uuid4().hex[:8]}"
        given = {each["name"]: each.get("value", self.admin_key) for each in container["env"]}
        arguments = [self._here(each, given, folders) for each in container["args"]]
        assert container["command"] == ["tritonserver"]
        # A pod has addresses and shared memory of its own.
        arguments += [f"--{name}-address={address}" for name in self.ports]
        arguments.append(f"--backend-config=python,shm-region-prefix-name={self.prefix}-")
        environment = {**os.environ, **given, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
        super().__init__([str(bin_folder / "tritonserver"), *arguments], environment, log)
        self.container = container

    @property
    def url(self) -> str:
        return f"{self.address}:{self.ports['grpc']}"

    @property
    def http(self) -> str:
        return f"http://{self.address}:{self.ports['http']}"

    @property
    def _metrics_address(self) -> str:
        return f"http://{self.address}:{self.ports['metrics']}"

    @property
    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self._metrics_address}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def await_ready(self) -> None:
        """Ask as the rendered readiness probe does."""
        path = self.container["readinessProbe"]["httpGet"]["path"]

        def is_ready() -> bool:
            assert self.is_running, self.log.read_text()[-3000:]
            # Its metrics are the last that it opens.
            return http_status(self.http + path) == 200 and http_status(f"{self._metrics_address}/metrics") == 200

        wait_until(is_ready, 60, f"ready: {self.log}")

    def kill(self) -> None:
        super().kill()
        for region in Path("/dev/shm").glob(f"{self.prefix}*"):
            region.unlink(missing_ok=True)

    def _here(self, argument: str, given: Mapping[str, str], folders: Mapping[str, Path]) -> str:
        for name, port in self.ports.items():
            argument = re.sub(rf"^--{name}-port=\d+$", f"--{name}-port={port}", argument)
        for name, value in given.items():
            argument = argument.replace(f"$({name})", value)
        for there, here in folders.items():
            argument = argument.replace(f"={there}", f"={here}")
        return argument


def envoy_here(config: dict[str, Any], *, port: int, dns_port: int) -> dict[str, int]:
    """Change a rendered Envoy configuration to run here: its own addresses, and whom it asks for names.

    Returns its ports by listener. The replicas are on ``port`` of what the headless Service's name stands for.
    """
    ports = {"admin": free_port()}
    config["admin"]["address"]["socket_address"]["port_value"] = ports["admin"]
    for listener in config["static_resources"]["listeners"]:
        ports[listener["name"]] = free_port()
        listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": ports[listener["name"]]}
    admin, triton = config["static_resources"]["clusters"]
    for cluster, number in ((admin, ports["admin"]), (triton, port)):
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"]["port_value"] = number
    triton["typed_dns_resolver_config"] = {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
            "resolvers": [{"socket_address": {"address": "127.0.0.1", "port_value": dns_port}}],
        },
    }
    return ports
