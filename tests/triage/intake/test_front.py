"""Every request gets its protocol's own answer, and what is not accepted leaves nothing behind."""

import asyncio
import base64
import gzip
import zlib

import pytest
import zstandard
from django.db import OperationalError

from triage import reading, receivers
from triage.authentication import hash_token
from triage.intake import routes
from triage.models import RawBatch, Source

EVENT = "/services/collector/event"
RAW = "/services/collector/raw"
INGEST = "/api/v1/ingest"
SYSLOG = "/api/v1/ingest/syslog"
SUCCESS = {"text": "Success", "code": 0}


def stored_contents():
    found = []
    for batch in RawBatch.objects.order_by("id"):
        records = receivers.get(batch.receiver).records(reading.inflate(bytes(batch.body)), batch.parameters)
        assert len(records) == batch.record_count
        found += [record.content for record in records]
    return found


@pytest.mark.parametrize("path", ["/services/collector", EVENT, EVENT + "/1.0", EVENT + "/"])
def test_a_hec_event_is_committed_before_the_reply(intake, path):
    answer = intake.post(path, b'{"event":"one"}{"event":{"a":1}}')
    assert (answer.status, answer.json) == (200, SUCCESS)
    assert answer.headers[b"content-type"] == b"application/json"
    batch = RawBatch.objects.get()
    assert (batch.receiver, batch.record_count, batch.body_bytes, batch.status) == ("hec_event", 2, 32, "received")
    assert batch.source.name == "edge"
    assert stored_contents() == ["one", {"a": 1}]
    assert intake.rings == 1


def test_query_metadata_is_stored_with_the_batch(intake):
    answer = intake.post(RAW + "/1.0?channel=c&host=h%00&sourcetype=st&token=secret&index=&foo=bar", b"a\nb\n")
    assert (answer.status, answer.json) == (200, SUCCESS)
    assert RawBatch.objects.get().parameters == {"host": "h\ufffd", "sourcetype": "st"}
    assert stored_contents() == ["a", "b"]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", lambda body: gzip.compress(body[:4]) + gzip.compress(body[4:])),
        ("deflate", zlib.compress),
        ("zstd", zstandard.compress),
        ("identity", bytes),
    ],
)
def test_compressed_bodies_are_stored_inflated(intake, encoding, compress):
    answer = intake.post(EVENT, compress(b'{"event":"packed"}'), content_encoding=encoding)
    assert (answer.status, answer.json) == (200, SUCCESS)
    assert stored_contents() == ["packed"]


def test_a_chunked_body_is_read_to_its_end(intake):
    headers = {"authorization": f"Bearer {intake.token}", "transfer-encoding": "chunked"}
    answer = intake.send("POST", EVENT, [b'{"event":', b'"a"}{"ev', b"", b'ent":"b"}'], headers)
    assert (answer.status, answer.json) == (200, SUCCESS)
    assert stored_contents() == ["a", "b"]


def credentials(token):
    basic = base64.b64encode(f"x:{token}".encode()).decode()
    return [
        {"authorization": f"Splunk {token}"},
        {"authorization": f"sPLUNK {token}"},
        {"authorization": f"Bearer {token}"},
        {"authorization": f"ApiKey {token}"},
        {"authorization": f"Basic {basic}"},
        {"x-api-key": token},
    ]


@pytest.mark.parametrize("shape", range(6))
def test_every_shape_of_credentials(intake, shape):
    assert intake.send("POST", RAW, [b"line"], credentials(intake.token)[shape]).status == 200
    assert stored_contents() == ["line"]


@pytest.mark.parametrize(
    ("headers", "path", "status", "code", "text"),
    [
        ({}, EVENT, 401, 2, "Token is required"),
        ({"authorization": "TOKEN"}, EVENT, 401, 3, "Invalid authorization"),
        ({"authorization": "Digest TOKEN"}, EVENT, 401, 3, "Invalid authorization"),
        ({"authorization": "Basic !!!"}, EVENT, 401, 3, "Invalid authorization"),
        ({"authorization": "Basic eDo="}, EVENT, 401, 3, "Invalid authorization"),
        ({"authorization": "Splunk "}, EVENT, 401, 3, "Invalid authorization"),
        ({"authorization": "Splunk wrong"}, EVENT, 403, 4, "Invalid token"),
        ({"authorization": "Splunk wr\xf6ng"}, EVENT, 403, 4, "Invalid token"),
        ({"authorization": "Splunk off"}, EVENT, 403, 1, "Token disabled"),
        ({}, EVENT + "?token=TOKEN", 400, 16, "Query string authorization is not enabled"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_without_a_good_token_the_body_is_not_even_read(intake, headers, path, status, code, text):
    Source.objects.create(name="off", token_hash=hash_token("off"), enabled=False)
    headers = {name: value.replace("TOKEN", intake.token) for name, value in headers.items()}
    answer = intake.send("POST", path.replace("TOKEN", intake.token), [b'{"event":"x"}'], headers)
    assert (answer.status, answer.json) == (status, {"text": text, "code": code})
    assert intake.body_reads == 0
    assert intake.token.encode() not in answer.body


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (EVENT, b"", {"text": "No data", "code": 5}),
        (EVENT, b" \n\t ", {"text": "No data", "code": 5}),
        (RAW, b"\r\n", {"text": "No data", "code": 5}),
        (EVENT, b'{"event":"a"}{"event":', {"text": "Invalid data format", "code": 6, "invalid-event-number": 1}),
        (EVENT, b'{"message":"x"}', {"text": "Event field is required", "code": 12, "invalid-event-number": 0}),
        (EVENT, b'{"event":""}', {"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 0}),
        (
            EVENT,
            b'{"event":"x"}\n{"event":"x","fields":{"a":{}}}',
            {"text": "Error in handling indexed fields", "code": 15, "invalid-event-number": 1},
        ),
        ("/services/collector/ack?channel=c", b'{"acks":[0]}', {"text": "ACK is disabled", "code": 14}),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_hec_says_what_is_wrong_with_the_body(intake, path, body, expected):
    answer = intake.post(path, body)
    assert (answer.status, answer.json) == (400, expected)
    assert intake.rings == 0


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (b'{"event":"x"}', "gzip", 400, 6),
        (gzip.compress(b'{"event":"x"}')[:-3], "gzip", 400, 6),
        (b'{"event":"x"}', "br", 415, 415),
        (gzip.compress(b'{"event":"' + b" " * 200_000 + b'"}'), "gzip", 413, 413),
        (b'{"event":"' + b" " * 100_000 + b'"}', "", 413, 413),
    ],
    ids=["not gzip", "cut gzip", "unknown", "bomb", "large"],
)
@pytest.mark.usefixtures("nothing_stored")
def test_encodings_and_sizes_are_limited(intake, settings, body, encoding, status, code):
    settings.MAX_BODY_BYTES = settings.MAX_WIRE_BYTES = 65_536
    answer = intake.post(EVENT, body, content_encoding=encoding)
    assert (answer.status, answer.json["code"]) == (status, code)


@pytest.mark.usefixtures("nothing_stored")
def test_a_declared_length_over_the_limit_is_refused_unread(intake):
    headers = {"authorization": f"Splunk {intake.token}", "content-length": str(10 * 2**30)}
    answer = intake.send("POST", EVENT, [b"x"], headers)
    assert (answer.status, answer.json) == (413, {"text": "Request entity too large", "code": 413})
    assert answer.headers[b"connection"] == b"close"
    assert intake.body_reads == 0


@pytest.mark.usefixtures("nothing_stored")
def test_a_chunked_body_over_the_limit_is_dropped_on_the_way(intake, settings):
    settings.MAX_WIRE_BYTES = 65_536
    headers = {"authorization": f"Splunk {intake.token}", "transfer-encoding": "chunked"}
    answer = intake.send("POST", EVENT, [b" " * 30_000] * 100, headers)
    assert answer.status == 413
    assert answer.headers[b"connection"] == b"close"
    assert intake.body_reads == 3


@pytest.mark.usefixtures("nothing_stored")
def test_more_records_than_a_batch_holds_are_refused(intake, settings):
    settings.MAX_RECORDS_PER_BATCH = 3
    assert intake.post(RAW, b"1\n2\n3\n4").status == 413


@pytest.mark.usefixtures("nothing_stored")
def test_a_sender_that_hangs_up_gets_no_answer(intake):
    async def half():
        pending = [{"type": "http.request", "body": b'{"event":"x"}', "more_body": True}]

        async def receive():
            return pending.pop() if pending else {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError(f"nobody listens to {message}")

        scope = {"type": "http", "method": "POST", "path": EVENT, "query_string": b""}
        await intake.front(scope | {"headers": [(b"authorization", f"Splunk {intake.token}".encode())]}, receive, send)

    asyncio.run(half())


@pytest.mark.usefixtures("nothing_stored")
def test_a_sender_that_stalls_is_given_up(intake, monkeypatch):
    monkeypatch.setattr("triage.intake.http.STALL_SECONDS", 0.01)

    async def stalled():
        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", f"Splunk {intake.token}".encode()), (b"transfer-encoding", b"chunked")]
        scope = {"type": "http", "method": "POST", "path": EVENT, "query_string": b"", "headers": headers}
        await intake.front(scope, asyncio.Event().wait, send)
        return sent

    start, _ = asyncio.run(stalled())
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]


def test_bodies_that_arrive_share_a_limit_of_memory(intake, monkeypatch):
    monkeypatch.setattr("triage.intake.front.MAX_ARRIVING_BYTES", 100)
    first, hold = b'{"event":"first"}', asyncio.Event()

    async def two():
        async def slowly():
            await hold.wait()
            return {"type": "http.request", "body": first}

        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", f"Splunk {intake.token}".encode()), (b"content-length", b"17")]
        scope = {"type": "http", "method": "POST", "path": EVENT, "query_string": b"", "headers": headers}
        waiting = asyncio.create_task(intake.front(scope, slowly, send))
        while not intake.front._arriving.total:
            await asyncio.sleep(0.001)
        refused = await intake.post_async(EVENT, b'{"event":"' + b"x" * 80 + b'"}')
        hold.set()
        await waiting
        later = await intake.post_async(EVENT, b'{"event":"' + b"x" * 80 + b'"}')
        return refused.status, sent[0]["status"], later.status

    assert asyncio.run(two()) == (503, 200, 200)
    assert stored_contents() == ["first", "x" * 80]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "BREW"])
@pytest.mark.parametrize("path", [EVENT, RAW, INGEST, SYSLOG])
@pytest.mark.usefixtures("nothing_stored")
def test_a_wrong_method_is_answered_in_the_protocols_form(intake, method, path):
    answer = intake.send(method, path)
    assert answer.status == 405
    assert answer.headers[b"allow"] == b"POST"
    assert answer.headers[b"content-type"] == b"application/json"


@pytest.mark.parametrize("path", ["/services/collector/nothing", "/api/v1/ingest/nothing"])
def test_an_unknown_path_of_a_protocol_is_answered_in_its_form(intake, path):
    answer = intake.post(path)
    assert (answer.status, answer.headers[b"content-type"]) == (404, b"application/json")


@pytest.mark.parametrize("path", ["/", "/api/v1/events", "/api/v1/ingestion", "/services/collectors", "/login"])
def test_other_paths_are_not_the_intakes(path):
    assert routes.endpoint_for(path) is None


@pytest.mark.parametrize("path", ["/services/collector/health", "/services/collector/health/1.0"])
def test_health_needs_no_token(intake, path):
    answer = intake.send("GET", path)
    assert (answer.status, answer.json) == (200, {"text": "HEC is healthy", "code": 17})


@pytest.mark.usefixtures("nothing_stored")
def test_a_full_backlog_sends_everyone_away_unread(intake, settings, monkeypatch):
    monkeypatch.setattr("triage.store.backlog_by_source", lambda: {1: settings.MAX_BACKLOG_RECORDS + 1})
    intake.backlog.measure()
    hec, json = intake.post(EVENT, b'{"event":"x"}'), intake.post(INGEST, b'{"a":1}')
    assert (hec.status, hec.json) == (503, {"text": "Server is busy", "code": 9})
    assert (json.status, json.json["error"]["code"]) == (503, "busy")
    assert hec.headers[b"retry-after"] == json.headers[b"retry-after"] == b"33"
    assert intake.body_reads == 0
    health = intake.send("GET", "/services/collector/health")
    assert (health.status, health.json["code"]) == (503, 18)


@pytest.mark.parametrize("error", [OperationalError("disk I/O error"), RuntimeError("a fault of ours")])
@pytest.mark.usefixtures("nothing_stored")
def test_a_commit_that_fails_is_busy_and_stores_nothing(intake, error):
    def broken(batches):
        raise error

    intake.store = broken
    answer = intake.post(EVENT, b'{"event":"x"}')
    assert (answer.status, answer.json) == (503, {"text": "Server is busy", "code": 9})
    assert answer.headers[b"retry-after"] == b"5"


def test_a_database_that_cannot_look_the_token_up_is_busy(intake, monkeypatch):
    def broken(token):
        raise OperationalError("gone")

    monkeypatch.setattr("triage.authentication.source_for", broken)
    answer = intake.post(EVENT, b'{"event":"x"}')
    assert (answer.status, answer.json["code"]) == (503, 9)


@pytest.mark.parametrize(
    ("body", "content_type", "accepted"),
    [
        (b'{"a":1}\n{"a":2}\n{"a":3}', "application/x-ndjson", 3),
        (b'[{"a":1},{"a":2}]', "application/json", 2),
        (b'{\n"a":1\n}', "application/json", 1),
        (b"[]", "application/json", 0),
        (b"one\ntwo", "text/plain", 2),
    ],
)
def test_ingest_counts_what_it_took(intake, body, content_type, accepted):
    answer = intake.post(INGEST, body, content_type=content_type)
    assert (answer.status, answer.json) == (200, {"accepted": accepted, "rejected": 0, "errors": []})
    assert len(stored_contents()) == accepted


def test_ingest_reports_the_lines_it_refused(intake):
    answer = intake.post(INGEST, b'{"a":1}\n{"b"}\n{"a":2}', content_type="application/x-ndjson")
    assert answer.status == 200
    assert answer.json == {"accepted": 2, "rejected": 1, "errors": [{"line": 2, "reason": "not valid JSON"}]}
    assert stored_contents() == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_format"),
        (b'{"key"}', {}, 400, "invalid_format"),
        (b"[" * 100_000, {"content_type": "application/json"}, 400, "invalid_format"),
        (b"", {}, 400, "no_data"),
        (b"x", {"content_encoding": "br"}, 415, "encoding"),
        (b"x", {"content_encoding": "gzip"}, 400, "damaged"),
        (b"x", {"authorization": ""}, 401, "no_authorization"),
        (b"x", {"authorization": "nonsense"}, 401, "bad_authorization"),
        (b"x", {"authorization": "Bearer wrong"}, 403, "unknown_sender"),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_ingest_refuses_in_json(intake, body, headers, status, code):
    answer = intake.post(INGEST, body, **headers)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.headers[b"content-type"] == b"application/json"
    assert (b"www-authenticate" in answer.headers) is (status == 401)


def test_syslog_lines_are_never_refused_for_their_syntax(intake):
    answer = intake.post(SYSLOG, b"<34>1 2003-10-11T22:14:15.003Z h a - - - m\r\n\r\nnonsense\n{\n")
    assert answer.json == {"accepted": 3, "rejected": 0, "errors": []}
    assert RawBatch.objects.get().receiver == "syslog"


def test_a_byte_order_mark_is_not_stored(intake):
    assert intake.post(EVENT, b'\xef\xbb\xbf{"event":"x"}').status == 200
    assert reading.inflate(bytes(RawBatch.objects.get().body)) == b'{"event":"x"}'


@pytest.mark.parametrize("key", ["batch-1", "k" * 3000, "schl\xfcssel"])
def test_an_idempotency_key_stores_once_and_answers_alike(intake, key):
    first = intake.post(INGEST, b'{"a":1}', idempotency_key=key)
    second = intake.post(INGEST, b'{"a":1}', idempotency_key=key)
    other = intake.post(INGEST, b'{"a":1}', idempotency_key=key + "x")
    assert (first.status, first.json) == (second.status, second.json) == (other.status, other.json)
    assert first.json["accepted"] == 1
    assert RawBatch.objects.count() == 2


def test_sources_do_not_share_idempotency_keys(intake):
    Source.objects.create(name="other", token_hash=hash_token("other-token"))
    intake.post(INGEST, b'{"a":1}', idempotency_key="k")
    intake.post(INGEST, b'{"a":2}', idempotency_key="k", authorization="Bearer other-token")
    assert stored_contents() == [{"a": 1}, {"a": 2}]
