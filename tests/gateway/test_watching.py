"""What those see who run it: logs, metrics, the OpenAPI document, the page's policy, the command's options."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import httpx
import pytest
from voicestress import Tls
from voicestress_gateway import command as gateway_command
from voicestress_gateway import settings as gateway_settings
from voicestress_gateway.server_options import read_connection
from voicestress_gateway.settings import GatewaySettings, read_settings
from voicestress_gateway.website import content_security_policy

from tests.gateway.conftest import running
from tests.paths import MODEL_REPOSITORY


def test_logs_hold_no_file_name_and_no_score(gateway, jfk):
    files = {"file": ("patient-jane-doe.wav", jfk)}
    headers = {"x-request-id": "its-own-id"}
    url = f"{gateway.url}/v1/analyses?secret=in-the-query"
    report = httpx.post(url, files=files, headers=headers, timeout=60).json()
    httpx.post(url, files={"file": ("patient-jane-doe.wav", jfk[:-1000])})
    httpx.get(f"{gateway.url}/patient-jane-doe.wav")
    text = gateway.log_path.read_text()
    assert "its-own-id" in text
    assert "jane" not in text
    assert "in-the-query" not in text
    for score in (report["stress_level"], *report["emotions"].values()):
        assert f"{score:.2f}" not in re.sub(r'"(time|duration_ms)": [^,}]*', "", text)
    for line in gateway.log():  # each is JSON
        assert {"time", "level", "event"} <= set(line)


def test_metrics_count_what_happens(gateway, jfk):
    def read():
        names = ("requests_total", "request_seconds_count", "audio_seconds_total", "rejections_total")
        return {name: gateway.metric(name) for name in names}

    before = read()
    httpx.post(f"{gateway.url}/v1/analyses", files={"file": jfk}, timeout=60)
    httpx.post(f"{gateway.url}/v1/analyses", files={"file": b"nothing"})
    after = read()
    assert after["audio_seconds_total"] - before["audio_seconds_total"] == pytest.approx(11.0)
    assert after["rejections_total"] - before["rejections_total"] == 1
    assert after["requests_total"] - before["requests_total"] >= 2
    assert gateway.metric('rejections_total{reason="unsupported-media-type"}') >= 1
    assert gateway.metric("in_flight") == 0
    text = httpx.get(f"{gateway.url}/metrics").text
    own = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(line.startswith("voicestress_gateway_") for line in own)


def test_paths_that_are_made_up_make_no_new_metrics(gateway):
    for number in range(5):
        httpx.get(f"{gateway.url}/made-up/{number}")
    assert "made-up" not in httpx.get(f"{gateway.url}/metrics").text


def test_every_error_is_documented_with_an_example(gateway):
    document = httpx.get(f"{gateway.url}/openapi.json").json()
    for path in ("/v1/analyses", "/analyze-stress"):
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "400", "401", "408", "413", "415", "422", "429", "500", "503", "504"} <= set(responses)
        for status, response in responses.items():
            if status != "200":
                for content in response["content"].values():
                    assert content["examples"]
    body = document["paths"]["/v1/analyses"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "audio/*", "application/octet-stream"} <= set(body)


def test_every_answer_has_the_security_headers(gateway):
    for path in ("/", "/healthz", "/nowhere", "/openapi.json"):
        headers = httpx.get(gateway.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_the_page_runs_its_own_scripts_and_no_others(gateway):
    response = httpx.get(gateway.url)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy == content_security_policy(response.text)
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    # printf '\nb\n' | openssl dgst -sha256 -binary | base64
    hashed = "script-src 'sha256-5u1fIKMXKQ46ulUkDeSKZ+xmkP0iq3GhMyrJ/dvDjMU=' blob:"
    assert hashed in content_security_policy("<style>a</style><script>\r\nb\n</script>")


def test_other_origins_may_ask_only_if_they_are_named(server, logs_folder):
    with running(logs_folder, server.url, "--origins", "https://app.example") as open_to_one:
        for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
            preflight = httpx.options(
                f"{open_to_one.url}/v1/analyses",
                headers={
                    "origin": origin,
                    "access-control-request-method": "POST",
                    "access-control-request-headers": "authorization",
                },
            )
            assert (preflight.headers.get("access-control-allow-origin") == origin) is allowed


def test_readiness_follows_the_model(logs_folder):
    from voicestress_triton import TritonServer

    with TritonServer(MODEL_REPOSITORY, models=["stress"]) as triton, running(logs_folder, triton.url) as gateway:
        assert httpx.get(f"{gateway.url}/readyz").json() == {"status": "ready"}
        triton.stop()
        end_s = time.monotonic() + 15
        while httpx.get(f"{gateway.url}/readyz").status_code == 200 and time.monotonic() < end_s:
            time.sleep(0.1)
        assert httpx.get(f"{gateway.url}/readyz").status_code == 503
        assert httpx.get(f"{gateway.url}/healthz").status_code == 200


def test_settings_come_from_options_then_the_environment_then_the_defaults():
    parser = argparse.ArgumentParser()
    gateway_settings.add_arguments(parser)
    environment = {
        "VOICESTRESS_GATEWAY_PORT": "9000",
        "VOICESTRESS_GATEWAY_BODY_MB": "5",
        "VOICESTRESS_GATEWAY_ORIGINS": "https://a.example, https://b.example/",
        "VOICESTRESS_GATEWAY_WITHOUT_KEYS": "true",
    }
    settings = read_settings(parser.parse_args(["--port", "9001"]), environment)
    assert (settings.port, settings.body_mb, settings.host) == (9001, 5, "127.0.0.1")
    assert settings.origins == ("https://a.example", "https://b.example")
    assert settings.without_keys
    for wrong in ({"PORT": "x"}, {"BODY_MB": "0"}, {"IDLE_S": "-1"}, {"DRAIN_DELAY_S": "99"}, {"WITHOUT_KEYS": "2"}):
        with pytest.raises(ValueError):
            read_settings(
                parser.parse_args([]), {f"VOICESTRESS_GATEWAY_{name}": value for name, value in wrong.items()}
            )


def gateway_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    gateway_command.add_arguments(parser)
    return parser


# What each option of the servers may be told, and where it arrives.
SERVERS = {
    "URL": ("a:1, b:2", "url", ["a:1", "b:2"]),
    "MODEL": ("other", "model", "other"),
    "DEADLINE_S": ("2.5", "deadline_s", 2.5),
    "TLS": ("true", "tls", Tls()),
    "TLS_CA": ("ca.pem", "tls", Tls(ca=Path("ca.pem"))),
    "TLS_SERVER_NAME": ("triton", "tls", Tls(server_name="triton")),
}


@pytest.mark.parametrize("name", SERVERS)
def test_where_the_servers_are_may_stand_in_the_environment(name):
    text, setting, expected = SERVERS[name]
    read = read_connection(gateway_parser().parse_args([]), {f"VOICESTRESS_GATEWAY_{name}": text})
    assert read[setting] == expected
    nothing = read_connection(gateway_parser().parse_args([]), {})
    assert {name: nothing[name] for name in ("url", "model", "deadline_s", "tls")} == {
        "url": "localhost:8001",
        "model": "stress",
        "deadline_s": 30.0,
        "tls": None,
    }


def test_a_token_and_a_certificate_may_be_named_in_the_environment(tmp_path):
    (tmp_path / "token").write_text("secret")
    environment = {
        "VOICESTRESS_GATEWAY_TOKEN_FILE": str(tmp_path / "token"),
        "VOICESTRESS_GATEWAY_TLS_CERTIFICATE": "its.pem",
        "VOICESTRESS_GATEWAY_TLS_KEY": "its.key",
    }
    read = read_connection(gateway_parser().parse_args([]), environment)
    assert read["token"]() == "secret"
    assert read["tls"] == Tls(certificate=Path("its.pem"), key=Path("its.key"))


def test_an_option_counts_more_than_its_variable():
    given = ["--url", "c:3", "--model", "mine", "--deadline-s", "1"]
    environment = {f"VOICESTRESS_GATEWAY_{name}": text for name, (text, _, _) in SERVERS.items() if "TLS" not in name}
    read = read_connection(gateway_parser().parse_args(given), environment)
    assert (read["url"], read["model"], read["deadline_s"]) == (["c:3"], "mine", 1.0)
    for name, wrong in (("DEADLINE_S", "soon"), ("DEADLINE_S", "-1"), ("TLS", "perhaps")):
        with pytest.raises(ValueError, match=name if name != "TLS" else "tls is 'perhaps'"):
            read_connection(gateway_parser().parse_args([]), {f"VOICESTRESS_GATEWAY_{name}": wrong})


def test_a_gateway_is_told_everything_by_its_environment(server, logs_folder):
    environment = {"VOICESTRESS_GATEWAY_URL": server.url, "VOICESTRESS_GATEWAY_BODY_MB": "1"}
    with running(logs_folder, None, environment=environment) as told:
        assert httpx.get(f"{told.url}/readyz").status_code == 200


def test_help_names_every_setting_and_where_it_may_stand():
    shown = subprocess.run([sys.executable, "-m", "voicestress", "gateway", "--help"], capture_output=True, text=True)
    for field in fields(GatewaySettings):
        assert f"--{field.name.replace('_', '-')}" in shown.stdout
    for name in ("KEYS", "KEY_RATE", "URL"):
        assert f"VOICESTRESS_GATEWAY_{name}" in shown.stdout
    options = {action.dest for action in gateway_parser()._actions} - {"help"}
    tested = {name.lower() for name in SERVERS} | {"token_file", "tls_certificate", "tls_key"}
    assert options == {field.name for field in fields(GatewaySettings)} | tested


def test_a_port_that_is_taken_is_said(server, gateway):
    port = gateway.address.rpartition(":")[2]
    command = [sys.executable, "-m", "voicestress", "gateway", "--port", port, "--url", server.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
