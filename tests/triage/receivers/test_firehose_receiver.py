"""Firehose: what is in the records, whole, counted and unchanged."""

import base64
import gzip

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import receivers
from triage.contracts import Envelope, Record
from triage.receivers import decoding, firehose
from triage.receivers.base import BodyError
from triage.receivers.inflating import Budget

RECEIVER = receivers.get("firehose")
SUBSCRIPTION = {
    "messageType": "DATA_MESSAGE",
    "owner": "111122223333",
    "logGroup": "/vpc/flow",
    "logStream": "eni-1",
    "subscriptionFilters": ["all"],
    "logEvents": [
        {"id": "1", "timestamp": 1767225600000, "message": "2 111122223333 eni-1 ACCEPT\nand more"},
        {"id": "2", "timestamp": 1767225601500, "message": '{"eventName": "ConsoleLogin"}'},
    ],
}


def request(*records, request_id="r-1"):
    encoded = [{"data": base64.b64encode(record).decode()} for record in records]
    return orjson.dumps({"requestId": request_id, "timestamp": 1767225600000, "records": encoded})


def read(*records, **parameters):
    return RECEIVER.records(firehose.packed(records), parameters)


def delivered(body, limit=10_000):
    return firehose.delivery(body, Budget(limit))


def test_records_are_decoded_and_inflated():
    body = request(b"plain", gzip.compress(b"packed"), gzip.compress(b"two ") + gzip.compress(b"members"), b"")
    assert delivered(body) == firehose.Delivery("r-1", (b"plain", b"packed", b"two members", b""))


def test_what_only_looks_like_gzip_stays_as_it_is():
    cut = gzip.compress(b"a line of some length")[:-4]
    assert delivered(request(cut, b"\x1f\x8b")).records == (cut, b"\x1f\x8b")


def test_one_budget_counts_for_all_records():
    bomb = gzip.compress(bytes(6_000))
    assert len(delivered(request(bomb)).records[0]) == 6_000
    with pytest.raises(BodyError) as caught:
        delivered(request(bomb, bomb))
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        (b"", "no_data", None),
        (b" \n", "no_data", None),
        (b"{", "invalid_format", 0),
        (b"[]", "invalid_format", None),
        (b"{}", "invalid_format", None),
        (b'{"records":{}}', "invalid_format", None),
        (b'{"records":[1]}', "invalid_format", 0),
        (b'{"records":[{"data":"YQ=="},{}]}', "invalid_format", 1),
        (b'{"records":[{"data":"YQ=="},{"data":null}]}', "invalid_format", 1),
        (b'{"records":[{"data":"%%%"}]}', "invalid_format", 0),
        (b'{"records":[{"data":"YQ"}]}', "invalid_format", 0),
        ('{"records":[{"data":"\u00e4"}]}'.encode(), "invalid_format", 0),
        (b'{"records":[]}{"records":[]}', "invalid_format", None),
    ],
)
def test_a_broken_delivery_is_refused_as_a_whole(body, code, number):
    with pytest.raises(BodyError) as caught:
        delivered(body)
    assert (caught.value.code, caught.value.event_number) == (code, number)


@pytest.mark.parametrize(
    ("data", "contents"),
    [
        (b"one line", ["one line"]),
        (b"one\r\n\ntwo\n", ["one", "two"]),
        (b'{"a":1}', [{"a": 1}]),
        (b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}{"a":2}', [{"a": 1}, {"a": 2}]),
        (b'{\n  "a": 1\n}', [{"a": 1}]),
        (b'\xef\xbb\xbf {"a":NaN}', [{"a": "NaN"}]),
        (b'{"a":1}\nnot JSON\n{"a":2}', ['{"a":1}', "not JSON", '{"a":2}']),
        (b'{"a":1}\n17', ['{"a":1}', "17"]),
        (b'{"a":', ['{"a":']),
        (b"{" * 500, ["{" * 500]),
        (b'{"a":' * 500 + b"1" + b"}" * 500, ['{"a":' * 500 + "1" + "}" * 500]),
        (b"caf\xe9 \x00", ["caf\ufffd \x00"]),
        (b'{"Records":[{"eventName":"A"},{"eventName":"B"}]}', [{"eventName": "A"}, {"eventName": "B"}]),
        (b"", []),
        (b" \n\t", []),
    ],
)
def test_a_record_holds_lines_or_objects(data, contents):
    assert [record.content for record in read(data)] == contents
    assert [record.content for record in read(b"before", data, b"after")] == ["before", *contents, "after"]


def test_a_log_subscription_is_one_record_per_log_event():
    first, second, after = read(orjson.dumps(SUBSCRIPTION), b"text", source="stream", fields='{"stage":"test"}')
    fields = {"stage": "test", "log_group": "/vpc/flow", "log_stream": "eni-1", "account_id": "111122223333"}
    assert first == Record(
        "2 111122223333 eni-1 ACCEPT\nand more", Envelope(time=1767225600.0, source="/vpc/flow", fields=fields)
    )
    assert second == Record(
        '{"eventName": "ConsoleLogin"}', Envelope(time=1767225601.5, source="/vpc/flow", fields=fields)
    )
    assert after == Record("text", Envelope(source="stream", fields={"stage": "test"}))


def test_a_control_message_is_a_record_so_that_nothing_hides_behind_its_name():
    control = SUBSCRIPTION | {
        "messageType": "CONTROL_MESSAGE",
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health"}],
    }
    assert [record.content for record in read(orjson.dumps(control))] == ["CWL CONTROL MESSAGE: Checking health"]


def test_odd_log_events_are_kept():
    odd = SUBSCRIPTION | {"logEvents": ["text", {"id": 1}, 17, {"message": 5}]}
    assert [record.content for record in read(orjson.dumps(odd))] == ["text", {"id": 1}, "17", {"message": 5}]
    assert read(orjson.dumps(SUBSCRIPTION | {"logEvents": []})) == []


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ('{"commonAttributes":{"stage":"test","site":7}}', '{"stage":"test","site":"7"}'),
        ('{"commonAttributes":{"nested":{"a":1}}}', '{"nested":""}'),
        ('{"commonAttributes":{}}', ""),
        ('{"commonAttributes":[]}', ""),
        ("{", ""),
        ("", ""),
        ("[]", ""),
    ],
)
def test_common_attributes_are_flat_text(header, fields):
    assert firehose.common_fields(header) == fields


def test_many_attributes_are_capped():
    header = orjson.dumps({"commonAttributes": {f"k{number}": "v" * 5_000 for number in range(90)}}).decode()
    fields = orjson.loads(firehose.common_fields(header))
    assert len(fields) == firehose.MAX_FIELDS
    assert set(map(len, fields.values())) == {1024}


def test_fields_that_are_no_object_are_left_out():
    assert read(b"x", fields="[1]") == read(b"x", fields="{") == [Record("x", Envelope())]


def test_raw_is_the_exact_text():
    subscription = orjson.dumps(SUBSCRIPTION)
    records = [b'{ "a" : 1 }{"a":2}', b"one\r\ntwo", subscription, b'{"Records":[{"b": 1}]}']
    stored = firehose.packed(records)
    texts = [RECEIVER.raw(stored, {}, position) for position in range(len(RECEIVER.records(stored, {})))]
    assert texts == [
        '{ "a" : 1 }',
        '{"a":2}',
        "one",
        "two",
        "2 111122223333 eni-1 ACCEPT\nand more",
        '{"eventName": "ConsoleLogin"}',
        '{"b":1}',
    ]
    with pytest.raises(IndexError):
        RECEIVER.raw(stored, {}, len(texts))


@pytest.mark.parametrize("body", [b"x", b"5:one\n", b"3:one4", b"-1:", b"3:one\n:", b"1:a\n\xff", b"9999999999999:x"])
def test_a_stored_body_that_is_damaged_is_found_out(body):
    with pytest.raises(BodyError) as caught:
        RECEIVER.records(body, {})
    assert caught.value.code == "invalid_format"


def test_past_the_cap_of_a_body_reading_stops(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_RECORDS", 3)
    with pytest.raises(BodyError) as caught:
        read(b"1\n2", b"3\n4")
    assert caught.value.code == "too_many"


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_records_go_through_unchanged(records):
    body = request(*records)
    found = delivered(body, 100_000)
    assert len(found.records) == len(records)
    stored = firehose.packed(found.records)
    assert list(firehose._unpacked(stored)) == list(found.records)
    if records:
        read_once = RECEIVER.records(stored, {})
        assert read_once == [
            record for data in found.records for record in RECEIVER.records(firehose.packed([data]), {})
        ]
        for position in range(len(read_once)):
            RECEIVER.raw(stored, {}, position)


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body):
    try:
        found = delivered(body)
    except BodyError:
        return
    assert RECEIVER.records(firehose.packed(found.records) or b"0:\n", {}) is not None
