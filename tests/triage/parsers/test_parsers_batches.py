"""Formats whose records explain each other: within a batch, in any order, and never beyond it."""

from triage import parsers
from triage.contracts import ParsedEvent, Record

RECEIVED_AT = 1_767_225_600.0
HEAD = "msg=audit(1766833369.250:405):"
SYSCALL = (
    f"type=SYSCALL {HEAD} arch=c000003e syscall=42 success=no exit=-111 ppid=100 pid=101 auid=1000 uid=0 "
    'comm="curl" exe="/usr/bin/curl" key="net"\x1dAUID="alice" UID="root"'
)
EXECVE = f'type=EXECVE {HEAD} argc=2 a0="curl" a1="http://x.example/"'
CWD = f'type=CWD {HEAD} cwd="/tmp"'
SOCKADDR = f"type=SOCKADDR {HEAD} saddr=020001BBC63364070000000000000000"
OTHER = 'type=CWD msg=audit(1766833369.250:406): cwd="/"'


def parse(*lines: str) -> list[ParsedEvent]:
    return parsers.parse([Record(line) for line in lines], RECEIVED_AT)


def test_records_of_one_audit_event_share_who_what_and_how_it_ended() -> None:
    for lines in ([SYSCALL, EXECVE, CWD, SOCKADDR, OTHER], [OTHER, SOCKADDR, CWD, EXECVE, SYSCALL]):
        events = dict(zip(lines, parse(*lines), strict=True))
        for line in (SYSCALL, EXECVE, CWD, SOCKADDR):
            fields = events[line].fields
            assert fields["user.name"] == "alice"
            assert fields["event.outcome"] == "failure"
            assert fields["process.name"] == "curl"
            assert fields["process.command_line"] == "curl http://x.example/"
            assert fields["process.working_directory"] == "/tmp"
            assert (fields["destination.ip"], fields["destination.port"]) == ("198.51.100.7", 443)
        assert events[OTHER].fields["process.working_directory"] == "/"
        assert "user.name" not in events[OTHER].fields
        assert "event.outcome" not in events[OTHER].fields


def test_an_accepted_connections_address_is_the_peers() -> None:
    accepted = SYSCALL.replace("syscall=42", "syscall=43")
    fields = parse(accepted, SOCKADDR)[1].fields
    assert fields["source.ip"] == "198.51.100.7"
    assert "destination.ip" not in fields


def test_another_machines_event_of_the_same_number_is_another_event() -> None:
    here, there = parse("node=web-1 " + SYSCALL, "node=web-2 " + CWD)
    assert here.fields["user.name"] == "alice"
    assert "user.name" not in there.fields
    assert there.fields["host.name"] == "web-2"


def test_nothing_is_shared_between_batches() -> None:
    parse(SYSCALL, EXECVE)
    (event,) = parse(CWD)
    assert "user.name" not in event.fields
    assert event.fields["process.working_directory"] == "/tmp"


FIELDS = "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs-username x-custom time-taken"
ROW = "2025-12-27 11:02:49 203.0.113.9 GET /a 404 bob v 12"


def test_columns_are_those_of_the_header_line_before() -> None:
    _, event = parse(FIELDS, ROW)
    assert event.parser == "w3c"
    assert event.fields["source.ip"] == "203.0.113.9"
    assert event.fields["user.name"] == "bob"
    assert event.fields["w3c.x-custom"] == "v"
    assert event.fields["http.response.status_code"] == 404
    assert "winnow.time_inferred" not in event.fields


def test_a_later_header_line_counts_from_there_on() -> None:
    other = "#Fields: date time s-ip cs-method cs-uri-stem sc-status c-ip sc-bytes cs-username"
    events = parse(FIELDS, ROW, other, "2025-12-27 11:02:50 192.0.2.5 GET /b 200 203.0.113.10 77 -")
    assert events[1].fields["source.ip"] == "203.0.113.9"
    assert events[3].fields["source.ip"] == "203.0.113.10"
    assert events[3].fields["destination.ip"] == "192.0.2.5"
    assert "user.name" not in events[3].fields


def test_a_header_of_another_batch_says_nothing() -> None:
    parse(FIELDS)
    (event,) = parse(ROW)
    assert event.parser != "w3c"


ZEEK = (
    "#separator \\x09",
    "#set_separator\t,",
    "#unset_field\t-",
    "#path\tsmb_files",
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\taction\tname\tsize\tfound\ttags",
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\tbool\tset[string]",
)
ENTRY = "1766833369.250000\tCabc123def456gh7\t192.0.2.7\t51234\t198.51.100.2\t445\tSMB::FILE_OPEN\tx.doc\t12\tT\ta,b"


def test_zeek_columns_and_types_are_the_headers() -> None:
    event = parse(*ZEEK, ENTRY)[-1]
    assert event.parser == "zeek"
    assert event.fields["event.dataset"] == "zeek.smb_files"
    assert event.fields["file.name"] == "x.doc"
    assert event.fields["source.port"] == 51234
    assert event.fields["zeek.size"] == 12
    assert event.fields["zeek.found"] is True
    assert event.fields["zeek.tags"] == ["a", "b"]
    assert event.timestamp == 1_766_833_369.25


def test_zeek_without_a_header_keeps_what_has_no_name_under_its_number() -> None:
    (event,) = parse(ENTRY)
    assert event.fields["event.dataset"] == "zeek.log"
    assert event.fields["source.ip"] == "192.0.2.7"
    assert event.fields["zeek.column_7"] == "SMB::FILE_OPEN"
    assert "file.name" not in event.fields
