"""OTLP over HTTP: every reply in the encoding of its request, and nothing stored that is refused."""

import gzip

import cramjam
import orjson
import pytest
from google.rpc import code_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from tests.push_samples import log, otlp_json, otlp_proto
from triage import reading, receivers
from triage.authentication import hash_token
from triage.models import RawBatch, Source

LOGS = "/v1/logs"
JSON, PROTOBUF = "application/json", "application/x-protobuf"
BODIES = {JSON: otlp_json(log("a"), log("b")), PROTOBUF: otlp_proto(log("a"), log("b"))}
RECEIVERS = {JSON: "otlp_json", PROTOBUF: "otlp_proto"}
EMPTY = {JSON: b"{}", PROTOBUF: b""}


def stored_contents():
    found = []
    for batch in RawBatch.objects.order_by("id"):
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        found += [record.content for record in records]
    return found


def status_of(answer, encoding):
    """Return (code, message) of an error body."""
    assert answer.headers[b"content-type"] == encoding.encode()
    if encoding == JSON:
        assert set(answer.json) == {"code", "message"}
        return answer.json["code"], answer.json["message"]
    status = status_pb2.Status.FromString(answer.body)
    return status.code, status.message


@pytest.mark.parametrize("encoding", BODIES)
def test_logs_are_committed_before_the_reply(intake, encoding):
    answer = intake.post(LOGS, BODIES[encoding], content_type=encoding)
    assert (answer.status, answer.body) == (200, EMPTY[encoding])
    assert answer.headers[b"content-type"] == encoding.encode()
    batch = RawBatch.objects.get()
    assert (batch.receiver, batch.record_count, batch.parameters) == (RECEIVERS[encoding], 2, {})
    assert reading.inflate(bytes(batch.body)) == BODIES[encoding]
    assert stored_contents() == ["a", "b"]
    assert intake.rings == 1


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.parametrize("compression", ["gzip", "snappy", "x-snappy-framed"])
def test_compressed_bodies_are_stored_inflated(intake, encoding, compression):
    pack = {"gzip": gzip.compress, "snappy": cramjam.snappy.compress_raw, "x-snappy-framed": cramjam.snappy.compress}
    packed = bytes(pack[compression](BODIES[encoding]))
    answer = intake.post(LOGS, packed, content_type=encoding, content_encoding=compression)
    assert (answer.status, answer.body) == (200, EMPTY[encoding])
    assert reading.inflate(bytes(RawBatch.objects.get().body)) == BODIES[encoding]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", " application/json"])
def test_parameters_and_case_of_the_content_type_do_not_matter(intake, content_type):
    answer = intake.post(LOGS, BODIES[JSON], content_type=content_type)
    assert (answer.status, answer.body, answer.headers[b"content-type"]) == (200, b"{}", b"application/json")
    assert stored_contents() == ["a", "b"]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [(JSON, b"{}"), (JSON, b'{"resourceLogs":[]}'), (JSON, otlp_json()), (PROTOBUF, b""), (PROTOBUF, otlp_proto())],
)
@pytest.mark.usefixtures("nothing_stored")
def test_an_empty_request_succeeds(intake, encoding, body):
    answer = intake.post(LOGS, body, content_type=encoding)
    assert (answer.status, answer.body) == (200, EMPTY[encoding])
    assert intake.rings == 0


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (JSON, b""),
        (JSON, b'{"resourceLogs":'),
        (JSON, b"[]"),
        (JSON, b'{"resourceLogs":"x"}'),
        (JSON, BODIES[PROTOBUF]),
        (PROTOBUF, b"\xff" * 5),
        (PROTOBUF, BODIES[PROTOBUF][:-3]),
        (PROTOBUF, BODIES[JSON]),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_malformed_body_is_bad_data(intake, encoding, body):
    answer = intake.post(LOGS, body, content_type=encoding)
    code, message = status_of(answer, encoding)
    assert (answer.status, code) == (400, code_pb2.INVALID_ARGUMENT)
    assert message
    assert intake.rings == 0


@pytest.mark.parametrize("content_type", ["", "text/plain", "invalid", "application/xml", "application/json+x"])
@pytest.mark.usefixtures("nothing_stored")
def test_another_content_type_is_refused_in_plain_text_and_unread(intake, content_type):
    answer = intake.post(LOGS, BODIES[JSON], content_type=content_type)
    assert (answer.status, answer.headers[b"content-type"]) == (415, b"text/plain; charset=utf-8")
    assert b"application/x-protobuf" in answer.body
    assert intake.body_reads == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.usefixtures("nothing_stored")
def test_another_method_is_refused_in_plain_text(intake, method):
    answer = intake.send(method, LOGS, [BODIES[JSON]], intake.head(BODIES[JSON], {"content-type": JSON}))
    assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")
    assert answer.headers[b"content-type"] == b"text/plain; charset=utf-8"


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, code_pb2.UNAUTHENTICATED),
        ({"authorization": "nonsense"}, 401, code_pb2.UNAUTHENTICATED),
        ({"authorization": "Bearer wrong"}, 403, code_pb2.PERMISSION_DENIED),
        ({"authorization": "Bearer off"}, 403, code_pb2.PERMISSION_DENIED),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_without_a_good_token_the_body_is_not_even_read(intake, encoding, headers, status, code):
    Source.objects.create(name="off", token_hash=hash_token("off"), enabled=False)
    answer = intake.send("POST", LOGS, [BODIES[encoding]], {"content-type": encoding, **headers})
    assert (answer.status, status_of(answer, encoding)[0]) == (status, code)
    assert (b"www-authenticate" in answer.headers) == (status == 401)
    assert intake.body_reads == 0


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.usefixtures("nothing_stored")
def test_a_busy_server_says_when_to_come_back(intake, encoding, monkeypatch):
    monkeypatch.setattr(intake.backlog, "is_full", lambda: True)
    answer = intake.post(LOGS, BODIES[encoding], content_type=encoding)
    assert (answer.status, status_of(answer, encoding)[0]) == (503, code_pb2.UNAVAILABLE)
    assert answer.headers[b"retry-after"] == b"5"


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.usefixtures("nothing_stored")
def test_a_failing_store_is_a_reason_to_come_back(intake, encoding):
    def broken(submissions):
        raise RuntimeError("secret of the inside")

    intake.store = broken
    answer = intake.post(LOGS, BODIES[encoding], content_type=encoding)
    assert (answer.status, status_of(answer, encoding)[0]) == (503, code_pb2.UNAVAILABLE)
    assert b"secret" not in answer.body


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.parametrize(
    ("compression", "status", "code"),
    [
        ("gzip", 413, code_pb2.RESOURCE_EXHAUSTED),
        ("", 413, code_pb2.RESOURCE_EXHAUSTED),
        ("br", 415, code_pb2.INVALID_ARGUMENT),
        ("gzip, gzip", 415, code_pb2.INVALID_ARGUMENT),
        ("zstd", 400, code_pb2.INVALID_ARGUMENT),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_sizes_and_encodings_are_limited(intake, settings, encoding, compression, status, code):
    settings.MAX_BODY_BYTES = settings.MAX_WIRE_BYTES = 65_536
    body = b" " * 100_000 if not compression else gzip.compress(b" " * 100_000)
    answer = intake.post(LOGS, body, content_type=encoding, content_encoding=compression)
    assert (answer.status, status_of(answer, encoding)[0]) == (status, code)


def test_a_log_record_over_the_limit_is_rejected_and_told(intake, monkeypatch):
    monkeypatch.setattr("triage.receivers.otlp_proto.MAX_MESSAGE_BYTES", 200)
    answer = intake.post(LOGS, otlp_proto(log("a"), log("x" * 300), log("b")), content_type=PROTOBUF)
    response = logs_service_pb2.ExportLogsServiceResponse.FromString(answer.body)
    assert (answer.status, response.partial_success.rejected_log_records) == (200, 1)
    assert response.partial_success.error_message == "log records larger than 200 bytes are not taken"
    assert stored_contents() == ["a", "b"]


@pytest.mark.usefixtures("nothing_stored")
def test_when_every_log_record_is_rejected_nothing_is_stored(intake, monkeypatch):
    monkeypatch.setattr("triage.receivers.otlp_proto.MAX_MESSAGE_BYTES", 200)
    answer = intake.post(LOGS, otlp_proto(log("x" * 300)), content_type=PROTOBUF)
    response = logs_service_pb2.ExportLogsServiceResponse.FromString(answer.body)
    assert (answer.status, response.partial_success.rejected_log_records) == (200, 1)


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs/x"])
@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.usefixtures("nothing_stored")
def test_other_signals_are_refused_in_form(intake, path, encoding):
    answer = intake.post(path, BODIES[encoding], content_type=encoding)
    assert (answer.status, status_of(answer, encoding)[0]) == (404, code_pb2.NOT_FOUND)


def test_two_requests_are_two_batches(intake):
    answers = [intake.post(LOGS, orjson.dumps({**orjson.loads(BODIES[JSON])}), content_type=JSON) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert stored_contents() == ["a", "b", "a", "b"]
