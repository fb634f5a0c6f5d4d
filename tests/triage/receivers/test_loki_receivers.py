"""Loki's streams become records, whichever encoding brought them, whatever is in them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.push_samples import AT, loki_json, loki_proto
from triage import parsers, receivers
from triage.contracts import Envelope, Record
from triage.receivers import loki_proto as proto_room
from triage.receivers.base import BodyError
from triage.receivers.loki import MAX_LABELS, MAX_REASONS, parse_labels

JSON, PROTO = receivers.get("loki_json"), receivers.get("loki_proto")
RECEIVED = 1_700_000_100.0
NS = str(AT)
MICROSECONDS = 1_700_000_000_123_457


def test_lines_carry_labels_metadata_and_time():
    labels = {"job": "varlogs", "host": "web-1", "filename": "/var/log/auth.log"}
    metadata = {"trace_id": "t1", "user_id": "eve", "detected_level": "WARN"}
    expected = [
        Record(
            "one",
            Envelope(
                time=AT / 10**9,
                fields={"job": "varlogs"},
                ecs={"host.name": "web-1", "log.file.path": "/var/log/auth.log"},
            ),
        ),
        Record(
            "two",
            Envelope(
                time=(AT + 1000) / 10**9,
                fields={"job": "varlogs", "user_id": "eve"},
                ecs={
                    "host.name": "web-1", "log.file.path": "/var/log/auth.log",
                    "trace.id": "t1", "log.level": "warning",
                },
            ),
        ),
    ]  # fmt: skip
    in_json = loki_json((labels, [[NS, "one"], [str(AT + 1000), "two", metadata]]))
    text = '{job="varlogs", host="web-1", filename="/var/log/auth.log"}'
    in_proto = loki_proto((text, [(AT, "one", {}), (AT + 1000, "two", metadata)]))
    assert JSON.records(in_json, {}) == expected
    assert PROTO.records(in_proto, {}) == expected
    assert [JSON.raw(in_json, {}, 1), PROTO.raw(in_proto, {}, 1)] == ["two", "two"]


def test_times_are_exact_to_the_microsecond():
    for record in [
        *JSON.records(loki_json(({}, [[NS, "x"]])), {}),
        *PROTO.records(loki_proto(("{}", [(AT, "x", {})])), {}),
    ]:
        assert round(record.envelope.time * 1e6) == MICROSECONDS


def test_a_syslog_line_is_read_by_its_own_parser():
    line = "<38>Nov 14 22:13:20 gate sshd[77]: Failed password for root from 192.0.2.9 port 22 ssh2"
    records = JSON.records(loki_json(({"host": "agent", "app": "ssh"}, [[NS, line]])), {})
    event, = parsers.parse(records, RECEIVED)  # fmt: skip
    assert (event.fields["host.name"], event.fields["labels.host.name"]) == ("gate", "agent")
    assert (event.fields["source.ip"], event.fields["labels.app"]) == ("192.0.2.9", "ssh")


def test_a_plain_line_has_the_entrys_time_and_the_streams_host():
    records = JSON.records(loki_json(({"host": "h", "level": "error"}, [[NS, "hm"]])), {})
    event, = parsers.parse(records, RECEIVED)  # fmt: skip
    assert (event.message, event.timestamp, event.timestamp_origin) == ("hm", AT / 10**9, "envelope")
    assert (event.fields["host.name"], event.fields["log.level"]) == ("h", "error")


def test_a_line_that_is_a_container_is_many_records():
    line = '{"Records":[{"a":1},{"a":2}]}'
    body = loki_json(({"j": "k"}, [[NS, line], [NS, "x"]]))
    proto = loki_proto(('{j="k"}', [(AT, line, {}), (AT, "x", {})]))
    assert JSON.records(body, {}) == PROTO.records(proto, {})
    assert [record.content for record in JSON.records(body, {})] == [{"a": 1}, {"a": 2}, "x"]
    assert [JSON.raw(body, {}, 1), PROTO.raw(proto, {}, 1), PROTO.raw(proto, {}, 2)] == ['{"a":2}', '{"a":2}', "x"]


@pytest.mark.parametrize(
    "bad",
    [[NS, {"fizz": "buzz"}], [NS], [NS, None], [], "x", 5, None, [NS, 7], {"ts": NS}, ["soon", "x"], [None, "x"],
     [True, "x"], ["9" * 5000, "x"], [{}, "x"]],
)  # fmt: skip
def test_an_entry_of_another_shape_is_left_out_alone(bad):
    body = loki_json(({"a": "b"}, [[NS, "good"], bad]), ({"c": "d"}, [bad, [AT, "number"]]))
    push = JSON.read(body)
    assert [record.content for record in push.records] == ["good", "number"]
    assert push.refused == 2
    assert push.reasons == [
        f"stream {number}: an entry is not a time in nanoseconds and a line of text" for number in (0, 1)
    ]
    assert JSON.raw(body, {}, 1) == "number"


@pytest.mark.parametrize("when", ["0", "-1", str(2**64 - 1), -5, 2**63, 1.7e18])
def test_a_time_out_of_range_is_no_reason_to_lose_a_line(when):
    event, = parsers.parse(JSON.records(loki_json(({}, [[when, "kept"]])), {}), RECEIVED)  # fmt: skip
    assert event.message == "kept"
    assert event.timestamp_origin == ("received" if when != 1.7e18 else "envelope")


@pytest.mark.parametrize(
    ("when", "origin", "flag"),
    [(RECEIVED - 40 * 86_400, "envelope", "ancient"), (RECEIVED + 3_600, "envelope", "future"),
     (RECEIVED, "envelope", None), (RECEIVED + 90_000, "received", "future"), (5.0, "received", "ancient")],
)  # fmt: skip
def test_an_old_or_a_future_time_is_taken_and_marked(when, origin, flag):
    body = loki_json(({}, [[str(int(when * 10**9)), "kept"]]))
    event, = parsers.parse(JSON.records(body, {}), RECEIVED)  # fmt: skip
    assert event.timestamp == (when if origin == "envelope" else RECEIVED)
    assert (event.timestamp_origin, event.fields.get("winnow.time_flag")) == (origin, flag)


@pytest.mark.parametrize("seconds", [-(2**63), 2**63 - 1, -1])
def test_a_protobuf_time_out_of_range_neither(seconds):
    push = proto_room.MESSAGES["PushRequest"]()
    entry = push.streams.add(labels=b"{}").entries.add(line=b"kept")
    entry.timestamp.seconds, entry.timestamp.nanos = seconds, -(2**31)
    event, = parsers.parse(PROTO.records(push.SerializeToString(), {}), RECEIVED)  # fmt: skip
    assert event.message == "kept"


def test_reasons_are_capped_but_counted():
    push = JSON.read(loki_json(({}, [["x", "x"]] * 5000)))
    assert (push.records, push.refused, len(push.reasons)) == ([], 5000, MAX_REASONS)


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_an_empty_json_body_is_no_data(body):
    with pytest.raises(BodyError) as caught:
        JSON.records(body, {})
    assert caught.value.code == "no_data"


@pytest.mark.parametrize(
    "body",
    [
        b'{"streams":[', b"[]", b"null", b'"x"', b'{"streams":{}}', b'{"streams":[5]}', b'{"streams":null}',
        b'{"streams":[{"stream":5}]}', b'{"streams":[{"stream":{},"values":"x"}]}', b"{}{}",
    ],
)  # fmt: skip
def test_a_broken_frame_is_refused(body):
    with pytest.raises(BodyError) as caught:
        JSON.records(body, {})
    assert caught.value.code == "invalid_format"


def test_labels_and_metadata_of_odd_types_become_text():
    record, = JSON.records(loki_json(({"n": 5, "o": {"a": [1]}}, [[NS, "x", {"m": None, "t": True}]])), {})  # fmt: skip
    assert record.envelope.fields == {"n": "5", "o": '{"a":[1]}', "m": "null", "t": "true"}


def test_nothing_pushed_is_nothing():
    assert JSON.records(b'{"streams":[]}', {}) == JSON.records(b"{}", {}) == PROTO.records(b"", {}) == []


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('{job="x", host="y"}', {"job": "x", "host": "y"}),
        ('  { job = "x" ,host="y",} ', {"job": "x", "host": "y"}),
        ("{}", {}),
        ("", {}),
        (r'{a="q\"\\\n\t\x41\u00e9\U0001F600\101"}', {"a": 'q"\\\n\tA\u00e9\U0001f600A'}),
        (r'{a="\ud800\UFFFFFFFF\q"}', {"a": "\ufffd\ufffd\\q"}),
        (r"{a=`raw\n`}", {"a": "raw\\n"}),
        ('{a="},{=\\"", b=""}', {"a": '},{="', "b": ""}),
        ('{k8s.pod="x", a-b="y"}', {"k8s.pod": "x", "a-b": "y"}),
    ],
)
def test_labels_are_read_with_their_escapes(text, labels):
    assert parse_labels(text) == labels


@pytest.mark.parametrize(
    "text",
    ["job", '{job="x"', 'job="x"}', "{job=x}", '{job="x"} {a="b"}', '{job="x" a="b"}', '{="x"}', '{job="x}',
     '{job="x"}ab="c"}', '{job="x"xab="c"}', '{job=~"x"}', "{,}",
     "{" + ",".join(f'a{n}="x"' for n in range(MAX_LABELS + 1)) + "}",
     '{a="' + "x" * 70_000 + '"}', "{" + " " * 60_000 + "x}", '{a="' + "\\" * 60_000 + "}"],
)  # fmt: skip
def test_labels_that_cannot_be_read_refuse_their_stream_alone(text):
    with pytest.raises(BodyError):
        parse_labels(text)
    push = PROTO.read(loki_proto((text, [(AT, "a", {}), (AT, "b", {})]), ('{j="k"}', [(AT, "good", {})])))
    assert [record.content for record in push.records] == ["good"]
    assert (push.refused, push.reasons) == (2, ["stream 0: its labels cannot be read"] * 2)


def test_a_line_that_is_not_utf8_is_kept():
    body = loki_proto((b'{h="\xff"}', [(AT, b"bad \xff\x00", {})]))
    record, = PROTO.records(body, {})  # fmt: skip
    assert (record.content, record.envelope.fields) == ("bad \ufffd\0", {"h": "\ufffd"})


def test_an_entry_over_the_limit_is_refused_alone(monkeypatch):
    monkeypatch.setattr(proto_room, "MAX_ENTRY_BYTES", 100)
    push = PROTO.read(loki_proto(("{}", [(AT, "a", {}), (AT, "x" * 200, {}), (AT, "b", {})])))
    assert [record.content for record in push.records] == ["a", "b"]
    assert (push.refused, push.reasons) == (1, ["stream 0: an entry is larger than 100 bytes"])


def test_countless_entries_of_json_are_refused(monkeypatch):
    body = loki_json(({}, [[]] * 5), ({}, [[]] * 4))
    assert JSON.read(body).refused == 9
    monkeypatch.setattr("triage.receivers.decoding.MAX_RECORDS", 8)
    with pytest.raises(BodyError) as caught:
        JSON.records(body, {})
    assert caught.value.code == "too_many"


@pytest.mark.parametrize("body", [b"\x0a\x12" + b"\x12\x00" * 9, b"\x0a\x00" * 9])
def test_countless_empty_elements_are_refused(body, monkeypatch):
    monkeypatch.setattr("triage.receivers.decoding.MAX_RECORDS", 8)
    with pytest.raises(BodyError) as caught:
        PROTO.records(body, {})
    assert caught.value.code == "too_many"


@pytest.mark.parametrize("cut", [1, 3, 9])
def test_a_cut_message_is_refused(cut):
    with pytest.raises(BodyError) as caught:
        PROTO.records(loki_proto(('{a="b"}', [(AT, "some line", {"k": "v"})]))[:-cut], {})
    assert caught.value.code == "invalid_format"


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(max_size=5), st.just(NS)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip


@given(streams=st.lists(st.fixed_dictionaries({}, optional={"stream": VALUES, "values": VALUES}), max_size=3))
def test_any_json_streams_are_records_or_a_body_error(streams):
    body = orjson.dumps({"streams": streams})
    try:
        push = JSON.read(body)
    except BodyError:
        return
    assert JSON.records(body, {}) == push.records
    for position, record in enumerate(push.records):
        assert JSON.raw(body, {}, position) == record.content


ENTRIES = st.lists(st.tuples(st.integers(0, 2**62), st.binary(max_size=8), st.just({})), max_size=3)
LABELS = st.one_of(st.binary(max_size=10), st.sampled_from([b'{a="b"}', b"{}", b'{a="\\u12"}']))


@given(
    body=st.one_of(
        st.binary(max_size=80),
        st.lists(st.tuples(LABELS, ENTRIES), max_size=3).map(lambda streams: loki_proto(*streams)),
    )
)
def test_any_bytes_are_records_or_a_body_error(body):
    try:
        push = PROTO.read(body)
    except BodyError:
        return
    assert PROTO.records(body, {}) == push.records
    for position, event in enumerate(parsers.parse(push.records, RECEIVED)):
        orjson.dumps(event.fields)
        assert PROTO.raw(body, {}, position) == push.records[position].content


@given(text=st.text(alphabet='{}="\\,`ax \n', max_size=30))
def test_any_text_is_labels_or_a_body_error(text):
    try:
        labels = parse_labels(text)
    except BodyError:
        return
    assert all(isinstance(value, str) for value in labels.values())
