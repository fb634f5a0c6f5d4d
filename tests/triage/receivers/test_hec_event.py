import pytest

from triage import receivers
from triage.contracts import NO_ENVELOPE, Envelope, Record
from triage.receivers.base import BodyError

RECEIVER = receivers.get("hec_event")


def read(body, **parameters):
    return RECEIVER.records(body, parameters)


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"one"}{"event":"two"}',
        b'{"event":"one"}\n{"event":"two"}\n',
        b'\r\n\t{"event":"one"}  \r\n {"event":"two"}',
        b'{\n  "event": "one"\n}\n{\n  "event": "two"\n}',
        b'\xef\xbb\xbf{"event":"one"}{"event":"two"}',
    ],
    ids=["concatenated", "lines", "blanks", "pretty", "byte order mark"],
)
def test_a_stream_of_objects_with_any_blanks_between(body):
    assert [record.content for record in read(body)] == ["one", "two"]


def test_braces_and_newlines_inside_a_string_do_not_cut_it():
    body = rb'{"event":"a}{b"}{"event":"c}\n{d"}'
    assert [record.content for record in read(body)] == ["a}{b", "c}\n{d"]
    assert RECEIVER.raw(body, {}, 1) == r'{"event":"c}\n{d"}'


def test_a_real_newline_inside_a_string_is_kept_and_forges_nothing():
    records = read(b'{"event":"login ok\n{\\"event\\":\\"forged\\"}"}')
    assert records == [Record('login ok\n{"event":"forged"}', Envelope())]


def test_metadata_comes_from_the_event_then_from_the_request():
    body = b'{"event":{"a":1},"host":"web-1","index":7,"fields":{"tag":["x","y"]}}{"event":"b"}'
    assert read(body, host="default", sourcetype="st") == [
        Record({"a": 1}, Envelope(host="web-1", sourcetype="st", index="7", fields={"tag": ["x", "y"]})),
        Record("b", Envelope(host="default", sourcetype="st")),
    ]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (b"1426279439", 1426279439.0),
        (b"1426279439.123", 1426279439.123),
        (b'"1426279439.500"', 1426279439.5),
        (b"1426279439123", 1426279439.123),
        (b"1426279439123456", 1426279439.123456),
        (b"1426279439000000000", 1426279439.0),
        (b'"2015-03-13T20:43:59Z"', 1426279439.0),
        (b'"2015-03-13T20:43:59"', 1426279439.0),
        (b"0", 0.0),
        (b"1e300", None),
        (b"1e999", None),
        (b"-1", None),
        (b"NaN", None),
        (b"18446744073709551615999999", None),
        (b"true", None),
        (b"null", None),
        (b'"soon"', None),
        (b'"9999-12-31T23:59:59.999999-23:59"', 253402387139.999999),
        (b"[1]", None),
    ],
)
def test_time_in_every_shape(time, seconds):
    [record] = read(b'{"time":' + time + b',"event":"x"}')
    assert record.envelope.time == seconds


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        (b"", "no_data", None),
        (b" \n\t ", "no_data", None),
        (b'{"event":', "invalid_format", 0),
        (b'{"event":"a"}{"event":"b"}{"event', "invalid_format", 2),
        (b'{"event":"a"} nonsense', "invalid_format", 1),
        (b'{"event":"a"},{"event":"b"}', "invalid_format", 1),
        (b'[{"event":"a"}]', "invalid_format", 0),
        (b'{"event":"a"}\n17', "invalid_format", 1),
        (b'{"message":"x"}', "event_required", 0),
        (b'{"event":"a"}{"event":null}', "event_required", 1),
        (b'{"event":"a"}{"event":""}', "event_blank", 1),
        (b'{"event":{}}', "event_blank", 0),
        (b'{"event":"a","fields":{"a":{}}}', "nested_fields", 0),
        (b'{"event":"a","fields":{"a":[[1]]}}', "nested_fields", 0),
        (b'{"event":"a","fields":3}', "nested_fields", 0),
    ],
)
def test_what_breaks_the_protocol_has_its_code_and_number(body, code, number):
    with pytest.raises(BodyError) as caught:
        read(body)
    assert (caught.value.code, caught.value.event_number) == (code, number)


@pytest.mark.parametrize(
    ("event", "content"),
    [
        (b'{"a":NaN,"b":-Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a":1e999}', {"a": "1e999"}),
        (b'{"a":' + b"9" * 500 + b"}", {"a": "9" * 500}),
        (rb'"\ud800x"', "\ufffdx"),
        (b'"caf\xe9"', "caf\ufffd"),
        (rb'"a\u0000b"', "a\0b"),
        (b"[1,2]", "[1,2]"),
        (b"17", "17"),
        (b"false", "false"),
        (b"0", "0"),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_oddities_are_kept_as_text(event, content):
    [record] = read(b'{"event":' + event + b"}")
    assert record.content == content


@pytest.mark.parametrize("depth", [401, 2000, 100_000])
def test_deep_nesting_is_refused(depth):
    with pytest.raises(BodyError) as caught:
        read(b'{"event":' + b"[" * depth + b"]" * depth + b"}")
    assert caught.value.code == "invalid_format"


def test_honest_nesting_is_kept():
    [record] = read(b'{"event":' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}")
    assert record.content["a"]["a"]["a"]["a"].keys() == {"a"}


def test_joined_bodies_give_the_records_of_each():
    bodies = [b'{"event":"one"}{"event":NaN}', b'{"event":\n"two"}', b'{"event":"caf\xe9"}\n', b'{"event":"f\\"}{"}']
    alone = [record for body in bodies for record in read(body)]
    joined = b"\n".join(bodies)
    assert RECEIVER.joinable
    assert read(joined) == alone
    assert [RECEIVER.raw(joined, {}, position) for position in range(5)] == [
        '{"event":"one"}',
        '{"event":NaN}',
        '{"event":\n"two"}',
        '{"event":"caf\ufffd"}',
        '{"event":"f\\"}{"}',
    ]


def test_raw_is_the_exact_text():
    body = b'{ "event" : "one" }\r\n{"event":"two"}'
    assert RECEIVER.raw(body, {}, 0) == '{ "event" : "one" }'
    assert RECEIVER.raw(body, {}, 1) == '{"event":"two"}'


def test_without_metadata_nothing_is_invented():
    [record] = read(b'{"event":"x"}')
    assert record.envelope == NO_ENVELOPE
