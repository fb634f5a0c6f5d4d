"""PAN-OS: golden pairs of every type, rows of every length, quotes, times, and lines that only look like one."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import devices, palo_alto
from triage.parsers.palo_alto_columns import COLUMNS

RECEIVED_AT = 1_767_225_600.0
GOLDEN: list[dict[str, Any]] = orjson.loads((Path(__file__).parent / "golden" / "palo_alto.json").read_bytes())
HEAD = "1,2025/12/25 10:00:01,001,{},{},2561,2025/12/25 10:00:00,"
ENDS = "192.0.2.1,192.0.2.2,0.0.0.0,0.0.0.0,r,,,{app},vsys1,a,b,e1,e2,f,x,7,1,40000,{port},0,0,0x0,{proto},{action},"


def event_of(line: str) -> ParsedEvent:
    (event,) = parsers.parse([Record(line)], RECEIVED_AT, memory={})
    return event


def fields_of(kind: str, part: str, rest: str) -> Fields:
    fields: Fields = {}
    assert devices.read("", HEAD.format(kind, part) + rest, fields) == "2025/12/25 10:00:00"
    assert fields["observer.vendor"] == "Palo Alto Networks"
    return fields


def threat(part: str, about: str, app: str = "web-browsing") -> Fields:
    return fields_of("THREAT", part, ENDS.format(app=app, port=80, proto="tcp", action="alert") + about)


def test_every_type_has_a_golden_pair() -> None:
    assert {pair["fields"]["panw.type"] for pair in GOLDEN} >= COLUMNS.keys() - {"GTP"}


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("TRAFFIC", "event.action", 30),
        ("TRAFFIC", "event.reason", 46),
        ("TRAFFIC", "observer.name", 52),
        ("TRAFFIC", "rule.uuid", 65),
        ("TRAFFIC", "panw.high_resolution", 102),
        ("THREAT", "panw.misc", 31),
        ("THREAT", "file.hash", 43),
        ("THREAT", "observer.name", 59),
        ("THREAT", "http.request.method", 63),
        ("THREAT", "rule.uuid", 76),
        ("THREAT", "panw.high_resolution", 107),
        ("SYSTEM", "panw.description", 14),
        ("SYSTEM", "observer.name", 22),
        ("HIP-MATCH", "observer.name", 24),
        ("GLOBALPROTECT", "event.outcome", 28),
        ("GLOBALPROTECT", "panw.high_resolution", 36),
        ("USERID", "observer.name", 25),
        ("AUTHENTICATION", "panw.event", 20),
        ("DECRYPTION", "panw.tls_version", 39),
        ("DECRYPTION", "tls.client.server_name", 63),
        ("CORRELATION", "rule.name", 19),
        ("TUNNEL", "event.reason", 59),
        ("SCTP", "observer.name", 37),
        ("CONFIG", "event.outcome", 12),
    ],
)
def test_places_of_columns(kind: str, name: str, place: int) -> None:
    assert COLUMNS[kind][place] == name


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_rows_of_every_length(kind: str) -> None:
    row = [f"c{number}" for number in range(200)]
    row[:7] = HEAD.format(kind, "part").split(",")[:7]
    for length in (8, 20, 40, len(COLUMNS[kind]), 200):
        fields: Fields = {}
        assert palo_alto.read(",".join(row[:length]), fields) is not None
        assert fields["observer.serial_number"] == "001"
        assert fields["panw.type"] == kind
        assert "-" not in fields


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("", [""]),
        ("a,,b", ["a", "", "b"]),
        ("a,", ["a", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"a ""b"" c",d', ['a "b" c', "d"]),
        ('"",x', ["", "x"]),
        ('"say "hi" now",x', ['say "hi" now', "x"]),
        ('a"b,c', ['a"b', "c"]),
        ('"open,x', ["open,x"]),
    ],
)
def test_cells(text: str, row: list[str]) -> None:
    assert palo_alto.cells(text) == row


def test_cells_are_capped() -> None:
    assert len(palo_alto.cells("," * 30_000)) == 160
    assert len(palo_alto.cells("x" * 30_000)[0]) == 8_192
    assert len(palo_alto.cells('"' * 30_000)) == 1


@pytest.mark.parametrize(
    ("line", "when", "inferred"),
    [
        ("1,2025/12/25 10:00:01,001,SYSTEM,general,0,2025/12/25 10:00:00,", 1_766_656_800.0, "zone"),
        ("1,2025/12/25 10:00:01,001,SYSTEM,general,0,,", 1_766_656_801.0, "zone"),
        ("1,2025-12-25T10:00:01Z,001,SYSTEM,general,0,2025-12-25T10:00:00.5Z,", 1_766_656_800.5, None),
        ("2025-12-25T11:00:02+01:00 h 1,2025/12/25 11:00:01,001,SYSTEM,general,0,,", 1_766_656_802.0, None),
        ("<14>Dec 25 10:00:09 h 1,2025/12/25 10:00:01,001,SYSTEM,general,0,,", 1_766_656_801.0, "zone"),
    ],
)
def test_times(line: str, when: float, inferred: str | None) -> None:
    event = event_of(line)
    assert (event.timestamp, event.timestamp_origin) == (when, "event")
    assert event.fields.get("winnow.time_inferred") == inferred


def test_a_header_without_a_host_leaves_the_row_whole() -> None:
    event = event_of("Dec 25 10:00:09 " + HEAD.format("SYSTEM", "general") + ",x,y")
    assert event.fields["observer.serial_number"] == "001"
    assert "host.name" not in event.fields


def test_what_was_not_translated_has_no_translated_address() -> None:
    fields = threat("spyware", "")
    assert not [name for name in fields if ".nat." in name]
    assert (fields["source.ip"], fields["source.port"]) == ("192.0.2.1", 40000)
    assert (fields["destination.ip"], fields["destination.port"]) == ("192.0.2.2", 80)


@pytest.mark.parametrize(
    ("part", "about", "app", "name"),
    [
        ("url", "h.example/a?b", "ssl", "url.original"),
        ("vulnerability", "h.example/a", "ssl", "url.original"),
        ("file", "a/b.pdf", "smtp", "file.name"),
        ("virus", "b.exe", "smtp", "file.name"),
        ("spyware", "c2.example", "dns", "dns.question.name"),
        ("spyware", "something", "ssl", "panw.misc"),
    ],
)
def test_what_a_threat_is_about(part: str, about: str, app: str, name: str) -> None:
    fields = threat(part, about, app)
    places = ("url.original", "file.name", "dns.question.name", "panw.misc")
    assert {place: fields[place] for place in places if place in fields} == {name: about}


def test_name_and_number_of_a_threat() -> None:
    fields = threat("spyware", "x,Name (of (it))(123)")
    assert (fields["panw.threat"], fields["event.code"]) == ("Name (of (it))", "123")
    fields = threat("url", "x/,(9999)")
    assert (fields.get("panw.threat"), fields["event.code"]) == (None, "9999")
    fields = threat("spyware", "x,no number")
    assert (fields["panw.threat"], fields.get("event.code")) == ("no number", None)


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", "critical"), ("high", "error"), ("medium", "warning"), ("low", "info"), ("x", None)],
)
def test_severity_is_the_level(severity: str, level: str | None) -> None:
    fields = threat("spyware", f"x,t(1),any,{severity}")
    assert fields.get("log.level") == level
    assert fields["panw.severity"] == severity


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("Succeeded", "success"), ("Failed", "failure"), ("Unauthorized", "failure"), ("Submitted", None)],
)
def test_results_of_a_command(result: str, outcome: str | None) -> None:
    fields = fields_of("CONFIG", "0", f"192.0.2.5,,set,admin,Web,{result},path,7,0x0,0,0,0,0,,fw")
    assert fields.get("event.outcome") == outcome
    assert fields.get("panw.event.outcome") == (None if outcome else result)
    assert (fields["event.action"], fields["user.name"], fields["host.name"]) == ("set", "admin", "fw")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("auth-fail", "failure"), ("auth-success", "success"), ("portal-login-succ", "success"), ("link-change", None)],
)
def test_outcomes_that_an_events_name_says(code: str, outcome: str | None) -> None:
    fields = fields_of("SYSTEM", "general", f",{code},,0,0,general,low,x")
    assert fields.get("event.outcome") == outcome
    assert fields["event.action"] == code


def test_a_value_that_cannot_be_one_is_kept_beside() -> None:
    fields = fields_of("CORRELATION", "0", "999.0.0.1,alice")
    assert "source.ip" not in fields
    assert fields["panw.source.ip"] == "999.0.0.1"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1,2025/12/25 10:00:01,001,POEM,x,1,2025/12/25 10:00:00,",
        "1,yesterday,001,TRAFFIC,end,1,2025/12/25 10:00:00,",
        "one two three 1,2025/12/25 10:00:01,001,TRAFFIC,end,1,",
        "1,2025/12/25 10:00:01,001,traffic,end,1,",
        ",,,,,,,",
    ],
)
def test_what_is_not_of_the_format_is_left_alone(line: str) -> None:
    fields: Fields = {"kept": 1}
    assert not palo_alto.looks("", line)
    assert palo_alto.read(line, fields) is None
    assert fields == {"kept": 1}


def test_the_text_of_a_program_is_not_taken_for_a_firewalls() -> None:
    row = HEAD.format("TRAFFIC", "end") + "192.0.2.66,192.0.2.67"
    event = event_of(f"Dec 25 10:00:00 h sshd[1]: Invalid user {row} from 203.0.113.9 port 1")
    assert "observer.vendor" not in event.fields


@given(st.sampled_from(sorted(COLUMNS)), st.lists(st.sampled_from(('"', ",", '""', "0x0", "(1)", "::")) | st.text()))
def test_anything_is_read(kind: str, parts: list[str]) -> None:
    line = HEAD.format(kind, "url") + "".join(parts)
    fields: Fields = {}
    assert palo_alto.read(line, fields) is not None
    assert not event_of(line).fallback_reason.startswith("parser_error")
