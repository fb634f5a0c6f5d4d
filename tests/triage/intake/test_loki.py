"""Grafana Loki's push: Loki's replies, and what is good of a push is stored."""

import base64
import gzip
import zlib

import pytest

from tests.push_samples import AT, loki_json, loki_proto, snappy
from triage import reading, receivers
from triage.authentication import hash_token
from triage.models import RawBatch, Source

PUSH = "/loki/api/v1/push"
JSON, PROTOBUF = "application/json", "application/x-protobuf"
IN_JSON = loki_json(({"job": "a"}, [[str(AT), "one"], [str(AT), "two"]]))
IN_PROTOBUF = loki_proto(('{job="a"}', [(AT, "one", {}), (AT, "two", {})]))
BODIES = {JSON: IN_JSON, PROTOBUF: snappy(IN_PROTOBUF)}
STORED = {JSON: ("loki_json", IN_JSON), PROTOBUF: ("loki_proto", IN_PROTOBUF)}
RAW_DEFLATE = zlib.compressobj(wbits=-15)


def stored_contents():
    found = []
    for batch in RawBatch.objects.order_by("id"):
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        found += [record.content for record in records]
    return found


def is_text(answer):
    return answer.headers[b"content-type"] == b"text/plain; charset=utf-8" and answer.body.endswith(b"\n")


@pytest.mark.parametrize("content_type", BODIES)
def test_a_push_is_committed_before_the_reply(intake, content_type):
    answer = intake.post(PUSH, BODIES[content_type], content_type=content_type)
    assert (answer.status, answer.body) == (204, b"")
    assert b"content-length" not in answer.headers
    batch = RawBatch.objects.get()
    assert (batch.receiver, reading.inflate(bytes(batch.body))) == STORED[content_type]
    assert stored_contents() == ["one", "two"]
    assert intake.rings == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(IN_JSON, mtime=0)),
        ("deflate", zlib.compress(IN_JSON)),
        ("deflate", RAW_DEFLATE.compress(IN_JSON) + RAW_DEFLATE.flush()),
        ("snappy", snappy(IN_JSON)),
    ],
)
def test_compressed_json_is_stored_inflated(intake, encoding, body):
    answer = intake.post(PUSH, body, content_type="application/json; charset=utf-8", content_encoding=encoding)
    assert answer.status == 204
    assert stored_contents() == ["one", "two"]


def test_snappy_that_is_named_twice_is_undone_once(intake):
    assert intake.post(PUSH, BODIES[PROTOBUF], content_type=PROTOBUF, content_encoding="snappy").status == 204
    assert stored_contents() == ["one", "two"]


def test_snappy_inside_gzip_is_undone(intake):
    body = gzip.compress(BODIES[PROTOBUF])
    assert intake.post(PUSH, body, content_type=PROTOBUF, content_encoding="gzip").status == 204
    assert stored_contents() == ["one", "two"]


@pytest.mark.usefixtures("nothing_stored")
def test_both_inflations_take_from_one_budget(intake, settings):
    settings.MAX_BODY_BYTES = 65_536
    body = snappy(loki_proto(("{}", [(AT, "x" * 65_000, {})])))
    assert len(body) < 5_000
    packed = gzip.compress(body + b"")
    settings.MAX_BODY_BYTES = 65_000 + len(body)
    answer = intake.post(PUSH, packed, content_type=PROTOBUF, content_encoding="gzip")
    assert (answer.status, is_text(answer)) == (413, True)


@pytest.mark.usefixtures("nothing_stored")
def test_the_length_that_a_block_claims_is_checked_first(intake):
    answer = intake.post(PUSH, b"\xff\xff\xff\x7f" + b"\0" * 2**24, content_type=PROTOBUF)
    assert (answer.status, is_text(answer)) == (413, True)


@pytest.mark.usefixtures("nothing_stored")
def test_json_without_its_content_type_is_refused(intake):
    answer = intake.post(PUSH, IN_JSON)
    assert (answer.status, is_text(answer)) == (400, True)
    assert b"Content-Type: application/json" in answer.body


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, b""),
        (JSON, b'{"streams":['),
        (JSON, b"[]"),
        (JSON, BODIES[PROTOBUF]),
        (PROTOBUF, b""),
        (PROTOBUF, IN_PROTOBUF),
        (PROTOBUF, BODIES[PROTOBUF][:-1]),
        (PROTOBUF, snappy(IN_PROTOBUF[:-1])),
        (PROTOBUF, snappy(IN_JSON)),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_what_cannot_be_decoded_is_refused_as_text(intake, content_type, body):
    answer = intake.post(PUSH, body, content_type=content_type)
    assert (answer.status, is_text(answer)) == (400, True)
    assert intake.rings == 0


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (
            JSON,
            loki_json(({"a": "b"}, [[str(AT), "good"], [str(AT), {"fizz": "buzz"}]])),
            b"1 of 2 entries are not taken: stream 0: an entry is not a time in nanoseconds and a line of text\n",
        ),
        (
            PROTOBUF,
            snappy(loki_proto(("nonsense", [(AT, "bad", {})]), ('{a="b"}', [(AT, "good", {})]))),
            b"1 of 2 entries are not taken: stream 0: its labels cannot be read\n",
        ),
    ],
)
def test_the_good_entries_of_a_push_are_stored_and_the_bad_ones_told(intake, content_type, body, text):
    answer = intake.post(PUSH, body, content_type=content_type)
    assert (answer.status, answer.body) == (400, text)
    assert stored_contents() == ["good"]


@pytest.mark.usefixtures("nothing_stored")
def test_a_line_that_is_an_object_is_not_stored(intake):
    answer = intake.post(PUSH, loki_json(({"a": "b"}, [[str(AT), {"fizz": "buzz"}]])), content_type=JSON)
    assert (answer.status, is_text(answer), intake.rings) == (400, True, 0)


@pytest.mark.parametrize(("content_type", "body"), [(JSON, b'{"streams":[]}'), (PROTOBUF, snappy(b""))])
@pytest.mark.usefixtures("nothing_stored")
def test_an_empty_push_succeeds(intake, content_type, body):
    assert intake.post(PUSH, body, content_type=content_type).status == 204


def test_basic_credentials_of_a_tenant_are_taken(intake):
    basic = base64.b64encode(f"1234:{intake.token}".encode()).decode()
    headers = {"authorization": f"Basic {basic}", "x-scope-orgid": "tenant1", "content-type": JSON}
    assert intake.send("POST", PUSH, [IN_JSON], headers).status == 204
    assert stored_contents() == ["one", "two"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "nonsense"}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Bearer off"}, 403),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_without_a_good_token_the_body_is_not_even_read(intake, headers, status):
    Source.objects.create(name="off", token_hash=hash_token("off"), enabled=False)
    answer = intake.send("POST", PUSH, [IN_JSON], {"content-type": JSON, **headers})
    assert (answer.status, is_text(answer)) == (status, True)
    assert answer.headers.get(b"www-authenticate", b"").startswith(b"Basic ") == (status == 401)
    assert intake.body_reads == 0


@pytest.mark.usefixtures("nothing_stored")
def test_a_busy_server_says_when_to_come_back(intake, monkeypatch):
    monkeypatch.setattr(intake.backlog, "is_full", lambda: True)
    answer = intake.post(PUSH, IN_JSON, content_type=JSON)
    assert (answer.status, answer.headers[b"retry-after"], is_text(answer)) == (503, b"5", True)
    assert intake.send("GET", "/ready").status == 503


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "snappy, snappy"])
@pytest.mark.usefixtures("nothing_stored")
def test_an_unknown_encoding_is_refused(intake, encoding):
    answer = intake.post(PUSH, IN_JSON, content_type=JSON, content_encoding=encoding)
    assert (answer.status, is_text(answer)) == (415, True)


@pytest.mark.usefixtures("nothing_stored")
def test_readiness_needs_no_token(intake):
    answer = intake.send("GET", "/ready")
    assert (answer.status, answer.body, is_text(answer)) == (200, b"ready\n", True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PUSH, 405),
        ("PUT", PUSH, 405),
        ("GET", "/loki/api/v1/labels", 404),
        ("GET", "/loki/api/v1/query_range", 404),
        ("POST", "/loki/api/v1/push/x", 404),
        ("POST", "/loki/other", 404),
        ("POST", "/ready", 405),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_the_rest_is_refused_in_plain_text(intake, method, path, status):
    answer = intake.send(method, path, [IN_JSON], intake.head(IN_JSON, {"content-type": JSON}))
    assert (answer.status, is_text(answer)) == (status, True)
