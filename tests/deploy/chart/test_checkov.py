"""checkov's checks for Kubernetes on everything the chart renders: no finding without a written reason."""

from __future__ import annotations

import json
import re

import pytest

from tests.deploy.chart.rendering import VALUES, render, run
from tests.paths import ROOT

CHECKOV = ROOT / ".venv/checkov/bin/checkov"
TEST_POD = r"Pod\.stress\..*-test"
# check, where it is found, and why it does not apply there
REASONS = [
    (
        "CKV_K8S_8",
        TEST_POD,
        "the pod of `helm test` scores one recording and ends: its exit code is all there is to probe",
    ),
    ("CKV_K8S_9", TEST_POD, "the same"),
    (
        "CKV_K8S_11",
        ".*",
        "no CPU limit: it would throttle a batch half way while cores stand idle, and requests are shares; Triton gets "
        "one by triton.resources.cpuLimit",
    ),
    (
        "CKV_K8S_15",
        ".*",
        "a version's image does not change, and with Always no replica could come while the registry is away; where "
        "nodes are shared with strangers, pullPolicy is a value",
    ),
    (
        "CKV_K8S_35",
        ".*-(triton|triton-canary|archive)",
        "keys for a bucket, where no cloud identity (serviceAccount.annotations) makes them needless: Triton and s3fs "
        "read AWS_… from the environment",
    ),
    (
        "CKV_K8S_40",
        ".*-(triton|triton-canary)",
        "1000 is the user of NVIDIA's image; a host's user of that number is only another name, for the container has "
        "no volume of the host; any other works too: triton.runAsUser",
    ),
    ("CKV_K8S_43", ".*", "pinned by version; by digest where a release sets image.digest, which a chart can't know"),
]


@pytest.mark.timeout(170)
def test_checkov_finds_nothing_that_has_no_reason(tmp_path):
    for values in VALUES:
        (tmp_path / f"{values}.yaml").write_text(render(values=values).text)
    options = ("--framework", "kubernetes", "--output", "json", "--quiet", "--soft-fail")
    answer = json.loads(run(CHECKOV, "--directory", tmp_path, *options))
    assert answer["summary"]["passed"] > 500
    unexplained, needed = [], set()
    for each in answer["results"]["failed_checks"]:
        check, resource = each["check_id"], each["resource"]
        reasons = [known for known in REASONS if known[0] == check and re.fullmatch(known[1], resource)]
        needed.update(reasons)
        if not reasons:
            unexplained.append(f"{check} {each['check_name']}: {each['file_path']} {resource}")
    assert not unexplained, "\n".join(unexplained)
    assert set(REASONS) == needed, f"explained, but not found any more: {set(REASONS) - needed}"
