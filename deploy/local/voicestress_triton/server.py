"""``TritonServer``: the real Triton as a child of this process, for as long as a ``with`` block runs."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from voicestress_triton.choice import choose_models
from voicestress_triton.errors import NotReadyError, ServerStartError
from voicestress_triton.log import start_error
from voicestress_triton.ports import check_free, hold_free
from voicestress_triton.process import TritonProcess
from voicestress_triton.repository import model_names
from voicestress_triton.runtime import Runtime, is_shell_safe, prepare_runtime, repository_for

_POLL_S = 0.05
_CALL_S = 10.0


class TritonServer:
    """Serves a model repository over gRPC until it is stopped.

    Starting waits until every model is ready; stopping leaves no process, file or shared memory behind. Triton also
    stops when this process dies. HTTP and metrics are off unless they get a port; the port 0 stands for a free one.

    Example:
        >>> with TritonServer("model_repository") as server:
        ...     client = StressClient(server.url)

    Args:
        repository: folder of the models.
        address: IPv4 address or host name to listen on. The wheel's old Triton has known remote flaws: keep it local.
        port: gRPC port.
        http_port: HTTP port, or None for no HTTP.
        metrics_port: port of the Prometheus metrics, or None for no metrics.
        model_config_name: hardware variant, ``configs/<name>.pbtxt`` of each model that has it.
        models: names of the models to serve; by default all that this machine has the packages for (``left_out``).
        response_cache_mb: memory for the answers of models with a response cache, in MB, or None for no cache.
        verbose: copy Triton's log to standard error.
        ready_timeout_s: longest time to start, in seconds.
        exit_timeout_s: longest time that requests in flight are given when it stops, in whole seconds.
    """

    def __init__(
        self,
        repository: str | os.PathLike[str],
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        http_port: int | None = None,
        metrics_port: int | None = None,
        model_config_name: str | None = None,
        models: Sequence[str] | None = None,
        response_cache_mb: int | None = None,
        verbose: bool = False,
        ready_timeout_s: float = 120.0,
        exit_timeout_s: int = 10,
    ) -> None:
        self._repository = Path(repository)
        self._address = address
        self._ports = {"grpc": port, "http": http_port, "metrics": metrics_port}
        self._config_name = model_config_name
        self._wanted = models
        self._cache_mb = response_cache_mb
        self._verbose = verbose
        self._ready_timeout_s = ready_timeout_s
        self._exit_timeout_s = exit_timeout_s
        self._triton: TritonProcess | None = None
        self._models: list[str] = []
        self._left_out: dict[str, str] = {}
        self._triton_version = ""

    @property
    def url(self) -> str:
        """Where the gRPC service listens, as ``host:port``."""
        return self._reachable_at("grpc")

    @property
    def http_url(self) -> str:
        """Root of the HTTP service, as ``http://host:port``. Raises ValueError if it is off."""
        return f"http://{self._reachable_at('http')}"

    @property
    def metrics_url(self) -> str:
        """Address of the Prometheus metrics, as ``http://host:port/metrics``. Raises ValueError if they are off."""
        return f"http://{self._reachable_at('metrics')}/metrics"

    @property
    def models(self) -> list[str]:
        """The models it serves, as ``name (version N)``; none before it is ready."""
        return list(self._models)

    @property
    def left_out(self) -> dict[str, str]:
        """Why the models of the repository that it does not serve are left out, by name."""
        return dict(self._left_out)

    @property
    def triton_version(self) -> str:
        """Version of Triton, such as ``2.51.0``; empty before it is ready."""
        return self._triton_version

    @property
    def pid(self) -> int:
        """Process id of Triton itself."""
        return self._running().pid

    def __enter__(self) -> TritonServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> TritonServer:
        """Start Triton and wait until it is ready.

        Raises:
            ServerStartError: it did not start; the subclass and the message say why (``voicestress_triton.errors``).
        """
        names = model_names(self._repository, self._config_name)
        with ExitStack() as held:
            sharing = self._choose_ports(held)
            # Names this very server, so that another one that answers at the port is not taken for it.
            server_id = f"voicestress-{secrets.token_hex(6)}"
            scratch = _make_scratch()
            try:
                runtime = prepare_runtime(scratch)
                served, self._left_out = choose_models(
                    runtime, self._repository, names, self._wanted, self._config_name
                )
                links = served if self._left_out else None
                self._triton = TritonProcess(
                    [*self._command(runtime, links, scratch, server_id), *sharing],
                    runtime.environment,
                    shm_prefix=server_id,
                    scratch=scratch,
                    exit_timeout_s=self._exit_timeout_s,
                    verbose=self._verbose,
                )
                self._await_ready(self._triton, server_id)
            except BaseException:
                self.stop()
                shutil.rmtree(scratch, ignore_errors=True)
                raise
        return self

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait until Triton has ended, and return its exit code.

        Raises:
            TimeoutError: it still runs after ``timeout_s`` seconds.
        """
        code = self._running().exit_code(timeout_s)
        if code is None:
            raise TimeoutError(f"Triton still runs after {timeout_s} s")
        return code

    def stop(self) -> None:
        """Stop Triton: requests in flight get the exit timeout to finish, then it is killed. Safe to call twice."""
        if self._triton is not None:
            self._triton.stop()
            self._triton = None

    def end_error(self) -> ServerStartError:
        """Why Triton ended, once ``wait`` has returned without anybody calling ``stop``."""
        return start_error(self._running().log.lines(), self.wait())

    def _running(self) -> TritonProcess:
        if self._triton is None:
            raise RuntimeError("the server is not running: start it, or use it in a `with` block")
        return self._triton

    def _reachable_at(self, service: str) -> str:
        port = self._ports[service]
        if port is None:
            raise ValueError(f"{service} is off: give the server a {service}_port")
        host = "127.0.0.1" if self._address == "0.0.0.0" else self._address  # noqa: S104
        return f"{host}:{port}"

    def _choose_ports(self, held: ExitStack) -> list[str]:
        """Check the ports asked for, choose those that are 0, and return the flags that let Triton share held ones."""
        flags = []
        for service, port in self._ports.items():
            if port is None:
                continue
            if port:
                check_free(self._address, port, service)
                continue
            chosen = held.enter_context(hold_free(self._address, service))
            self._ports[service] = chosen.getsockname()[1]
            if service == "metrics":
                chosen.close()  # Triton can't share this one
            else:
                flags.append(f"--reuse-{service}-port=true")
        return flags

    def _command(self, runtime: Runtime, served: list[str] | None, scratch: Path, server_id: str) -> list[str]:
        grpc, http, metrics = (self._ports[service] for service in ("grpc", "http", "metrics"))
        command = [
            str(runtime.binary),
            *runtime.flags,
            f"--id={server_id}",
            f"--model-repository={repository_for(runtime, self._repository, scratch, served)}",
            "--model-control-mode=none",
            "--strict-readiness=true",
            "--rate-limit=execution_count",  # instances that share a resource take turns, as their configurations say
            f"--exit-timeout-secs={self._exit_timeout_s}",
            f"--backend-config=python,shm-region-prefix-name={server_id}-",
            f"--grpc-address={self._address}",
            f"--grpc-port={grpc}",
        ]
        if self._config_name is not None:
            command.append(f"--model-config-name={self._config_name}")
        if self._cache_mb is not None:
            command += runtime.cache_flags(self._cache_mb)
        if http is None:
            command.append("--allow-http=false")
        else:
            command += [f"--http-address={self._address}", f"--http-port={http}"]
        if metrics is None:
            command.append("--allow-metrics=false")
        else:
            command += [f"--metrics-address={self._address}", f"--metrics-port={metrics}"]
            if not Path("/dev/nvidiactl").exists():
                command.append("--allow-gpu-metrics=false")
        return command

    def _await_ready(self, triton: TritonProcess, server_id: str) -> None:
        deadline = time.monotonic() + self._ready_timeout_s
        while time.monotonic() < deadline:
            code = triton.exit_code(_POLL_S)
            if code is not None:
                raise start_error(triton.log.lines(), code)
            if self._is_ready(server_id):
                return
        raise NotReadyError(
            f"{self._repository}: Triton is not ready after {self._ready_timeout_s:g} s; it last said: "
            f"{next(reversed(triton.log.lines()), 'nothing')}"
        )

    def _is_ready(self, server_id: str) -> bool:
        # Triton opens gRPC first and then the others. And a gRPC channel that is refused waits longer and longer
        # before it tries again; a plain connection does not.
        try:
            for service, port in self._ports.items():
                if port is not None:
                    host = self._reachable_at(service).rpartition(":")[0]
                    socket.create_connection((host, port), timeout=_CALL_S).close()
        except OSError:
            return False
        from tritonclient.utils import InferenceServerException

        with _client(self.url) as client:
            try:
                answering = client.get_server_metadata(client_timeout=_CALL_S)
                if answering.name != server_id or not client.is_server_ready(client_timeout=_CALL_S):
                    return False
                index = client.get_model_repository_index(client_timeout=_CALL_S).models
            except InferenceServerException:
                return False
        self._triton_version = answering.version
        self._models = sorted(f"{model.name} (version {model.version})" for model in index if model.state == "READY")
        return True


def _client(url: str) -> Any:
    """A Triton client, to be used in a ``with`` block."""
    from tritonclient.grpc import InferenceServerClient

    return InferenceServerClient(url)


def _make_scratch() -> Path:
    """A new folder for this run, at a path that Triton's unquoted shell commands can bear (see ``repository_for``)."""
    parent = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="voicestress-triton-", dir=parent if is_shell_safe(Path(parent)) else "/tmp"))  # noqa: S108
