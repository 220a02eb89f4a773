"""The images, as far as they can be judged without building them: there is no container runtime in these tests."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from tests.deploy.chart.rendering import TOOLS, render, run
from tests.paths import ROOT

DOCKER = ROOT / "deploy/docker"
IMAGES = ("Dockerfile", "Dockerfile.cpu", "Dockerfile.gateway")
EACH = pytest.mark.parametrize("image", IMAGES)


def last_stage(image):
    return re.split(r"^FROM ", (DOCKER / image).read_text(), flags=re.MULTILINE)[-1]


@EACH
def test_hadolint_finds_nothing(image):
    assert run(TOOLS / "bin/hadolint", "--no-color", DOCKER / image) == ""


def test_hadolint_would_find_what_is_wrong(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp\nUSER root\n")
    done = subprocess.run(
        [TOOLS / "bin/hadolint", tmp_path / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert all(rule in done.stdout for rule in ("DL3006", "DL3003", "DL3002"))


@EACH
def test_its_base_is_pinned(image):
    text = (DOCKER / image).read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
    for base in bases:
        named = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base)
        assert re.search(r":\d+\.\d+[\w.-]*$", named), f"{named}: pin it"


def test_triton_is_newer_than_its_known_flaws():
    (release,) = re.findall(r"tritonserver:(\d+\.\d+)-py3", (DOCKER / "Dockerfile").read_text())
    assert float(release) > 25.10  # the last of them, CVE-2025-33201, is mended in 25.10


@EACH
def test_it_does_not_run_as_root_and_says_what_it_is(image):
    stage = last_stage(image)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stage, re.MULTILINE)
    assert 'org.opencontainers.image.version="0.1.0"' in stage
    assert re.search(r'^ENTRYPOINT \["\w+"\]$', stage, re.MULTILINE), "no shell between Kubernetes' SIGTERM and it"


@EACH
def test_it_can_be_made_of_what_the_context_has(image):
    """Every file that is copied exists, and .dockerignore lets it through."""
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.*)$", (DOCKER / image).read_text(), re.MULTILINE):
        *sources, _ = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), f"{image}: {source}"
            assert any(source == each or source.startswith(f"{each}/") for each in let_through), f"{source} is left out"


def test_images_are_named_as_the_chart_asks_for_them():
    names = {re.search(r"--tag (\S+)", (DOCKER / image).read_text())[1] for image in IMAGES}
    rendered = render(values="cpu")
    used = {
        container["image"]
        for each in rendered.of("Deployment")
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert used == names


def test_the_chart_runs_as_the_users_the_images_are_made_for():
    users = {image: re.search(r"^USER (\d+)", last_stage(image), re.MULTILINE)[1] for image in IMAGES}
    rendered = render(values="cpu")
    for deployment, image in (
        ("-triton", "Dockerfile"),
        ("-triton", "Dockerfile.cpu"),
        ("-gateway", "Dockerfile.gateway"),
    ):
        pod = rendered.one("Deployment", deployment)["spec"]["template"]["spec"]
        assert str(pod["securityContext"]["runAsUser"]) == users[image]


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_docker_compose_reads_the_file(profile):
    command = (
        TOOLS / "bin/docker-compose",
        "--file",
        DOCKER / "compose.yaml",
        "--profile",
        profile,
        "config",
        "--format",
        "json",
    )
    read = json.loads(run(*command))
    assert set(read["services"]) == {f"triton-{profile}", "gateway"}
    for service in read["services"].values():
        assert service["build"]["context"] == str(ROOT)
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_compose_confines_what_it_runs_and_stays_on_this_machine():
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert set(services) == {"triton-cpu", "triton-gpu", "gateway"}
    flags = {flag.partition("=")[0] for flag in render(values="gpu").triton()["args"]}
    for name, service in services.items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        if name.startswith("triton"):
            of_its_own = {"--allow-http", "--allow-metrics"}
            assert {flag.partition("=")[0] for flag in service["command"]} - of_its_own <= flags
            assert "--rate-limit=execution_count" in service["command"]


def test_docker_compose_would_refuse_what_is_wrong(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {triton: {image: triton, comand: [tritonserver]}}\n")
    command = [TOOLS / "bin/docker-compose", "--file", tmp_path / "compose.yaml", "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stdout
    assert "comand" in done.stderr
