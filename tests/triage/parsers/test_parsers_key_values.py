"""Lines of key=value pairs: how a pair is cut out, when a line is one of them, and what stays another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import key_values

RECEIVED_AT = 1_767_225_600.0


def event_of(line: str) -> ParsedEvent:
    (event,) = parsers.parse([Record(line)], RECEIVED_AT, memory={})
    return event


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("words only", {}),
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ("a= b=2", {"a": "", "b": "2"}),
        ("a=first a=second", {"a": "first"}),
        ('a="two words" b=3', {"a": "two words", "b": "3"}),
        (r'a="say \"hi\" now" b=1', {"a": 'say "hi" now', "b": "1"}),
        (r'a="x\\y" b="\"q\""', {"a": r"x\y", "b": '"q"'}),
        (r'a="C:\Windows\x" b="CORP\nick"', {"a": r"C:\Windows\x", "b": r"CORP\nick"}),
        ('a="src=192.0.2.66 b=evil" b=good', {"a": "src=192.0.2.66 b=evil", "b": "good"}),
        ('a="never closed b=2', {"a": "never closed b=2"}),
        ("a='two words' b=it's", {"a": "two words", "b": "it's"}),
        ("a=1,b=two words,c=3", {"a": "1", "b": "two words", "c": "3"}),
        ('a=1, b="x, y", c=3,', {"a": "1", "b": "x, y", "c": "3"}),
        ("a=1; b=two words; c=3;", {"a": "1", "b": "two words", "c": "3"}),
        ("a=1|b=two words|c=3", {"a": "1", "b": "two words", "c": "3"}),
        ('[a:"1"; b:"x; y"; c:"3"]', {"a": "1", "b": "x; y", "c": "3"}),
        ("u=/x?q=1&r=2 v=w", {"u": "/x?q=1&r=2", "v": "w"}),
        ("http://h/?q=1", {}),
        ("dev-name.x/y@z=1", {"dev-name.x/y@z": "1"}),
    ],
)
def test_pairs(text: str, pairs: dict[str, str]) -> None:
    assert key_values.pairs(text) == pairs
    assert key_values.scan(text)[0] == pairs


def test_pairs_are_capped() -> None:
    many = " ".join(f"k{number}=v" for number in range(1000))
    assert len(key_values.pairs(many)) == 224
    assert len(key_values.scan(many)[0]) == 224
    assert len(key_values.pairs('a="' + "x" * 20_000 + '"')["a"]) == 8_192
    assert key_values.pairs("x " * 20_000 + "a=1") == {}


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("words", 0.0), ("a=1 b=2", 1.0), ('a="x y", b=2', 1.0), ("abc a=1", 0.5), ("a=1 abc", 0.5)],
)
def test_share(text: str, share: float) -> None:
    assert key_values.scan(text)[1] == share


@pytest.mark.parametrize(
    "line",
    [
        "a=1 b=2",
        "some words and then a=1 b=2 c=3 d=4",
        "a=1 and some more words of a sentence b=2 c=3",
        "connection failed: a=1 b=2 c=3",
        "",
        "=",
        "===== a=1 b=2 c=3 =====",
    ],
)
def test_a_line_that_is_more_than_pairs_is_left_alone(line: str) -> None:
    fields: Fields = {"kept": 1}
    if key_values.looks("", line):
        assert key_values.read(line, fields) is None
    assert fields == {"kept": 1}
    assert key_values.KeyValues().parse(Record(line), RECEIVED_AT) is None
    assert event_of(line).parser != "key_values"


@pytest.mark.parametrize(
    ("line", "parser"),
    [
        ("IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.10 LEN=44 PROTO=TCP SPT=40000 DPT=23", "devices"),
        ("type=USER_LOGIN msg=audit(1766656800.250:405): pid=1 uid=0 auid=0 ses=1 res=success", "auditd"),
        ("Dec 25 10:00:00 h app: user=alice src=192.0.2.1 action=deny", "syslog"),
        ("CEF:0|V|P|1|7|x|1|src=192.0.2.1 dst=192.0.2.2 act=deny", "devices"),
    ],
)
def test_a_format_of_its_own_comes_first(line: str, parser: str) -> None:
    assert key_values.KeyValues().claim(Record(line)) < 10
    assert event_of(line).parser == parser


def test_what_a_line_means_does_not_depend_on_those_before_it() -> None:
    packet = "IN=e OUT= MAC= SRC=203.0.113.9 DST=192.0.2.10 LEN=44 PROTO=TCP"
    pairs = "IN=e XYZ= ABC= user=alice src=192.0.2.1 action=deny"
    memory: dict[str, str] = {}
    first, second = (parsers.parse([Record(line)], RECEIVED_AT, memory=memory)[0] for line in (pairs, packet))
    assert (first.parser, second.parser) == ("key_values", "devices")
    assert "key_values" not in memory.values()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("src", "source.ip"),
        ("srcip", "source.ip"),
        ("src_ip", "source.ip"),
        ("clientIP", "source.ip"),
        ("client_ip", "source.ip"),
        ("remote_ip", "source.ip"),
        ("source", "source.ip"),
        ("dst", "destination.ip"),
        ("DestIP", "destination.ip"),
    ],
)
def test_ends_by_any_name(key: str, name: str) -> None:
    fields = event_of(f"a=1 b=2 {key}=192.0.2.1").fields
    assert fields == {"a": "1", "b": "2", name: "192.0.2.1"}


@pytest.mark.parametrize("key", ["user", "usr", "username", "user_name", "account", "srcuser", "login"])
def test_accounts_by_any_name(key: str) -> None:
    fields = event_of(f"a=1 b=2 {key}=alice").fields
    assert fields == {"a": "1", "b": "2", "user.name": "alice"}


@pytest.mark.parametrize(
    ("pair", "level"),
    [
        ("level=WARN", "warning"),
        ("lvl=err", "error"),
        ("lvl=eror", "error"),
        ('priority="Information"', "info"),
        ("pri=3", "error"),
        ("pri=9", None),
        ("level=loud", None),
        ("severity=7", None),
    ],
)
def test_levels(pair: str, level: str | None) -> None:
    assert event_of(f"a=1 b=2 {pair}").fields.get("log.level") == level


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("date=2025-12-25 time=10:00:00 tz=+0100", 1_766_653_200.0),
        ('date=2025-12-25 time=10:00:00 timezone="UTC"', 1_766_656_800.0),
        ('date=2025-12-25 time=10:00:00 timezone="Somewhere"', 1_766_656_800.0),
        ("time=1766656800", 1_766_656_800.0),
        ("t=2025-12-25T10:00:00.5Z", 1_766_656_800.5),
    ],
)
def test_times(text: str, when: float) -> None:
    event = event_of(f"a=1 {text} b=2 c=3")
    assert (event.timestamp, event.timestamp_origin) == (when, "event")


def test_a_time_that_cannot_be_read_stays_a_field() -> None:
    event = event_of("a=1 time=noon b=2")
    assert event.timestamp_origin == "received"
    assert event.fields["time"] == "noon"


def test_a_place_for_a_name_that_is_empty_names_nobody() -> None:
    said = 'msg="login failed" error="identity: [not.found]" remote_addr=192.0.2.1'
    fields = event_of(f"logger=context uname= t=2025-12-25T10:00:00Z {said}").fields
    assert fields["event.outcome"] == "failure"
    assert "user.name" not in fields
    assert event_of(f"logger=context t=2025-12-25T10:00:00Z {said}").fields["user.name"] == "not.found"


def test_words_between_pairs_are_read_too() -> None:
    line = "Dec 25 10:00:00 h slapd[1]: conn=1 fd=2 ACCEPT from IP=192.0.2.1:4000 (IP=0.0.0.0:636)"
    fields = event_of(line).fields
    assert (fields["source.ip"], fields["source.port"]) == ("192.0.2.1", 4000)
    mail = "ruleset=check_relay, arg1=a.example, arg2=b, relay=a.example [192.0.2.54], reject=421 4.3.2 Limit exceeded."
    assert event_of(f"Dec 25 10:00:00 h sm-mta[1]: {mail}").fields["source.ip"] == "192.0.2.54"


def test_a_zone_beside_a_clock_belongs_to_it() -> None:
    event = event_of('a=1 time="2025-12-25 12:00:00" tz=+0200 b=2')
    assert event.timestamp == 1_766_656_800.0
    assert "winnow.time_inferred" not in event.fields
    own = event_of('a=1 time="2025-12-25T10:00:00Z" tz=+0200 b=2')
    assert own.timestamp == 1_766_656_800.0


def test_the_host_of_a_request_is_not_the_machine() -> None:
    assert event_of("a=1 b=2 host=db1").fields["host.name"] == "db1"
    asked = event_of("method=GET path=/x host=www.example.com status=503").fields
    assert "host.name" not in asked
    assert asked["http.response.status_code"] == 503
    assert asked["event.outcome"] == "failure"


def test_pairs_do_not_replace_the_host_of_a_header() -> None:
    event = event_of("Dec 25 10:00:00 web-1 app: hostname=evil host.name=evil user=alice src=192.0.2.1")
    assert event.fields["host.name"] == "web-1"
    assert event.fields["hostname"] == "evil"
    assert event.fields["user.name"] == "alice"


def test_a_status_is_an_action_only_when_it_is_a_firewalls_word() -> None:
    assert event_of("a=1 b=2 status=Deny").fields["event.action"] == "Deny"
    assert event_of("a=1 b=2 action=x status=Deny").fields["event.action"] == "x"
    fields = event_of("a=1 b=2 status=running").fields
    assert "event.action" not in fields
    assert fields["status"] == "running"


def test_a_line_gives_its_time_to_a_header_without_one() -> None:
    event = event_of('<30>device="SFW" date=2025-12-25 time=10:00:00 timezone="UTC" src_ip=192.0.2.1')
    assert event.parser == "syslog"
    assert (event.timestamp, event.timestamp_origin) == (1_766_656_800.0, "event")


def test_names_that_are_ours_are_not_taken_from_a_line() -> None:
    fields = event_of("winnow.index=x winnow.time_flag=future source.ip=nowhere:x a=1 b=2").fields
    assert fields == {"a": "1", "b": "2"}


@given(
    st.lists(st.sampled_from(('a="', "a='", "b=", " ", ",", ";", '"', "\\", 'c:"', "[", "=")) | st.text(), max_size=40)
)
def test_any_text_gives_sound_pairs(parts: list[str]) -> None:
    text = "".join(parts)
    found, share = key_values.scan(text)
    assert found == key_values.pairs(text)
    assert 0.0 <= share <= 1.0
    for key, value in found.items():
        assert 0 < len(key) <= 64
        assert len(value) <= len(text)
    fields: Fields = {}
    if key_values.read(text, fields) is None:
        assert fields == {}
