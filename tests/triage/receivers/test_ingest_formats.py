import pytest

from triage import receivers
from triage.contracts import Envelope, Record
from triage.plugins import PluginError
from triage.receivers import decoding, ndjson
from triage.receivers.base import BodyError
from triage.receivers.ndjson import RejectedLine


def contents(reading):
    return [record.content for record in reading.records]


@pytest.mark.parametrize(
    ("content_type", "body", "receiver", "expected"),
    [
        ("application/x-ndjson", b'{"a":1}\r\n\r\n{"a":2}', "ndjson", [{"a": 1}, {"a": 2}]),
        ("application/json; charset=utf-8", b'{\n"a": 1\n}', "json", [{"a": 1}]),
        ("application/json", b'{"a":1}', "ndjson", [{"a": 1}]),
        ("application/json", b'[{"a":1},{"a":2},"three",4]', "json", [{"a": 1}, {"a": 2}, "three", "4"]),
        ("application/json", b'{\n"a":1\n}\n{\n"a":2\n}', "json", [{"a": 1}, {"a": 2}]),
        ("application/json", b"[]", "json", []),
        ("", b'{"a":1}\n{"a":2}\n', "ndjson", [{"a": 1}, {"a": 2}]),
        ("application/x-www-form-urlencoded", b'{"a":1}', "ndjson", [{"a": 1}]),
        ("", b'[{"a":1}]', "json", [{"a": 1}]),
        ("", b"[2026-01-01] started\nstopped", "lines", ["[2026-01-01] started", "stopped"]),
        ("text/plain", b'one\n\n{"a":1}\n{broken', "lines", ["one", {"a": 1}, "{broken"]),
        ("text/plain", b"caf\xe9\x00", "lines", ["caf\ufffd\0"]),
        ("", b"one\r\ntwo\xe2\x80\xa8still two\x0b\x85", "lines", ["one", "two\u2028still two\x0b\ufffd"]),
    ],
)
def test_the_format_is_found(content_type, body, receiver, expected):
    reading = ndjson.read(body, content_type, {})
    assert (reading.receiver, contents(reading), reading.rejected) == (receiver, expected, ())
    assert [record.content for record in receivers.get(receiver).records(body, {})] == expected


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", ""])
@pytest.mark.parametrize("body", [b"{", b'{"key"}', b'{"a":1', b'{"a":1}}{'])
def test_a_body_without_one_good_line_is_refused(content_type, body):
    with pytest.raises(BodyError) as caught:
        ndjson.read(body, content_type, {})
    assert caught.value.code == "invalid_format"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
@pytest.mark.parametrize("body", [b"", b" \r\n\t\n"])
def test_an_empty_body_is_refused(content_type, body):
    with pytest.raises(BodyError) as caught:
        ndjson.read(body, content_type, {})
    assert caught.value.code == "no_data"


def test_bad_lines_are_reported_and_are_no_records():
    body = b'{"a":1}\n\n{"key"}\n17\n{"a":NaN}\n{"a":2'
    reading = ndjson.read(body, "application/x-ndjson", {})
    assert contents(reading) == [{"a": 1}, {"a": "NaN"}]
    assert reading.rejected == (
        RejectedLine(3, "not valid JSON"),
        RejectedLine(4, "not a JSON object"),
        RejectedLine(6, "not valid JSON"),
    )
    stored = receivers.get("ndjson")
    assert stored.records(body, {}) == reading.records
    assert stored.raw(body, {}, 1) == '{"a":NaN}'


def test_request_metadata_is_on_every_record():
    reading = ndjson.read(b'{"a":1}\n{"a":2}', "application/x-ndjson", {"host": "h", "sourcetype": "st"})
    assert reading.records == [Record({"a": n}, Envelope(host="h", sourcetype="st")) for n in (1, 2)]


@pytest.mark.parametrize(
    ("name", "bodies", "raws"),
    [
        ("json", [b'{\n"a":1}', b'[{"a": 2},"x"]', b'{"a":NaN}'], ['{\n"a":1}', '{"a":2}', "x", '{"a":NaN}']),
        ("ndjson", [b'{"a":1}\r\n', b'{"a":2}\nbad'], ['{"a":1}', '{"a":2}']),
        ("lines", [b"one\r\n", b" two"], ["one", " two"]),
        ("syslog", [b"<13>a\n", b"<13>b\n\n"], ["<13>a", "<13>b"]),
        ("hec_raw", [b"one", b"two\nthree"], ["one", "two", "three"]),
    ],
)
def test_joined_bodies_give_the_records_of_each(name, bodies, raws):
    receiver = receivers.get(name)
    alone = [record for body in bodies for record in receiver.records(body, {})]
    joined = b"\n".join(bodies)
    assert receiver.joinable
    assert receiver.records(joined, {}) == alone
    assert [receiver.raw(joined, {}, position) for position in range(len(alone))] == raws


def test_hec_raw_lines_carry_the_query_metadata():
    records = receivers.get("hec_raw").records(b"a\r\n\nb\n", {"host": "h", "index": "i"})
    assert records == [Record("a", Envelope(host="h", index="i")), Record("b", Envelope(host="h", index="i"))]


def test_a_json_line_in_hec_raw_and_syslog_stays_text():
    for name in ("hec_raw", "syslog"):
        assert [record.content for record in receivers.get(name).records(b'{"a":1}', {})] == ['{"a":1}']


@pytest.mark.parametrize("name", ["hec_raw", "syslog", "lines", "ndjson", "json", "hec_event"])
def test_too_many_records_are_refused_before_they_are_made(name, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_RECORDS", 3)
    body = b"[1,2,3,4]" if name == "json" else b'{"event":1}\n' * 4
    with pytest.raises(BodyError) as caught:
        receivers.get(name).records(body, {})
    assert caught.value.code == "too_many"


def test_an_unknown_receiver_is_named():
    with pytest.raises(PluginError, match="carrier_pigeon"):
        receivers.get("carrier_pigeon")
