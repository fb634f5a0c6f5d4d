"""OTLP log records become records, whichever encoding brought them, whatever is in them."""

import base64
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1 import logs_pb2

from tests.push_samples import AT, log, otlp_json, otlp_message, otlp_proto, pairs, request, text
from triage import parsers, receivers
from triage.contracts import Envelope, Record
from triage.receivers import otlp_proto as proto_room
from triage.receivers.base import BodyError
from triage.receivers.otlp import MAX_VALUE_DEPTH, TOO_DEEP

JSON, PROTO = receivers.get("otlp_json"), receivers.get("otlp_proto")
TIME = AT / 10**9
RECEIVED = 1_700_000_100.0
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def both(*logs, **parts):
    """Return the records of a request, which are the same in both encodings."""
    records = JSON.records(otlp_json(*logs, **parts), {})
    assert PROTO.records(otlp_proto(*logs, **parts), {}) == records
    assert JSON.count(otlp_json(*logs, **parts)) == len(records)
    assert PROTO.count(otlp_proto(*logs, **parts)) == (len(records), 0)
    return records


def test_text_is_the_content_and_the_rest_is_beside_it():
    record, = both(
        log("it works", attributes=pairs({"client.address": "192.0.2.1", "cart": {"intValue": "3"}}), eventName="buy"),
        resource={"service.name": "shop", "host.name": "web-1", "team": "a"},
        scope={"name": "cart", "version": "2", "attributes": pairs({"k": "v"})},
    )  # fmt: skip
    assert record == Record(
        "it works",
        Envelope(
            time=TIME,
            fields={"team": "a", "scope.k": "v", "scope.version": "2", "cart": 3},
            ecs={
                "service.name": "shop", "host.name": "web-1", "log.logger": "cart", "source.ip": "192.0.2.1",
                "log.level": "info", "event.action": "buy",
            },
        ),
    )  # fmt: skip


def test_a_map_is_the_content():
    body = {"kvlistValue": {"values": pairs({
        "user": "eve", "n": {"intValue": "9007199254740993"}, "ok": {"boolValue": True}, "ratio": {"doubleValue": 0.5},
        "list": {"arrayValue": {"values": [text("a"), {"intValue": "1"}, {}]}},
        "deep": {"kvlistValue": {"values": pairs({"x": "y"})}},
        "bytes": {"bytesValue": base64.b64encode(b"hi").decode()}, "raw": {"bytesValue": "//4="}, "none": {},
    })}}  # fmt: skip
    record, = both(log(body))  # fmt: skip
    assert record.content == {
        "user": "eve", "n": 9007199254740993, "ok": True, "ratio": 0.5, "list": ["a", 1, None], "deep": {"x": "y"},
        "bytes": "hi", "raw": "//4=", "none": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"intValue": "5"}, "5"),
        ({"boolValue": True}, "true"),
        ({"arrayValue": {"values": [text("a"), text("b")]}}, '["a","b"]'),
        ({"bytesValue": base64.b64encode(b"bytes").decode()}, "bytes"),
    ],
)
def test_other_bodies_become_text(body, content):
    assert [record.content for record in both(log(body))] == [content]


def test_without_a_body_the_attributes_are_the_content():
    records = both(log(None, attributes=pairs({"user.name": "eve", "a": "b"}), eventName="login"))
    assert [record.content for record in records] == [{"user.name": "eve", "a": "b"}]
    assert records[0].envelope.fields is None
    assert records[0].envelope.ecs["user.name"] == "eve"
    assert [record.content for record in both(log(None, eventName="login"), log(None))] == ["login", ""]


def test_the_observed_time_stands_in_and_a_late_one_is_kept():
    observed = {"timeUnixNano": "0", "observedTimeUnixNano": str(AT)}
    late = {"observedTimeUnixNano": str(AT + 5 * 10**9)}
    first, second, third = both(log(**observed), log(**late), log(observedTimeUnixNano=str(AT + 5)))
    assert (first.envelope.time, second.envelope.time, third.envelope.time) == (TIME, TIME, TIME)
    assert second.envelope.ecs["event.created"] == "2023-11-14T22:13:25.123457+00:00"
    assert "event.created" not in first.envelope.ecs
    assert "event.created" not in third.envelope.ecs


def test_a_record_without_a_time_has_none():
    assert both({"body": text("x")})[0].envelope.time is None


def test_ids_are_hexadecimal_in_json_and_bytes_in_protobuf():
    in_json = JSON.records(otlp_json(log(traceId=TRACE.upper(), spanId=SPAN)), {})
    message = otlp_message(log())
    inner = message.resource_logs[0].scope_logs[0].log_records[0]
    inner.trace_id, inner.span_id = bytes.fromhex(TRACE), bytes.fromhex(SPAN)
    assert PROTO.records(message.SerializeToString(), {}) == in_json
    assert in_json[0].envelope.ecs == {
        "log.logger": "app", "log.level": "info", "trace.id": TRACE, "span.id": SPAN
    }  # fmt: skip


def test_ids_of_zeros_are_none():
    records = JSON.records(otlp_json(log(traceId="0" * 32, spanId="")), {})
    assert "trace.id" not in records[0].envelope.ecs
    assert "span.id" not in records[0].envelope.ecs


def test_a_severity_text_that_says_more_is_kept():
    first, second = both(log(severityNumber=17, severityText="Severe"), log(severityNumber=0, severityText="NOTICE"))
    assert (first.envelope.ecs["log.level"], first.envelope.fields) == ("error", {"severity_text": "Severe"})
    assert (second.envelope.ecs["log.level"], second.envelope.fields) == ("notice", None)


def test_json_tolerates_what_senders_do():
    inner = {
        "time_unix_nano": AT, "severity_number": "SEVERITY_NUMBER_ERROR2", "severity_text": "E", "trace_id": TRACE,
        "span_id": SPAN, "event_name": "e", "observed_time_unix_nano": 1.5e18, "body": {"string_value": "x"}, "z": {},
    }  # fmt: skip
    resource = {"attributes": pairs({"host.name": "h"})}
    old = {"resource_logs": [{"resource": resource, "x": 1, "scope_logs": [{"log_records": [inner]}]}], "zz": None}
    record, = JSON.records(orjson.dumps(old), {})  # fmt: skip
    assert record == Record(
        "x",
        Envelope(
            time=TIME,
            fields={"severity_text": "E"},
            ecs={"host.name": "h", "log.level": "error", "trace.id": TRACE, "span.id": SPAN, "event.action": "e"},
        ),
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"timeUnixNano": "soon"}, {"timeUnixNano": [1]}, {"timeUnixNano": "9" * 5000}, {"timeUnixNano": True},
        {"severityNumber": {"a": 1}}, {"severityNumber": "SEVERITY_NUMBER_NONE"},
        {"severityNumber": "SEVERITY_NUMBER_2"},
        {"severityText": 5}, {"attributes": {"a": "b"}}, {"attributes": [5, {"key": 5}, {"value": text("x")}]},
        {"traceId": 5}, {"traceId": "x" * 5000}, {"eventName": []},
        {"attributes": [{"key": "a", "value": {"futureValue": 1}}]},
    ],
)  # fmt: skip
def test_an_odd_value_never_costs_the_record(odd):
    body = orjson.dumps(request({"body": text("kept"), **odd}))
    assert [record.content for record in JSON.records(body, {})] == ["kept"]
    assert JSON.count(body) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"x"', b'{"resourceLogs":', b'{"resourceLogs":{}}', b'{"resourceLogs":[1]}', b"{}{}",
        b'{"resourceLogs":[{"scopeLogs":5}]}', b'{"resourceLogs":[{"scopeLogs":[{"logRecords":["x"]}]}]}',
    ],
)  # fmt: skip
def test_a_broken_frame_is_refused(body):
    for read in (lambda: JSON.records(body, {}), lambda: JSON.count(body)):
        with pytest.raises(BodyError) as caught:
            read()
        assert caught.value.code == "invalid_format"


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_cut_message_is_refused(cut):
    body = otlp_proto(log("x" * 50), resource={"service.name": "s"})[:-cut]
    for read in (lambda: PROTO.records(body, {}), lambda: PROTO.count(body)):
        with pytest.raises(BodyError) as caught:
            read()
        assert caught.value.code == "invalid_format"


def test_nothing_is_an_empty_request():
    assert JSON.records(b"{}", {}) == PROTO.records(b"", {}) == []
    assert both() == []


def test_text_that_is_not_utf8_costs_no_record():
    body = otlp_proto(
        log("good one"), log("bad two!", attributes=pairs({"k": "v"}), eventName="e"), resource={"host.name": "h"}
    )
    body = body.replace(b"bad two!", b"bad \xff\xfe!!")
    records = PROTO.records(body, {})
    assert [record.content for record in records] == ["good one", "bad \ufffd\ufffd!!"]
    assert records[1].envelope.fields == {"k": "v"}
    assert records[1].envelope.ecs["event.action"] == "e"
    assert PROTO.count(body) == (2, 0)
    assert "bad \ufffd\ufffd!!" in PROTO.raw(body, {}, 1)


def test_json_with_nan_and_half_characters_is_read():
    body = (
        otlp_json(log("half")).replace(b"half", rb"half \ud800").replace(b'"severityNumber":9', b'"severityNumber":NaN')
    )
    assert [record.content for record in JSON.records(body, {})] == ["half \ufffd"]
    assert JSON.count(body) == 1


def test_depth_is_cut_not_refused():
    value = text("x")
    for _ in range(MAX_VALUE_DEPTH + 20):
        value = {"arrayValue": {"values": [value]}}
    body = json.dumps(request(log({"kvlistValue": {"values": pairs({"a": value, "b": "c"})}}))).encode()
    record, = JSON.records(body, {})  # fmt: skip
    assert record.content["b"] == "c"
    assert TOO_DEEP in orjson.dumps(record.content).decode()


def test_json_beyond_any_depth_is_refused_or_cut_but_never_a_fault():
    nested = b'{"arrayValue":{"values":[' * 330 + b"1" + b"]}}" * 330
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + nested + b"}]}]}]}"
    record, = JSON.records(body, {})  # fmt: skip
    assert TOO_DEEP in record.content
    assert JSON.raw(body, {}, 0).startswith('{"resource":{},"scope":{},"logRecord":{"body":{"arrayValue":')
    with pytest.raises(BodyError):
        JSON.records(body.replace(nested, nested * 1).replace(b"1]", b"[" * 5000 + b"]" * 5000 + b"]"), {})


def test_protobuf_nested_beyond_the_limit_is_refused():
    value = logs_pb2.LogRecord().body
    root = value
    for _ in range(120):
        value = value.array_value.values.add()
    value.string_value = "x"
    log_bytes = b"\x2a" + varint(root.ByteSize()) + root.SerializeToString()
    body = wrapped(log_bytes)
    with pytest.raises(BodyError) as caught:
        PROTO.records(body, {})
    assert caught.value.code == "invalid_format"


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number, body):
    return bytes([number << 3 | 2]) + varint(len(body)) + body


def wrapped(*logs, resource=b"", scope=b""):
    inner = b"".join(field(2, log) for log in logs) + field(1, scope)
    return field(1, field(2, inner) + field(1, resource))


def test_what_holds_the_records_may_come_behind_them_and_in_pieces():
    resource = otlp_message(resource={"host.name": "h"}).resource_logs[0].resource.SerializeToString()
    more = otlp_message(resource={"service.name": "s"}).resource_logs[0].resource.SerializeToString()
    body = field(1, field(2, field(2, b"") + field(1, b"\x0a\x01n")) + field(1, resource) + field(1, more))
    record, = PROTO.records(body, {})  # fmt: skip
    assert record == Record("", Envelope(ecs={"host.name": "h", "service.name": "s", "log.logger": "n"}))


def test_a_log_record_over_the_limit_is_rejected_alone(monkeypatch):
    monkeypatch.setattr(proto_room, "MAX_MESSAGE_BYTES", 200)
    body = otlp_proto(log("a"), log("x" * 300), log("b"))
    assert [record.content for record in PROTO.records(body, {})] == ["a", "b"]
    assert PROTO.count(body) == (2, 1)
    assert '"body":"b"' in PROTO.raw(body, {}, 1)


def test_a_resource_over_the_limit_refuses_the_request(monkeypatch):
    monkeypatch.setattr(proto_room, "MAX_MESSAGE_BYTES", 200)
    with pytest.raises(BodyError) as caught:
        PROTO.count(otlp_proto(log("a"), resource={"k": "x" * 300}))
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("body", [wrapped(*[b""] * 9), field(1, field(2, b"") * 9), field(1, b"") * 9])
def test_countless_empty_elements_are_refused(body, monkeypatch):
    monkeypatch.setattr("triage.receivers.decoding.MAX_RECORDS", 8)
    for read in (lambda: PROTO.count(body), lambda: PROTO.records(body, {})):
        with pytest.raises(BodyError) as caught:
            read()
        assert caught.value.code == "too_many"


@pytest.mark.parametrize(("name", "limit"), [("MAX_RECORDS", 8), ("MAX_CONTAINERS", 10)])
def test_countless_objects_of_json_are_refused(monkeypatch, name, limit):
    body = orjson.dumps(request(*[{}] * 9))
    assert JSON.count(body) == 9
    monkeypatch.setattr(f"triage.receivers.decoding.{name}", limit)
    for read in (lambda: JSON.count(body), lambda: JSON.records(body, {})):
        with pytest.raises(BodyError) as caught:
            read()
        assert caught.value.code == "too_many"


def test_a_container_in_a_body_is_many_records():
    trail = orjson.dumps({"Records": [{"eventName": "A"}, {"eventName": "B"}]}).decode()
    as_map = {"kvlistValue": {"values": pairs({"Records": {"arrayValue": {"values": [
        {"kvlistValue": {"values": pairs({"eventName": "C"})}}, {"kvlistValue": {"values": pairs({"eventName": "D"})}},
    ]}}})}}  # fmt: skip
    records = both(log(trail), log("x"), log(as_map))
    assert [record.content for record in records] == [
        {"eventName": "A"}, {"eventName": "B"}, "x", {"eventName": "C"}, {"eventName": "D"}
    ]  # fmt: skip
    body = otlp_json(log(trail), log("x"), log(as_map))
    assert JSON.raw(body, {}, 1) == '{"eventName":"B"}'
    assert '"stringValue":"x"' in JSON.raw(body, {}, 2)
    assert (
        JSON.raw(body, {}, 4) == PROTO.raw(otlp_proto(log(trail), log("x"), log(as_map)), {}, 4) == '{"eventName":"D"}'
    )


def test_raw_shows_the_log_record_with_where_it_is_from():
    body = otlp_json(log("first"), log("second"), resource={"host.name": "h"})
    assert orjson.loads(JSON.raw(body, {}, 1)) == {
        "resource": {"attributes": pairs({"host.name": "h"})}, "scope": {"name": "app"}, "logRecord": log("second")
    }  # fmt: skip
    shown = orjson.loads(PROTO.raw(otlp_proto(log("first"), log("second"), resource={"host.name": "h"}), {}, 1))
    assert shown == {
        "resource": {"host.name": "h"}, "scope": {"name": "app", "version": "", "attributes": {}},
        "logRecord": {"body": "second", "time": AT, "severity": 9, "severity_text": "INFO"},
    }  # fmt: skip
    with pytest.raises(IndexError):
        JSON.raw(body, {}, 2)


def test_a_syslog_line_inside_is_read_by_its_own_parser():
    line = "<38>Nov 14 22:13:20 gate sshd[77]: Failed password for root from 192.0.2.9 port 22 ssh2"
    event, = parsers.parse(both(log(line), resource={"host.name": "collector", "team": "a"}), RECEIVED)  # fmt: skip
    assert event.fields["host.name"] == "gate"
    assert event.fields["labels.host.name"] == "collector"
    assert event.fields["source.ip"] == "192.0.2.9"
    assert event.fields["user.name"] == "root"
    assert event.fields["labels.team"] == "a"
    assert event.fields["log.logger"] == "app"
    assert event.fallback_reason == ""


def test_a_plain_message_has_the_records_own_time_and_level():
    event, = parsers.parse(both(log("hm", severityNumber=21), resource={"host.name": "h"}), RECEIVED)  # fmt: skip
    assert (event.message, event.timestamp, event.timestamp_origin) == ("hm", TIME, "envelope")
    assert (event.fields["log.level"], event.fields["host.name"]) == ("critical", "h")


VALUES = st.recursive(
    st.one_of(
        st.builds(text, st.text(max_size=5)),
        st.sampled_from([{}, None, 5, "x", [], {"intValue": "1"}, {"intValue": []}]),
        st.just(text('{"Records":[{"a":1},{"b":2}]}')), st.builds(lambda b: {"bytesValue": b}, st.text(max_size=4)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"arrayValue": {"values": items}}, st.lists(inner, max_size=3)),
        st.builds(lambda items: {"kvlistValue": {"values": [{"key": k, "value": v} for k, v in items]}},
                  st.lists(st.tuples(st.sampled_from(["a", "Records", ""]), inner), max_size=3)),
    ),
    max_leaves=6,
)  # fmt: skip
NAMES = st.sampled_from(["timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body", "attributes",
                         "traceId", "spanId", "eventName"])  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6), VALUES)
LOGS = st.lists(st.dictionaries(NAMES, SCALARS, max_size=5), max_size=4)


@given(logs=LOGS)
def test_any_json_log_records_are_counted_stored_and_shown(logs):
    try:
        body = orjson.dumps(request(*logs))
    except (orjson.JSONEncodeError, TypeError):
        return
    records = JSON.records(body, {})
    assert JSON.count(body) == len(records)
    for position, event in enumerate(parsers.parse(records, RECEIVED)):
        orjson.dumps(event.fields)
        assert isinstance(JSON.raw(body, {}, position), str)


@given(body=st.one_of(st.binary(max_size=80), st.binary(max_size=30).map(wrapped)))
def test_any_bytes_are_records_or_a_body_error(body):
    try:
        records = PROTO.records(body, {})
    except BodyError as error:
        with pytest.raises(BodyError, match=str(error)):
            PROTO.count(body)
        return
    assert PROTO.count(body)[0] == len(records)
    for position, event in enumerate(parsers.parse(records, RECEIVED)):
        orjson.dumps(event.fields)
        assert isinstance(PROTO.raw(body, {}, position), str)


@given(body=st.text(max_size=20), attributes=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_both_encodings_mean_the_same(body, attributes):
    both(log(body, attributes=pairs(attributes)))
