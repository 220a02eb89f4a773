"""Starting and stopping the real Triton: what it opens, what it says when it can't, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput
from voicestress_triton import (
    ModelLoadError,
    ModelRepositoryError,
    NotReadyError,
    PortInUseError,
    ServerStartError,
    TritonMissingError,
    TritonServer,
)
from voicestress_triton.runtime import check_stub_starts

from tests.deploy.graphs import add_model
from tests.deploy.processes import (
    becomes_true,
    files_open_for_writing,
    group_members,
    leftovers,
    listening_at,
    nothing_new_stays,
)

LOOPBACK = "0100007F"


def address(url: str) -> str:
    """``host:port`` on the loopback interface as /proc/net/tcp writes it."""
    return f"{LOOPBACK}:{int(url.rsplit(':', 1)[1]):04X}"


def command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def ask(server: TritonServer) -> float:
    """Ask the model ``rows`` for the sum of three samples."""
    given = InferInput("PCM", [1, 3], "INT16")
    given.set_data_from_numpy(np.array([[1, 2, 3]], np.int16))
    with InferenceServerClient(server.url) as client:
        return float(client.infer("rows", [given], client_timeout=30).as_numpy("LOGITS")[0, 0])


@pytest.fixture(scope="module")
def plain(one_model: Path) -> Iterator[TritonServer]:
    """A server with nothing but the defaults, started by a thread that has ended since."""
    server = TritonServer(one_model)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    yield server
    server.stop()


def test_it_outlives_the_thread_that_started_it(plain: TritonServer):
    assert not becomes_true(lambda: not group_members(plain.pid), within_s=1.5)
    assert ask(plain) == 6


def test_by_default_it_listens_for_grpc_on_this_machine_and_for_nothing_else(plain: TritonServer):
    assert listening_at(plain.pid) == {address(plain.url)}


def test_services_that_are_off_have_no_address(plain: TritonServer):
    with pytest.raises(ValueError, match="http is off"):
        _ = plain.http_url
    with pytest.raises(ValueError, match="metrics is off"):
        _ = plain.metrics_url


def test_it_knows_its_models_and_version(plain: TritonServer):
    assert plain.models == ["rows (version 1)"]
    assert plain.triton_version.startswith("2.")


def test_it_writes_no_file_not_even_in_a_crash_and_reports_to_nobody(plain: TritonServer):
    ask(plain)
    members = group_members(plain.pid)
    assert len(members) == 2  # Triton and the one instance of its model
    for pid in members:
        assert files_open_for_writing(pid) == set()
        assert "Max core file size        0 " in Path(f"/proc/{pid}/limits").read_text()
        assert b"ORT_DISABLE_TELEMETRY=1\0" in Path(f"/proc/{pid}/environ").read_bytes()


def test_nobody_else_on_the_machine_can_read_the_audio_it_is_sent(plain: TritonServer):
    ask(plain)
    maps = Path(f"/proc/{plain.pid}/maps").read_text().split()
    regions = {Path(word) for word in maps if word.startswith("/dev/shm/voicestress-")}
    assert regions
    assert {region.stat().st_mode & 0o777 for region in regions} == {0o600}
    [flag] = [word for word in command_line(plain.pid) if word.startswith("--backend-directory=")]
    scratch = Path(flag.partition("=")[2]).parent
    assert scratch.stat().st_mode & 0o777 == 0o700


def test_two_servers_of_the_same_models_keep_out_of_each_others_way(plain: TritonServer, one_model: Path):
    with TritonServer(one_model) as second:
        assert second.url != plain.url
        assert ask(second) == 6
    assert ask(plain) == 6


def test_http_metrics_and_a_hardware_variant_are_there_when_asked_for(one_model: Path, tmp_path: Path):
    repository = tmp_path / "a name; touch oops"  # the wheel's Triton hands this path to a shell
    shutil.copytree(one_model, repository)
    before = leftovers()
    with TritonServer(repository, http_port=0, metrics_port=0, model_config_name="cpu2") as server:
        for url, word in (
            (f"{server.http_url}/v2/models/rows/config", '"count":2'),
            (server.metrics_url, "nv_inference"),
        ):
            with urllib.request.urlopen(url, timeout=10) as page:
                assert word in page.read().decode()
        assert len(listening_at(server.pid)) == 3
        assert all(where.startswith(LOOPBACK) for where in listening_at(server.pid))
        pid = server.pid
        assert len(group_members(pid)) == 3
    assert not group_members(pid)
    assert nothing_new_stays(before)
    assert not Path("oops").exists()


def test_a_killed_triton_is_noticed_and_nothing_of_it_stays(one_model: Path):
    before = leftovers()
    with TritonServer(one_model) as server:
        pid = server.pid
        with pytest.raises(TimeoutError):
            server.wait(timeout_s=0.1)
        os.kill(pid, signal.SIGKILL)
        assert server.wait(timeout_s=20) == 128 + signal.SIGKILL
        assert "exit code 137" in str(server.end_error())
        assert not group_members(pid)
        assert nothing_new_stays(before)


def test_when_the_parent_is_killed_triton_goes_too_and_nothing_stays(one_model: Path):
    before = leftovers()
    script = (
        "import sys, time; from voicestress_triton import TritonServer; server = TritonServer(sys.argv[1]).start(); "
        "print(server.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, one_model], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert len(group_members(pid)) == 2
        parent.kill()
    assert becomes_true(lambda: not group_members(pid))
    assert nothing_new_stays(before)


def test_a_server_that_is_not_ready_in_time_is_stopped(one_model: Path):
    before = leftovers()
    with pytest.raises(NotReadyError, match=r"not ready after 0\.01 s"):
        TritonServer(one_model, ready_timeout_s=0.01).start()
    assert nothing_new_stays(before)


@pytest.mark.parametrize("service", ["port", "http_port", "metrics_port"])
def test_a_port_in_use_is_named_before_anything_starts(one_model: Path, service: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"127.0.0.1:{port} is already in use: .* another port"):
            TritonServer(one_model, **{service: port}).start()


@pytest.mark.parametrize(("options", "message"), [({"port": 70_000}, "70000"), ({"address": "192.0.2.1"}, "192.0.2.1")])
def test_an_impossible_address_is_named(one_model: Path, options: dict[str, object], message: str):
    with pytest.raises(ServerStartError, match=message):
        TritonServer(one_model, **options).start()  # type: ignore[arg-type]


def test_a_folder_that_is_no_repository_is_named_with_the_way_out(one_model: Path, tmp_path: Path):
    for folder, message in (
        (tmp_path / "missing", "no such folder"),
        (tmp_path, "no model in it"),
        (one_model / "rows", f"Give its parent folder: {one_model}"),
    ):
        with pytest.raises(ModelRepositoryError, match=message):
            TritonServer(folder).start()


def test_a_hidden_folder_is_named_before_triton_trips_over_it(one_model: Path, tmp_path: Path):
    shutil.copytree(one_model / "rows", tmp_path / "rows")
    (tmp_path / ".rows-abc123").mkdir()
    (tmp_path / ".gitignore").touch()
    with pytest.raises(ModelRepositoryError, match=r"\.rows-abc123: a hidden folder .* move it out"):
        TritonServer(tmp_path).start()


def test_a_hardware_variant_no_model_has_is_an_error_and_not_the_default(one_model: Path):
    with pytest.raises(ModelRepositoryError, match=r"configs/h100\.pbtxt.*there is cpu2"):
        TritonServer(one_model, model_config_name="h100").start()


def test_a_model_name_the_shell_would_read_is_refused(one_model: Path, tmp_path: Path):
    shutil.copytree(one_model / "rows", tmp_path / "my model")
    with pytest.raises(ModelRepositoryError, match="my model: name the model with letters"):
        TritonServer(tmp_path).start()


def test_one_bad_model_among_good_ones_is_named(one_model: Path, tmp_path: Path):
    shutil.copytree(one_model / "rows", tmp_path / "good")
    add_model(tmp_path, "bad")
    before = leftovers()
    with pytest.raises(ModelLoadError, match="model 'bad' can't be loaded: ") as failure:
        TritonServer(tmp_path).start()
    assert list(failure.value.failures) == ["bad"]
    assert nothing_new_stays(before)


def test_without_any_triton_it_says_what_to_install(one_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pytriton", None)  # as if it were not installed
    with pytest.raises(TritonMissingError, match=r"pip install 'voicestress\[local\]'"):
        TritonServer(one_model).start()


def test_an_installed_tritonserver_runs_with_its_own_backends(
    one_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed = tmp_path / "tritonserver"
    installed.write_text('#!/bin/sh\necho "error: called with $*"\nexit 1\n')
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ServerStartError, match="exit code 1: called with ") as failure:
        TritonServer(one_model).start()
    assert f"--model-repository={one_model}" in str(failure.value)
    assert "--allow-http=false" in str(failure.value)
    assert "--backend-directory" not in str(failure.value)


def test_an_interpreter_without_its_shared_library_is_told_what_to_install(tmp_path: Path):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = tmp_path / "stub"
    stub.write_text(
        f"#!/bin/sh\necho 'error while loading shared libraries: libpython{version}.so.1.0: not found' >&2\nexit 127\n"
    )
    stub.chmod(0o755)
    with pytest.raises(TritonMissingError, match=f"apt-get install libpython{version}"):
        check_stub_starts(stub, dict(os.environ))
