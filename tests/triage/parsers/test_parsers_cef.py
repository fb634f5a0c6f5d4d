"""CEF and LEEF: golden pairs, escapes, delimiters, times, and lines that only look like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import cef, devices, leef, vendor_pairs

RECEIVED_AT = 1_767_225_600.0


def event_of(line: str) -> ParsedEvent:
    (event,) = parsers.parse([Record(line)], RECEIVED_AT, memory={})
    return event


def fields_of(line: str) -> Fields:
    fields: Fields = {}
    assert devices.read("", line, fields) is not None
    return fields


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1 b=", {"a": "1", "b": ""}),
        ("a=one two  b=3 ", {"a": "one two", "b": "3"}),
        (r"a=x\=y b=c:\\d e=1\|2", {"a": "x=y", "b": r"c:\d", "e": "1|2"}),
        (r"a=1\n2\r3", {"a": "1\n2\r3"}),
        (r"a=x b\=y c=z", {"a": "x b=y", "c": "z"}),
        ("u=http://h/?q=1&r=2 v=w", {"u": "http://h/?q=1&r=2", "v": "w"}),
        ("a=first a=second", {"a": "first"}),
        ("ad.field[0]=x other-key=y", {"ad.field[0]": "x", "other-key": "y"}),
        ("no pairs here", {}),
    ],
)
def test_extensions(text: str, pairs: dict[str, str]) -> None:
    assert cef.extensions(text) == pairs


def test_extensions_are_capped() -> None:
    many = cef.extensions(" ".join(f"k{number}=v" for number in range(1000)))
    assert len(many) == 200
    assert len(cef.extensions("a=" + "x" * 20_000)["a"]) == 8_192


@pytest.mark.parametrize(
    ("severity", "level", "number"),
    [
        ("0", "info", 0),
        ("3", "info", 3),
        ("4", "warning", 4),
        ("6", "warning", 6),
        ("7", "error", 7),
        ("8", "error", 8),
        ("9", "critical", 9),
        ("10", "critical", 10),
        ("11", None, None),
        ("Low", "info", None),
        ("MEDIUM", "warning", None),
        ("High", "error", None),
        ("Very High", "critical", None),
        ("Unknown", None, None),
        ("", None, None),
    ],
)
def test_severity(severity: str, level: str | None, number: int | None) -> None:
    fields = fields_of(f"CEF:0|V|P|1|7|x|{severity}|")
    assert fields.get("log.level") == level
    assert fields.get("event.severity") == number
    assert fields.get("cef.severity") == (severity if number is None and severity else None)


def test_severity_replaces_the_level_of_a_relay() -> None:
    assert event_of("<135>Dec 25 10:00:00 h CEF:0|V|P|1|7|x|9|").fields["log.level"] == "critical"
    assert event_of("<135>Dec 25 10:00:00 h CEF:0|V|P|1|7|x|Unknown|").fields["log.level"] == "debug"


@pytest.mark.parametrize(
    ("number", "transport"), [("6", "tcp"), ("UDP", "udp"), ("58", "ipv6-icmp"), ("http", None), ("300", None)]
)
def test_transport(number: str, transport: str | None) -> None:
    fields = fields_of(f"CEF:0|V|P|1|7|x|1|proto={number}")
    assert fields.get("network.transport") == transport
    assert fields.get("cef.extensions.proto") == (number if transport is None else None)


@pytest.mark.parametrize(
    ("hashed", "name"),
    [("0" * 32, "md5"), ("A" * 40, "sha1"), ("SHA256:" + "b" * 64, "sha256"), ("0" * 33, ""), ("g" * 32, "")],
)
def test_hash_is_known_by_its_length(hashed: str, name: str) -> None:
    fields = fields_of(f"CEF:0|V|P|1|7|x|1|fileHash={hashed}")
    found = {key: value for key, value in fields.items() if key.startswith("file.")}
    assert found == ({f"file.hash.{name}": hashed.rpartition(":")[2].lower()} if name else {})


def test_a_process_keeps_its_own_number() -> None:
    fields = fields_of("CEF:0|V|P|1|7|x|1|sproc=/usr/bin/a dproc=b dpid=5 dvcpid=6")
    assert fields["process.name"] == "a"
    assert fields["process.executable"] == "/usr/bin/a"
    assert "process.pid" not in fields
    assert fields["cef.extensions.dpid"] == "5"


def test_the_actor_is_the_events_account() -> None:
    fields = fields_of("CEF:0|V|P|1|7|x|1|suser=alice@CORP duser=bob")
    assert (fields["user.name"], fields["user.domain"]) == ("alice", "CORP")
    assert fields["source.user.name"] == "alice@CORP"
    assert fields["destination.user.name"] == "bob"
    assert fields_of("CEF:0|V|P|1|7|x|1|duser=bob")["user.name"] == "bob"


def test_action_and_outcome_are_what_the_line_says() -> None:
    fields = fields_of("CEF:0|V|P|1|7|Traffic|9|src=192.0.2.1 dst=192.0.2.2 spt=1 dpt=2")
    assert "event.action" not in fields
    assert "event.outcome" not in fields
    assert "event.category" not in fields
    fields = fields_of("CEF:0|V|P|1|7|Traffic|9|act=permit outcome=Success")
    assert (fields["event.action"], fields["event.outcome"]) == ("permit", "success")


def test_a_header_that_names_the_format_names_no_program() -> None:
    event = event_of("<134>1 2025-12-25T10:00:00Z h CEF - - - CEF:0|V|P|1|7|x|1|")
    assert "process.name" not in event.fields
    assert event_of("<134>1 2025-12-25T10:00:00Z h agent - - - CEF:0|V|P|1|7|x|1|").fields["process.name"] == "agent"


def test_the_text_of_a_program_is_not_taken_for_an_event() -> None:
    event = event_of("Dec 25 10:00:00 h sshd[1]: Invalid user CEF:0|V|P|1|7|x|1|src=192.0.2.66 from 203.0.113.9 port 1")
    assert "observer.vendor" not in event.fields
    assert "cef.version" not in event.fields
    assert event.fields["source.ip"] == "203.0.113.9"


@pytest.mark.parametrize(
    "line",
    [
        "CEF:",
        "CEF:0|V|P|1",
        "CEF:x|V|P|1|7|x|1|src=192.0.2.1",
        "CEF:0|" + "v" * 2000 + "|P|1|7|x|1|",
        "some words CEF:0|V|P|1|7|x|1|src=192.0.2.1",
        "LEEF:",
        "LEEF:1.0|V|P|1",
        "LEEF:3.0|V|P|1|7|src=192.0.2.1",
    ],
)
def test_what_is_not_of_the_format_is_left_alone(line: str) -> None:
    for form in (cef, leef):
        fields: Fields = {"kept": 1}
        if form.looks("", line):
            assert form.read(line, fields) is None
        assert fields == {"kept": 1}
    assert "observer.vendor" not in event_of(line).fields


def test_the_events_own_clock_counts_where_the_header_leaves_something_open() -> None:
    known = event_of("<134>1 2025-12-25T10:00:00Z h a - - - CEF:0|V|P|1|7|x|1|rt=1766600000000")
    assert known.timestamp == 1_766_656_800.0
    open_ = event_of("<134>Dec 25 10:00:00 h CEF:0|V|P|1|7|x|1|rt=1766600000000")
    assert open_.timestamp == 1_766_600_000.0
    assert "winnow.time_inferred" not in open_.fields
    year = event_of("<134>Dec 25 10:00:00 h CEF:0|V|P|1|7|x|1|rt=2025-12-24 10:00:00")
    assert year.timestamp == 1_766_570_400.0
    assert year.fields["winnow.time_inferred"] == "zone"
    worse = event_of("<134>1 2025-12-25T10:00:00Z h a - - - CEF:0|V|P|1|7|x|1|rt=2025-12-24 10:00:00")
    assert worse.timestamp == 1_766_656_800.0
    assert "winnow.time_inferred" not in worse.fields


def test_the_events_own_clock_fills_an_empty_header() -> None:
    event = event_of("<134>1 - h a - - - CEF:0|V|P|1|7|x|1|rt=1766600000000")
    assert (event.timestamp, event.timestamp_origin) == (1_766_600_000.0, "event")
    none = event_of("<134>1 - h a - - - CEF:0|V|P|1|7|x|1|src=192.0.2.1")
    assert (none.timestamp, none.timestamp_origin) == (RECEIVED_AT, "received")


def test_a_hosts_name_that_is_an_address_is_one() -> None:
    assert fields_of("CEF:0|V|P|1|7|x|1|shost=192.0.2.6")["source.ip"] == "192.0.2.6"
    both = fields_of("CEF:0|V|P|1|7|x|1|shost=192.0.2.6 src=192.0.2.7")
    assert both["source.ip"] == "192.0.2.7"
    assert "source.domain" not in both


def test_quotes_around_a_value_are_not_part_of_it() -> None:
    fields = fields_of('CEF:0|V|P|1|7|x|1|act="Logon" suser="NA" duser=bob')
    assert fields["event.action"] == "Logon"
    assert fields["user.name"] == "bob"
    assert "source.user.name" not in fields


@pytest.mark.parametrize("tab", ["\t", "#011", "<009>", "\\0x09", "\\x09", "\\t"])
def test_tabs_as_relays_write_them(tab: str) -> None:
    assert leef.attributes(f"a=1 2{tab}b=3", "\t") == {"a": "1 2", "b": "3"}


@pytest.mark.parametrize(
    ("named", "mark"),
    [("^", "^"), ("x09", "\t"), ("0x09", "\t"), ("x5E", "^"), ("0x7c", "|"), ("\\t", "\t"), ("\t", "\t"), ("", "\t")],
)
def test_delimiters(named: str, mark: str) -> None:
    line = f"LEEF:2.0|V|P|1|7|{named}|src=192.0.2.1{mark}usrName=John Smith{mark}dstPort=22"
    fields = fields_of(line)
    assert fields["source.ip"] == "192.0.2.1"
    assert fields["user.name"] == "John Smith"
    assert fields["destination.port"] == 22


def test_a_delimiter_inside_a_value_stays_there() -> None:
    pairs = leef.attributes("a=1^2^b=3^a=4^5", "^")
    assert pairs == {"a": "1^2", "b": "3"}


def test_attributes_are_capped() -> None:
    assert len(leef.attributes("\t".join(f"k{number}=v" for number in range(1000)), "\t")) == 200
    assert len(leef.attributes("a=1\t" + "x\t" * 20_000, "\t")["a"]) <= 8_192


@pytest.mark.parametrize(
    ("stamp", "pattern", "told"),
    [
        ("25/12/2025 10:00:00", "dd/MM/yyyy HH:mm:ss", "2025-12-25T10:00:00"),
        ("12/25/2025 10:00:00", "MM/dd/yyyy HH:mm:ss", "2025-12-25T10:00:00"),
        ("Dec 25 2025 10:00:00.123 +0100", "MMM dd yyyy HH:mm:ss.SSS Z", "2025-12-25T10:00:00.123+01:00"),
        ("2025-12-25T10:00:00Z", "yyyy-MM-dd'T'HH:mm:ssX", "2025-12-25T10:00:00Z"),
        ("Thu, 25 December 25 12:30:00 AM CET", "EEE, dd MMMM yy hh:mm:ss a z", "2025-12-25T00:30:00+01:00"),
        ("2025-12-25 10:00:00 IST", "yyyy-MM-dd HH:mm:ss z", "2025-12-25T10:00:00"),
        ("25/12/2025", "dd/MM/yyyy HH:mm:ss", ""),
        ("25 Foo 2025", "dd MMM yyyy", ""),
        ("Dec 25 10:00:00", "MMM dd HH:mm:ss", ""),
        ("x", "yyyy yyyy", ""),
        ("x", "(((", ""),
    ],
)
def test_java_date_patterns(stamp: str, pattern: str, told: str) -> None:
    assert leef.by_pattern(stamp, pattern) == told


def test_a_time_that_does_not_fit_its_pattern_is_kept() -> None:
    event = event_of("LEEF:1.0|V|P|1|7|devTime=yesterday\tdevTimeFormat=dd/MM/yyyy\tsrc=192.0.2.1")
    assert event.timestamp_origin == "received"
    assert event.fields["winnow.time_unparsed"] == "yesterday"
    assert event.fields["leef.devTimeFormat"] == "dd/MM/yyyy"


def test_a_value_that_cannot_be_one_leaves_the_field_to_the_next_key() -> None:
    table = vendor_pairs.Table("x.", {"source.ip": "first second", "source.port": "p"})
    fields: Fields = {}
    vendor_pairs.move({"second": "192.0.2.2", "first": "999.0.0.1", "P": "22", "own": "-"}, table, fields)
    assert fields == {"source.ip": "192.0.2.2", "source.port": 22, "x.first": "999.0.0.1"}


@given(
    st.lists(
        st.sampled_from(("CEF:0|", "LEEF:2.0|", "|", "\\", "=", " ", "\t", "^", "src=", "x09|")) | st.text(),
        max_size=30,
    )
)
def test_anything_is_read_or_left_alone(parts: list[str]) -> None:
    for begin in ("CEF:0|V|P|1|7|x|1|", "LEEF:2.0|V|P|1|7|", "LEEF:1.0|V|P|1|7|", "CEF:0|"):
        line = begin + "".join(parts)
        for form in (cef, leef):
            fields: Fields = {}
            stamp = form.read(line, fields)
            assert stamp is None or type(stamp) is str
            assert stamp is not None or fields == {}
        assert not event_of(line).fallback_reason.startswith("parser_error")
