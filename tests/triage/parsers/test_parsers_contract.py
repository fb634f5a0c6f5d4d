"""What holds for every parser of the table, whatever it is given; a new row is tested by itself."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Envelope, ParsedEvent, Record

RECEIVED_AT = 1_767_225_600.0
ORIGINS = {"event", "envelope", "received"}
TOKENS = (
    "@timestamp",
    "_path",
    "ts",
    "uid",
    "id",
    "id.orig_h",
    "id.orig_p",
    "event_type",
    "flow_id",
    "src_ip",
    "timestamp",
    "alert",
    "http",
    "url",
    "status",
    "eventName",
    "eventSource",
    "userIdentity",
    "eventVersion",
    "sessionContext",
    "requestParameters",
    "responseElements",
    "resources",
    "Event",
    "MESSAGE",
    "__REALTIME_TIMESTAMP",
    "_SYSTEMD_UNIT",
    "ID",
    "SYSCALL",
    "EXECVE",
    "ARGV",
    "t",
    "$date",
    "c",
    "msg",
    "attr",
    "request",
    "method",
    "uri",
    "remote_ip",
    "error_severity",
    "session_id",
    "System",
    "EventData",
    "Data",
    "UserData",
    "EventID",
    "Channel",
    "Provider",
    "TimeCreated",
    "winlog",
    "event_data",
    "event",
    "log",
    "message",
    "host",
    "user",
    "level",
    "SourceName",
    "@Name",
    "#text",
)
TEXTS = (
    "Dec 27 11:02:49 web-1 sshd[9]: ",
    "type=SYSCALL msg=audit(1766833369.250:405): ",
    "type=EXECVE msg=audit(1766833369.250:405): a0=",
    "saddr=020001BBC63364070000000000000000",
    "proctitle=7368002D63",
    "<Event><System><EventID>",
    "</EventID></System><EventData><Data Name='x'>",
    "<![CDATA[",
    "&#x110000;",
    "#Fields: date time c-ip cs-method",
    "#separator \\x09",
    "#fields\tts\tuid",
    "1766833369.250000\tCabc123def456gh7\t192.0.2.7\t1\t192.0.2.8\t2\t",
    "2025-12-27 11:02:49 192.0.2.5 GET /a - 443 - 203.0.113.9 c - 200 0 0 1",
    "2025-12-27 11:02:49.250 UTC [9] a@b FATAL:  ",
    "20251227 11:02:49,db-1,alice,203.0.113.9,41,0,QUERY,,",
    "login failed for user '",
    "' from [2001:db8::9]:4000",
    "client 203.0.113.9#53 denied",
    "2025-12-27T11:02:49.25Z stdout F ",
    ' - - [27/Dec/2025:11:02:49 +0000] "POST /x" 401',
    "10.0.0.1:1 -> 10.0.0.2:2 ",
    "12/27/2025, 11:02:49 PM [WARN] ",
    "<34>1 2025-12-27T11:02:49Z h sshd 1 - - ",
    "<13>",
    '[x y="',
    "Failed password for ",
    " from 203.0.113.9 port 4000 ssh2",
    "pam_unix(sshd:auth): authentication failure; rhost=",
    "sudo: a : TTY=x ; COMMAND=",
    '203.0.113.9 - - [27/Dec/2025:11:02:49 +0000] "',
    'GET / HTTP/1.1" 200 1',
    '"',
    "\\",
    "%ASA-6-302013: ",
    "[Sat Dec 27 11:02:49 2025] [error] ",
    "2025/12/27 11:02:49 [error] 8#8: ",
    "2025-12-27T11:02:49Z ",
    "{",
    "}",
    "\x00",
    "\ud800",
    "é",
    " ",
    "=",
    "user=",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**70)
    | st.floats()
    | st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
    | st.sampled_from(TEXTS)
)
names = st.sampled_from(TOKENS) | st.text(max_size=8)
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=30)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(TOKENS) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=25,
)
objects = st.dictionaries(names, documents, max_size=10)
lines = st.lists(
    st.sampled_from(TEXTS) | st.text(alphabet=st.characters(exclude_categories=()), max_size=30), max_size=8
)
contents = lines.map("".join) | objects
envelopes = st.builds(
    Envelope,
    time=st.none() | st.floats(),
    host=st.text(max_size=10),
    source=st.text(alphabet=st.characters(exclude_categories=()), max_size=10),
    sourcetype=st.text(max_size=10),
    index=st.text(max_size=10),
    fields=st.none() | objects,
)
records = st.builds(Record, content=contents, envelope=envelopes)


def is_clean(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def check_scalar(value: Any) -> None:
    assert type(value) in (str, int, float, bool)
    if isinstance(value, str):
        assert len(value) <= 8192
        assert is_clean(value)
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**64
    else:
        assert value - value == 0.0


def check_event(event: ParsedEvent) -> None:
    """Everything a store and a page rely on."""
    assert type(event) is ParsedEvent
    assert event.timestamp_origin in ORIGINS
    assert 631_152_000 <= event.timestamp <= RECEIVED_AT + 86_400
    assert len(event.message) <= 32_768
    assert is_clean(event.message)
    assert len(event.fields) <= 256
    for name, value in event.fields.items():
        assert is_clean(name)
        if isinstance(value, list):
            assert 0 < len(value) <= 64
            for item in value:
                check_scalar(item)
        else:
            check_scalar(value)
    assert orjson.loads(orjson.dumps([event.message, event.fields])) == [event.message, event.fields]


@given(st.lists(records, max_size=4))
def test_anything_gives_one_storable_event_per_record(batch: list[Record]) -> None:
    memory: dict[str, str] = {}
    events = parsers.parse(batch, RECEIVED_AT, memory=memory)
    assert len(events) == len(batch)
    for event in events:
        check_event(event)
        assert not event.fallback_reason.startswith("parser_error"), event.fallback_reason
    assert parsers.parse(batch, RECEIVED_AT, memory=memory) == events


@pytest.mark.parametrize("name", sorted(parsers.TABLE))
@given(record=records)
def test_a_parser_claims_within_bounds_and_never_raises(name: str, record: Record) -> None:
    parser = parsers.load()[name]
    claim = parser.claim(record)
    assert type(claim) is int
    assert 0 <= claim <= 100
    event = parser.parse(record, RECEIVED_AT)
    if event is not None:
        assert event.parser == name
        check_event(event)


@pytest.mark.parametrize("name", sorted(set(parsers.TABLE) - {"fallback"}))
@pytest.mark.parametrize("content", ["", "garbage", "\x00", "}{", "a" * 5000, {}])
def test_a_parser_does_not_claim_garbage(name: str, content: Any) -> None:
    parser = parsers.load()[name]
    assert parser.claim(Record(content)) == 0
    assert parser.parse(Record(content), RECEIVED_AT) is None


@pytest.mark.parametrize("name", sorted(parsers.TABLE))
def test_a_parser_is_called_as_its_row(name: str) -> None:
    assert parsers.load()[name].name == name


WIDE: dict[str, Any] = {f"k{number}": "v" * 9000 for number in range(600)}
SHAPES: dict[str, dict[str, Any]] = {
    "ecs_json": {},
    "zeek": {"_path": "conn", "uid": "C", "id.orig_h": "192.0.2.1", "ts": 1},
    "suricata": {"event_type": "alert", "flow_id": 1},
    "cloudtrail": {"eventName": "X", "eventSource": "s", "eventVersion": "1", "requestParameters": WIDE},
    "windows": {"winlog": {"event_data": WIDE}},
}


@pytest.mark.parametrize("parser", sorted(SHAPES))
def test_caps_hold_for_wide_documents(parser: str) -> None:
    content = {**SHAPES[parser], **WIDE, "many": list(range(1000)), "message": "m" * 100_000}
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    assert event.parser == parser
    assert len(event.fields) > 200
    check_event(event)


def test_a_long_line_keeps_its_beginning() -> None:
    (event,) = parsers.parse([Record("Dec 27 11:02:49 web-1 app: " + "x" * 100_000)], RECEIVED_AT)
    assert event.parser == "syslog"
    assert len(event.message) == 32_768


def test_depth_ends_at_twenty() -> None:
    content: dict[str, Any] = {"leaf": 1, "next": {}}
    here = content
    for _ in range(40):
        here["next"] = {"leaf": 1}
        here = here["next"]
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    assert len(event.fields) == 20
    assert max(name.count(".") for name in event.fields) == 19


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 6000 + "}",
        '{"a": 1}{"b": 2}',
        '{"a": 1',
        "{" * 100_000,
        "[" * 100_000,
    ],
    ids=["deep", "nan", "surrogate", "overflow", "huge number", "two objects", "cut", "braces", "brackets"],
)
def test_text_that_is_almost_json_is_kept_as_text_or_read_soundly(text: str) -> None:
    (event,) = parsers.parse([Record(text)], RECEIVED_AT)
    check_event(event)
    assert not event.fallback_reason.startswith("parser_error")


def test_what_postgresql_refuses_is_replaced() -> None:
    content = {"a": "x\x00y\ud800z", "b\x00": 2**80, "n": float("nan"), "i": float("inf"), "neg": -(2**64)}
    (event,) = parsers.parse([Record(content)], RECEIVED_AT)
    assert event.fields == {
        "a": "x\ufffdy\ufffdz",
        "b\ufffd": str(2**80),
        "n": "nan",
        "i": "inf",
        "neg": str(-(2**64)),
    }


def test_an_envelope_that_cannot_be_read_costs_the_envelope_only() -> None:
    record = Record("words only", Envelope(fields={1: "x"}))  # type: ignore[dict-item]
    (event,) = parsers.parse([record], RECEIVED_AT)
    assert event.message == "words only"
    assert event.parser == "fallback"
    assert event.fallback_reason.startswith("parser_error:")
