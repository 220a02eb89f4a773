"""docs/wire.md and its proto file say what Triton's own messages and a real Triton say."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from voicestress import StressClient
from voicestress.contract import StressContract

from tests.client.test_client import closed_port
from tests.conftest import CROWDED_MODEL
from tests.docs.conftest import WIRE
from tests.paths import ROOT

DOC = (ROOT / "docs" / "wire.md").read_text()
LONG = 3 * 16_000


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOC, flags=re.MULTILINE | re.DOTALL)


PROSE = re.sub(r"^```.*?^```$", "", DOC, flags=re.MULTILINE | re.DOTALL)
PRINTED, CONFIG_REQUEST, CONFIG_ANSWER, REQUEST, ANSWER = blocks("json")


def table(heading):
    """The rows, as lists of cells, of the table that begins with ``heading``."""
    lines = DOC[DOC.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def logits_in(raw):
    """The logits in an answer's ``rawOutputContents``."""
    return np.frombuffer(base64.b64decode(raw), dtype="<f4")


def shown_contract():
    parameters = json.loads(CONFIG_ANSWER)["config"]["parameters"]
    texts = {key: parameter["stringValue"] for key, parameter in parameters.items()}
    return StressContract.from_parameters(texts, model="shown")


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    """What inference.proto declares."""
    compiled = tmp_path_factory.mktemp("protocol") / "inference.pb"
    command = ["-m", "grpc_tools.protoc", f"--proto_path={WIRE}", f"--descriptor_set_out={compiled}", "inference.proto"]
    subprocess.run([sys.executable, *command], check=True, timeout=60)
    pool = DescriptorPool()
    pool.Add(FileDescriptorSet.FromString(compiled.read_bytes()).file[0])
    return pool.FindFileByName("inference.proto")


@pytest.fixture(scope="module")
def grpcurl(server, protocol):
    """Calls a method with JSON and gives its answer as JSON, by what inference.proto declares, as grpcurl does."""
    (service,) = protocol.services_by_name.values()
    with grpc.insecure_channel(server.url) as channel:

        def call(method, text):
            declared = service.methods_by_name[method]
            send, receive = GetMessageClass(declared.input_type), GetMessageClass(declared.output_type)
            asked = channel.unary_unary(
                f"/{service.full_name}/{method}",
                request_serializer=send.SerializeToString,
                response_deserializer=receive.FromString,
            )
            return json_format.MessageToDict(asked(json_format.Parse(text, send()), timeout=60))

        yield call


def messages(*files):
    """The messages of proto files by their full names, nested ones too."""
    waiting = [message for file in files for message in file.message_types_by_name.values()]
    found = {}
    while waiting:
        message = waiting.pop()
        found[message.full_name] = message
        waiting += message.nested_types
    return found


def test_every_field_is_triton_s(protocol):
    def facts(field):
        within, of = field.containing_oneof, field.message_type
        return field.name, field.number, field.type, field.is_repeated, within and within.name, of and of.full_name

    theirs = messages(service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR)
    fields = [field for message in messages(protocol).values() for field in message.fields]
    assert len(fields) > 20
    for field in fields:
        assert facts(field) == facts(theirs[field.containing_type.full_name].fields_by_name[field.name])


def test_every_call_is_triton_s(protocol):
    (service,) = protocol.services_by_name.values()
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert service.full_name == theirs.full_name
    assert {method.name for method in service.methods} == {"ModelConfig", "ModelInfer"}
    for method in service.methods:
        their = theirs.methods_by_name[method.name]
        assert method.input_type.full_name == their.input_type.full_name
        assert method.output_type.full_name == their.output_type.full_name


def test_the_configuration_has_the_contract_as_shown(grpcurl):
    served = grpcurl("ModelConfig", CONFIG_REQUEST)["config"]["parameters"]
    shown = json.loads(CONFIG_ANSWER)
    assert set(shown["config"]["parameters"]) == {key for key in served if key.startswith("stress_")}
    parameters = {key: {"stringValue": text} for key, text in shown_contract().to_parameters().items()}
    assert shown == {"config": {"parameters": parameters}}


def test_every_parameter_is_explained_once():
    explained = [name for row in table("| parameter |") for name in re.findall(r"`stress_(\w+)`", row[0])]
    assert sorted(explained) == sorted(StressContract.model_fields)


def test_the_request_is_answered_as_shown(grpcurl, server, speech):
    size = int(re.search(r"<the window's (\d+) bytes in base64>", REQUEST).group(1))
    window = speech[8_000 : 8_000 + size // 2]
    sent = re.sub(r"<the window's .* in base64>", base64.b64encode(window.tobytes()).decode(), REQUEST)
    answer, shown = grpcurl("ModelInfer", sent), json.loads(ANSWER)
    (raw,), (shown_raw,) = (each.pop("rawOutputContents") for each in (answer, shown))
    assert len(raw) == len(shown_raw)
    assert answer == shown
    with StressClient(server.url, model="stress") as client:
        contract = client.contract()
        level = contract.levels(contract.emotions(logits_in(raw)))
        expected = client.analyze((window, 16_000), speech_detection=False).stress_level
    assert level == pytest.approx(expected, abs=1e-3)


def test_the_numbers_follow_from_the_answer_shown():
    contract = shown_contract()
    logits = logits_in(*json.loads(ANSWER)["rawOutputContents"])
    emotions = contract.emotions(logits)
    level = float(contract.levels(emotions))
    said = re.search(r"^The answer above,.*$", DOC, flags=re.MULTILINE).group()
    assert re.findall(r"-?\d+\.\d+", said) == [f"{number:.2f}" for number in (*logits, *emotions, level)]
    printed = json.loads(PRINTED)
    assert printed["emotions"] == pytest.approx(dict(zip(contract.labels, emotions, strict=True)), abs=1e-3)
    assert (printed["level"], printed["status"]) == (pytest.approx(level, abs=1e-3), contract.status(level))


@pytest.mark.parametrize("language", ["js", "go"])
def test_what_is_shown_of_a_program_is_in_it(language):
    files = [file.read_text() for file in WIRE.rglob("*") if file.suffix in {".mjs", ".go"}]
    shown = blocks(language)
    assert shown
    for block in shown:
        assert any(block in text for text in files), block


def test_every_file_that_is_named_is_there():
    named = [name for name in re.findall(r"\]\(([^)]+)\)", PROSE) if not name.startswith(("https://", "#"))]
    assert named
    for name in named:
        assert (ROOT / "docs" / name).exists(), name


def request_for(samples, *, model="stress", **changes):
    tensor = {"name": "PCM", "datatype": "INT16", "shape": [1, samples]} | changes
    return service_pb2.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[bytes(2 * samples)])


def fail_by_a_full_queue(stub):
    futures = [stub.ModelInfer.future(request_for(LONG, model=CROWDED_MODEL), timeout=60) for _ in range(4)]
    return next(error for error in [future.exception() for future in futures] if error)


def fail_by_a_time_out_in_the_queue(stub):
    ahead = [stub.ModelInfer.future(request_for(LONG, model="group_norm"), timeout=60) for _ in range(60)]
    hasty = request_for(LONG, model="group_norm")
    hasty.parameters["timeout"].int64_param = 1000
    error = stub.ModelInfer.future(hasty, timeout=60).exception()
    assert all(future.exception() is None for future in ahead)
    return error


def fail_by_a_closed_port(stub):
    with grpc.insecure_channel(f"127.0.0.1:{closed_port()}") as channel:
        nobody = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        return nobody.ModelInfer.future(request_for(LONG), timeout=60).exception()


def fail_by_a_deadline(stub):
    return stub.ModelInfer.future(request_for(LONG, model=CROWDED_MODEL), timeout=0.2).exception()


def fail_by_an_unknown_model(stub):
    return stub.ModelInfer.future(request_for(LONG, model="nobody"), timeout=60).exception()


def fail_by_asking_an_unknown_model_for_its_configuration(stub):
    return stub.ModelConfig.future(service_pb2.ModelConfigRequest(name="nobody"), timeout=60).exception()


def fail_by_floats(stub):
    return stub.ModelInfer.future(request_for(LONG, datatype="FP32"), timeout=60).exception()


def fail_by_too_few_bytes(stub):
    return stub.ModelInfer.future(request_for(LONG, shape=[1, LONG + 1]), timeout=60).exception()


def fail_by_a_missing_dimension(stub):
    return stub.ModelInfer.future(request_for(LONG, shape=[LONG]), timeout=60).exception()


FAILURES = {
    "overloaded: the queue is full": [fail_by_a_full_queue],
    "overloaded: `timeout` passed before its turn": [fail_by_a_time_out_in_the_queue],
    "nothing answers, or the server is starting or stopping": [fail_by_a_closed_port],
    "the call's own deadline passed": [fail_by_a_deadline],
    "no model of that name": [fail_by_an_unknown_model, fail_by_asking_an_unknown_model_for_its_configuration],
    "`PCM` is not INT16": [fail_by_floats],
    "bytes and shape don't agree": [fail_by_too_few_bytes],
    "the request is wrong in another way": [fail_by_a_missing_dimension],
}


@pytest.mark.parametrize(("meaning", "fail"), [(meaning, fail) for meaning, all_ in FAILURES.items() for fail in all_])
def test_a_failure_is_told_as_the_table_has_it(stub, meaning, fail):
    error = fail(stub)
    rows = [row for row in table("| status |") if row[0].strip("`") == error.code().name]
    worded = [row for row in rows if row[1].startswith("`") and row[1].strip("`").lower() in error.details().lower()]
    (row,) = worded or [row for row in rows if not row[1].startswith("`")]
    assert row[2] == meaning, error.details()


def test_the_table_has_no_failure_that_is_not_tried():
    assert [row[2] for row in table("| status |")] == list(FAILURES)


@pytest.mark.parametrize("priority", [None, 0, 1, 2, 3, 4, 1000])
def test_any_priority_is_taken(stub, priority):
    request = request_for(LONG)
    if priority is not None:
        request.parameters["priority"].int64_param = priority
    (raw,) = stub.ModelInfer(request, timeout=60).raw_output_contents
    assert np.isfinite(np.frombuffer(raw, dtype="<f4")).all()
