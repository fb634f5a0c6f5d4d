"""Elasticsearch bulk bodies and documents: what is stored, what each action is told, and what is refused."""

import base64
import gzip

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import reading, receivers
from triage.intake import elastic, elastic_bulk, errors
from triage.intake.commit import Receipt
from triage.intake.errors import Refusal
from triage.intake.http import Request
from triage.models import RawBatch, RecordKey
from triage.receivers.base import BodyError

BULK = "/elastic/_bulk"
VENDOR = "application/vnd.elasticsearch"
CREATE = b'{"create":{"_index":"x"}}\n'


def body(*lines):
    return b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines)


def stored():
    """Return the documents of every batch; each batch holds as many as it says."""
    found = []
    for batch in RawBatch.objects.order_by("id"):
        receiver = receivers.get(batch.receiver)
        text = reading.inflate(bytes(batch.body))
        records = receiver.records(text, batch.parameters)
        assert (batch.receiver, batch.record_count) == ("es_bulk", len(records))
        assert [orjson.loads(receiver.raw(text, {}, number)) for number in range(len(records))] == [
            record.content for record in records
        ]
        found += records
    return found


def contents():
    return [record.content for record in stored()]


def statuses(answer):
    return [next(iter(item.values()))["status"] for item in answer.json["items"]]


def error_of(answer):
    """Return the type and reason of an error that has Elasticsearch's form."""
    assert answer.json["status"] == answer.status
    error = answer.json["error"]
    assert error["root_cause"] == [{"type": error["type"], "reason": error["reason"]}]
    assert answer.headers[b"x-elastic-product"] == b"Elasticsearch"
    return error["type"], error["reason"]


def test_a_bulk_is_stored_and_answered_item_by_item(intake):
    answer = intake.post(
        BULK,
        body({"create": {"_index": "logs-a-b"}}, {"message": "one"}, {"index": {"_index": "i"}}, {"host.name": "web"}),
        content_type="application/x-ndjson",
    )
    assert answer.status == 200
    assert answer.headers[b"content-type"] == b"application/json"
    assert answer.headers[b"x-elastic-product"] == b"Elasticsearch"
    assert isinstance(answer.json["took"], int)
    assert answer.body.startswith(b'{"took":')
    assert b'"errors":false,"items":[{"create":{"_index":"logs-a-b","_id":"' in answer.body
    first, second = answer.json["items"][0]["create"], answer.json["items"][1]["index"]
    shards = {"total": 1, "successful": 1, "failed": 0}
    assert first.pop("_id") != second.pop("_id")
    assert first == {"_index": "logs-a-b", "_version": 1, "result": "created", "_shards": shards, "status": 201}
    assert second == {"_index": "i", "_version": 1, "result": "created", "_shards": shards, "status": 201}
    assert [(record.content, record.envelope.index) for record in stored()] == [
        ({"message": "one"}, "logs-a-b"),
        ({"host.name": "web"}, "i"),
    ]
    assert intake.rings == 1
    assert RecordKey.objects.count() == 0


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/elastic/my-index/_bulk", "my-index"),
        ("/elastic//my-index/doc//_bulk/", "my-index"),
        ("/elastic/<logs-{now/d}>/_bulk", "<logs-{now/d}>"),
        ("/elastic/a\0b/_bulk", "a\ufffdb"),
    ],
)
def test_the_index_of_the_path_is_the_default(intake, method, path, index):
    lines = body({"create": {}}, {"n": 1}, {"create": {"_index": "own"}}, {"n": 2})
    answer = intake.send(method, path, [lines], {"authorization": f"Bearer {intake.token}"})
    assert [item["create"]["_index"] for item in answer.json["items"]] == [index, "own"]
    assert [record.envelope.index for record in stored()] == [index, "own"]


def test_the_pipeline_goes_with_the_documents(intake):
    lines = body({"create": {"_index": "x"}}, {"n": 1}, {"create": {"_index": "x", "pipeline": "own"}}, {"n": 2})
    answer = intake.post(
        BULK + "?pipeline=p&refresh=wait_for&timeout=1m&routing=r&_source=false&require_alias=true", lines
    )
    assert statuses(answer) == [201, 201]
    assert [record.envelope.fields for record in stored()] == [{"pipeline": "p"}, {"pipeline": "own"}]


def test_a_bad_document_is_refused_alone_and_the_order_stays(intake):
    lines = body(
        {"create": {"_index": "x"}}, {"n": 1},
        {"create": {"_index": "x"}}, b'{"n":',
        {"delete": {"_index": "x", "_id": "1"}},
        {"index": {"_index": "x"}}, b'["no object"]',
        {"update": {"_index": "x", "_id": "1"}}, {"doc": {"n": 9}, "doc_as_upsert": True},
        {"create": {"_index": "x"}}, b"",
        {"index": {"_index": "x"}}, {"n": 2},
    )  # fmt: skip
    answer = intake.post(BULK, lines)
    assert answer.status == 200
    assert answer.json["errors"] is True
    assert [next(iter(item)) for item in answer.json["items"]] == [
        "create", "create", "delete", "index", "update", "create", "index",
    ]  # fmt: skip
    assert statuses(answer) == [201, 400, 404, 400, 400, 400, 201]
    items = [next(iter(item.values())) for item in answer.json["items"]]
    parsing = "document_parsing_exception"
    assert items[1]["error"] == {"type": parsing, "reason": "failed to parse: not valid JSON"}
    assert items[2]["result"] == "not_found"
    assert items[3]["error"] == {"type": parsing, "reason": "failed to parse: the document is not a JSON object"}
    assert items[4]["error"] == {"type": "illegal_argument_exception", "reason": elastic_bulk.NO_UPDATE}
    assert items[5]["error"] == {"type": parsing, "reason": "failed to parse: not one JSON value"}
    assert contents() == [{"n": 1}, {"n": 2}]


def test_a_delete_alone_is_no_error_and_stores_nothing(intake):
    answer = intake.post(BULK, body({"delete": {"_index": "x", "_id": "1"}}))
    assert (answer.status, answer.json["errors"], statuses(answer)) == (200, False, [404])
    assert RawBatch.objects.count() == 0


@pytest.mark.parametrize(
    "lines",
    [
        b'\r\n{"create":{"_index":"x"}}\r\n{"n":1}\r\n\r\n \t\n{"create":{"_index":"x"}}\r\n{"n":2}\r\n\r\n',
        CREATE + b'{"n":1}\n' + CREATE + b'{"n":2}',
        b"\xef\xbb\xbf" + CREATE + b'{"n":1}\n' + CREATE + b'{"n":2}\n',
    ],
    ids=["blank lines", "no last newline", "byte order mark"],
)
def test_line_ends_do_not_matter(intake, lines):
    assert statuses(intake.post(BULK, lines)) == [201, 201]
    assert contents() == [{"n": 1}, {"n": 2}]


def test_a_document_that_never_came_is_refused_alone(intake):
    answer = intake.post(BULK, CREATE + b'{"n":1}\n' + CREATE)
    assert statuses(answer) == [201, 400]
    assert contents() == [{"n": 1}]


@pytest.mark.parametrize("document", [b'{"n":NaN}', b'{"n":"\xe4"}', b'{"n":"\\ud800"}', b'{"n":1e999}', b"{}"])
def test_odd_documents_are_taken(intake, document):
    assert statuses(intake.post(BULK, CREATE + document + b"\n")) == [201]
    assert RawBatch.objects.get().record_count == 1


@pytest.mark.parametrize("encoding", ["gzip", ""])
def test_large_and_compressed_bulks(intake, encoding):
    lines = CREATE.join([b"", *(b'{"n":%d}\n' % number for number in range(3_000))])
    sent = gzip.compress(lines) if encoding else lines
    answer = intake.post(BULK, sent, content_encoding=encoding)
    assert statuses(answer) == [201] * 3_000
    assert len({item["create"]["_id"] for item in answer.json["items"]}) == 3_000
    assert contents() == [{"n": number} for number in range(3_000)]


@pytest.mark.parametrize(
    ("lines", "kind", "reason"),
    [
        (b"", "parse_exception", "request body is required"),
        (b"\n \r\n", "action_request_validation_exception", "Validation Failed: 1: no requests added;"),
        (
            b'{"create":{}}\n{"n":1}\n',
            "action_request_validation_exception",
            "Validation Failed: 1: index is missing;",
        ),
        (
            CREATE + b'{"n":1}\n' + b'{"create":{"_index":"x"},}\n{"n":2}\n',
            "illegal_argument_exception",
            "Malformed action/metadata line [3], it is not valid JSON",
        ),
        (
            CREATE + b'{"n":1}\n\n{"upsertify":{}}\n{"n":2}\n',
            "illegal_argument_exception",
            "Malformed action/metadata line [4], expected one of the actions create, delete, index or update",
        ),
        (
            b'{"n":1}\n{"n":2}\n',
            "illegal_argument_exception",
            "Malformed action/metadata line [1], expected one of the actions create, delete, index or update",
        ),
        (
            b'{"create":{"_index":"' + b"i" * 1_025 + b'"}}\n{}\n',
            "illegal_argument_exception",
            "Malformed action/metadata line [1], the name of the index is too long",
        ),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_broken_envelope_refuses_the_request(intake, lines, kind, reason):
    answer = intake.post(BULK, lines)
    assert answer.status == 400
    assert error_of(answer) == (kind, reason)
    assert intake.rings == 0


@pytest.mark.usefixtures("nothing_stored")
def test_an_endless_name_in_the_path_is_not_repeated_in_every_item(intake):
    answer = intake.post("/elastic/" + "i" * 513 + "/_bulk", b'{"create":{}}\n{}\n' * 2)
    assert (answer.status, error_of(answer)) == (
        400, ("illegal_argument_exception", "the name of the index is too long"),
    )  # fmt: skip


@pytest.mark.usefixtures("nothing_stored")
def test_more_actions_than_an_answer_should_hold_are_refused(intake, monkeypatch):
    monkeypatch.setattr(elastic_bulk, "MAX_ACTIONS", 3)
    for lines in ((CREATE + b"{}\n") * 4, b"\n" * 13):
        answer = intake.post(BULK, lines)
        assert (answer.status, error_of(answer)[0]) == (413, "content_too_large_exception")


# --- identity ---------------------------------------------------------------------------------------------------


def test_a_repeated_create_is_a_conflict_and_is_stored_once(intake):
    lines = body({"create": {"_index": "x", "_id": "a"}}, {"n": 1}, {"create": {"_index": "x"}}, {"n": 2})
    first = intake.post(BULK, lines)
    assert (first.json["errors"], statuses(first)) == (False, [201, 201])
    assert first.json["items"][0]["create"]["_id"] == "a"
    again = intake.post(BULK, lines)
    assert (again.json["errors"], statuses(again)) == (True, [409, 201])
    assert again.json["items"][0]["create"]["error"] == {
        "type": "version_conflict_engine_exception",
        "reason": "[a]: version conflict, document already exists (current version [1])",
    }
    assert contents() == [{"n": 1}, {"n": 2}, {"n": 2}]  # without an identity, equal documents are two


def test_a_repeated_index_is_an_update_and_is_stored_once(intake):
    lines = body({"index": {"_index": "x", "_id": "a"}}, {"n": 1})
    assert statuses(intake.post(BULK, lines)) == [201]
    again = intake.post(BULK, lines)
    assert (again.json["errors"], statuses(again)) == (False, [200])
    item = again.json["items"][0]["index"]
    assert (item["_id"], item["result"], item["_version"]) == ("a", "updated", 2)
    assert contents() == [{"n": 1}]
    assert RawBatch.objects.count() == 1


def test_an_identity_counts_once_in_one_body_and_its_neighbours_stay(intake):
    lines = body(
        {"create": {"_index": "x"}}, {"n": 0},
        {"create": {"_index": "x", "_id": "a"}}, {"n": 1},
        {"create": {"_index": "x", "_id": "b"}}, b'{"n":',
        {"create": {"_index": "x"}}, {"n": 2},
        {"delete": {"_index": "x", "_id": "a"}},
        {"create": {"_index": "x"}}, {"n": 3},
        {"create": {"_index": "x", "_id": "a"}}, {"n": 4},
        {"create": {"_index": "y", "_id": "a"}}, {"n": 5},
        {"index": {"_index": "x", "_id": 7}}, {"n": 6},
        {"index": {"_index": "x", "_id": "7"}}, {"n": 7},
        {"create": {"_index": "x"}}, {"n": 8},
    )  # fmt: skip
    answer = intake.post(BULK, lines)
    assert statuses(answer) == [201, 201, 400, 201, 404, 201, 409, 201, 201, 200, 201]
    assert contents() == [{"n": number} for number in (0, 1, 2, 3, 5, 6, 8)]
    assert RecordKey.objects.count() == 3


def test_a_document_that_was_refused_has_not_used_its_identity(intake):
    action = {"create": {"_index": "x", "_id": "a"}}
    assert statuses(intake.post(BULK, body(action, b'{"n":'))) == [400]
    assert statuses(intake.post(BULK, body(action, {"n": 1}))) == [201]
    assert contents() == [{"n": 1}]


def test_an_idempotency_key_is_answered_as_the_first_time(intake):
    lines = CREATE + b'{"n":1}\n' + CREATE + b"[\n"
    answers = [intake.post(BULK, lines, idempotency_key="k") for _ in range(2)]
    assert [statuses(answer) for answer in answers] == [[201, 400], [201, 400]]
    assert contents() == [{"n": 1}]


def test_names_cannot_break_the_reply(intake):
    name = 'a"\\\n\u2028\x01é'
    answer = intake.post(BULK, body({"create": {"_index": name, "_id": name}}, {"n": 1}))
    item = answer.json["items"][0]["create"]
    assert item["_index"] == item["_id"] == 'a"\\\ufffd\u2028\ufffdé'
    assert b"\n" not in answer.body
    assert stored()[0].envelope.index == name


# --- filter_path and types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (
            "errors,items.*.error,items.*.status",
            (
                b'{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":'
                b'{"type":"document_parsing_exception","reason":"failed to parse: not valid JSON"}}},'
                b'{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":'
                b'"[a]: version conflict, document already exists (current version [1])"}}}]}'
            ),
        ),
        (
            "items.*.error.type",
            (
                b'{"items":[{"create":{"error":{"type":"document_parsing_exception"}}},'
                b'{"create":{"error":{"type":"version_conflict_engine_exception"}}}]}'
            ),
        ),
        ("errors", b'{"errors":true}'),
        ("-items,-took", b'{"errors":true}'),
        ("items.*._id,-items.*.error", None),
        ("nothing", b"{}"),
    ],
)
def test_filter_path_leaves_what_was_asked_for(intake, wanted, expected):
    first = {"create": {"_index": "x", "_id": "a"}}
    lines = body({"create": {"_index": "x"}}, {"n": 1}, {"create": {"_index": "x"}}, b"{", first, {"n": 2})
    intake.post(BULK, body(first, {"n": 0}))
    answer = intake.post(f"{BULK}?filter_path={wanted.replace(',', '%2C')}", lines)
    if expected is None:
        assert [sorted(item["create"]) for item in answer.json["items"]] == [["_id"]] * 3
    else:
        assert answer.body == expected
    assert contents() == [{"n": 0}, {"n": 1}]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (f"{VENDOR}+json; compatible-with=9", f"{VENDOR}+json;compatible-with=9".encode()),
        (f"{VENDOR}+x-ndjson;compatible-with=8", f"{VENDOR}+json;compatible-with=8".encode()),
        ("application/json", b"application/json"),
        ("text/html", b"application/json"),
        ("", b"application/json"),
    ],
)
def test_the_reply_has_the_type_the_client_speaks(intake, accept, content_type):
    for lines, status in ((CREATE + b"{}\n", 200), (b"{", 400)):
        answer = intake.post(BULK, lines, accept=accept, content_type=accept)
        assert (answer.status, answer.headers[b"content-type"]) == (status, content_type)


# --- single documents -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "index"),
    [
        ("POST", "/elastic/i/_doc", "i"),
        ("PUT", "/elastic/i/_doc/1", "i"),
        ("POST", "/elastic/i/_create/1", "i"),
        ("PUT", "/elastic/i/_doc/1?op_type=create", "i"),
        ("POST", "/elastic/system/events?timeout=1m", "system"),
        ("PUT", "/elastic/<i-{now/d}>/_doc/a/b", "<i-{now/d}>"),
    ],
)
def test_a_single_document_is_a_bulk_of_one(intake, method, path, index):
    headers = {"authorization": f"Bearer {intake.token}"}
    answer = intake.send(method, path, [b'{\n  "message": "one",\n "n": [1,\n2]}\n'], headers)
    assert answer.status == 201
    assert (answer.json["_index"], answer.json["result"], answer.json["_version"]) == (index, "created", 1)
    assert answer.json["_id"]
    assert [(record.content, record.envelope.index) for record in stored()] == [
        ({"message": "one", "n": [1, 2]}, index)
    ]


def test_a_single_document_is_stored_once(intake):
    headers = {"authorization": f"Bearer {intake.token}"}

    def put(path):
        return intake.send("PUT", path, [b'{"n":1}'], headers)

    assert put("/elastic/i/_doc/1").status == 201
    again = put("/elastic/i/_doc/1")
    assert (again.status, again.json["result"], again.json["_id"]) == (200, "updated", "1")
    conflict = put("/elastic/i/_create/1")
    assert (conflict.status, error_of(conflict)[0]) == (409, "version_conflict_engine_exception")
    assert statuses(intake.post(BULK, body({"create": {"_index": "i", "_id": "1"}}, {"n": 1}))) == [409]
    assert contents() == [{"n": 1}]


@pytest.mark.parametrize(
    ("document", "kind"),
    [(b"", "parse_exception"), (b"[1]", "document_parsing_exception"), (b"{", "document_parsing_exception")],
)
@pytest.mark.usefixtures("nothing_stored")
def test_a_single_bad_document_is_refused(intake, document, kind):
    answer = intake.post("/elastic/i/_doc", document)
    assert (answer.status, error_of(answer)[0]) == (400, kind)


# --- refusals ---------------------------------------------------------------------------------------------------


def api_key(text):
    return {"authorization": "ApiKey " + base64.b64encode(text.encode()).decode()}


def test_an_api_key_may_be_the_id_and_the_token(intake):
    assert intake.send("POST", BULK, [CREATE + b"{}\n"], api_key(f"id:{intake.token}")).status == 200


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, api_key("id:wrong"), {"authorization": "Basic eDp3cm9uZw=="}]
)
@pytest.mark.parametrize("path", [BULK, "/elastic", "/elastic/_license", "/elastic/_bulk?token=TOKEN"])
@pytest.mark.usefixtures("nothing_stored")
def test_without_a_good_token_nothing_is_told_or_read(intake, headers, path):
    answer = intake.send("POST", path.replace("TOKEN", intake.token), [CREATE + b"{}\n"], headers)
    assert answer.status == 401
    assert error_of(answer)[0] == "security_exception"
    assert answer.headers[b"www-authenticate"] == b"ApiKey"
    assert intake.body_reads == 0
    assert intake.token.encode() not in answer.body


@pytest.mark.usefixtures("nothing_stored")
def test_a_full_intake_says_429_for_the_request_before_anything_is_stored(intake, monkeypatch):
    monkeypatch.setattr(intake.backlog, "is_full", lambda: True)
    answer = intake.post(BULK, CREATE + b"{}\n")
    assert (answer.status, error_of(answer)[0]) == (429, "es_rejected_execution_exception")
    assert int(answer.headers[b"retry-after"]) > 0
    assert intake.body_reads == 0


@pytest.mark.usefixtures("nothing_stored")
def test_a_failing_store_is_a_429_too(intake):
    def broken(submissions):
        raise OSError("disk full")

    intake.store = broken
    answer = intake.post(BULK, CREATE + b"{}\n")
    assert (answer.status, error_of(answer)[0]) == (429, "es_rejected_execution_exception")
    assert b"disk" not in answer.body


@pytest.mark.usefixtures("nothing_stored")
def test_sizes_and_encodings(intake, settings):
    settings.MAX_BODY_BYTES = settings.MAX_WIRE_BYTES = 65_536
    bomb = gzip.compress(CREATE + b'{"n":"' + b" " * 200_000 + b'"}\n')
    for lines, encoding, status, kind in (
        (bomb, "gzip", 413, "content_too_large_exception"),
        (b"x" * 70_000, "", 413, "content_too_large_exception"),
        (b"no gzip", "gzip", 400, "parse_exception"),
        (b"x", "superzipper", 415, "unsupported_encoding_exception"),
    ):
        answer = intake.post(BULK, lines, content_encoding=encoding)
        assert (answer.status, error_of(answer)[0]) == (status, kind)


REASONS = sorted(value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str))


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_has_the_form_of_an_error(reason):
    reply = elastic.ElasticEndpoint().refused(Refusal(reason))
    value = orjson.loads(reply.body)
    assert 400 <= reply.status < 500
    assert value["status"] == reply.status
    assert value["error"]["reason"]
    assert ((b"retry-after", b"5") in reply.headers) is (reply.status == 429)


# --- any bytes --------------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [b'{"create":{"_index":"x"}}', b'{"index":{"_id":"1"}}', b'{"create":{"_id":"1"}}', b'{"delete":{"_id":"1"}}',
     b'{"update":{}}', b'{"index":{"_index":"\xff","_id":2}}', b"{}", b'{"n":NaN}', b'{"n":1}', b'{"n":"\\ud800"}',
     b"[", b"", b"\r", b'{"n":1}\r', b"null", b"\xff", b'"', b"\0", b'{"n":1}{"n":2}']
)  # fmt: skip
FILTERS = st.sampled_from(["", "errors,items.*.error,items.*.status", "-took", "items.*._id", "took", "**.status"])


@given(lines=st.lists(LINES, max_size=14), wanted=FILTERS, repeats=st.sets(st.integers(0, 3)))
def test_any_lines_are_answered_as_they_are_stored(lines, wanted, repeats):
    endpoint, sent = elastic.ElasticEndpoint(), b"\n".join(lines)
    try:
        found = endpoint.interpret(Request("POST", "/elastic/i/_bulk", {}, {"filter_path": wanted}), sent)
    except (Refusal, BodyError):
        return
    kept = sent if found.body is None else found.body
    records = receivers.get("es_bulk").records(kept, dict(found.parameters)) if found.record_count else []
    assert len(records) == found.record_count
    if found.pieces:
        pieces = b"\n".join(piece.body for piece in found.pieces)
        assert receivers.get("es_bulk").records(pieces, dict(found.parameters)) == records
        assert sum(piece.record_count for piece in found.pieces) == found.record_count
    keyed = [number for number, piece in enumerate(found.pieces) if piece.key is not None]
    duplicates = frozenset(number for number in keyed if number in repeats)
    reply = orjson.loads(endpoint.accepted(found, Receipt(duplicates=duplicates), None).body)
    if not wanted:
        said = [next(iter(item.values())) for item in reply["items"]]
        assert sum(item["status"] == 201 for item in said) == found.record_count - len(duplicates)
        assert sum(item["status"] in (200, 409) for item in said) == len(duplicates)
        assert reply["errors"] is any("error" in item for item in said)
