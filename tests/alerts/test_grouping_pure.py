"""Fingerprint, title and severity of flagged events: pure functions."""

import datetime as dt
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import grouping, hints
from alerts.grouping import FlaggedEvent
from triage import attack

SSH = FlaggedEvent(
    source_id=1,
    parser="syslog",
    entity="host:web-1",
    message="Failed password for invalid user bob from 192.0.2.7 port 50122 ssh2",
    category="authentication",
    action="ssh_login",
    outcome="failure",
    host_name="web-1",
    user_name="bob",
    source_ip="192.0.2.7",
    p_value=2e-4,
)
PORTS = st.integers(0, 65_535)
PARTS = st.integers(0, 255)
NAMES = st.from_regex(r"[a-z]{1,12}", fullmatch=True)


@given(port=PORTS, parts=st.tuples(PARTS, PARTS, PARTS, PARTS), name=NAMES, p_value=st.floats(0, 1))
def test_addresses_ports_and_names_leave_the_fingerprint(port, parts, name, p_value):
    address = ".".join(map(str, parts))
    other = replace(
        SSH,
        message=f"Failed password for invalid user {name} from {address} port {port} ssh2",
        user_name=name,
        source_ip=address,
        p_value=p_value,
        fields={"event.id": str(port), "process.pid": port},
    )
    # A name that is also a word of the message masks that word too; those few are another kind on purpose.
    if name not in SSH.message.split():
        assert grouping.fingerprint(other) == grouping.fingerprint(SSH)


@given(
    pid=st.integers(1, 4_194_304),
    when=st.datetimes(),
    uid=st.uuids(),
    digest=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    count=st.integers(0, 10**12),
)
def test_ids_times_pids_and_numbers_leave_the_fingerprint(pid, when, uid, digest, count):
    def message(pid, when, uid, digest, count):
        return f"{when:%b %d %H:%M:%S} sshd[{pid}]: session {uid} opened, hash={digest}, {count} bytes, at {when:%H:%M}"

    first = replace(SSH, message=message(7, SSH_TIME, UID, "0" * 32, 1))
    other = replace(SSH, message=message(pid, when, uid, digest, count))
    assert grouping.fingerprint(other) == grouping.fingerprint(first)


SSH_TIME = dt.datetime(2026, 3, 1, 14, 2, 11)
UID = "6f1f3c3a-6f5f-4d39-9a53-0d6f3e4f9b11"


@pytest.mark.parametrize(
    "change",
    [
        {"source_id": 2},
        {"parser": "json"},
        {"entity": "host:web-2"},
        {"action": "ssh_logout"},
        {"category": "session"},
        {"code": "4625"},
        {"message": "Accepted password for invalid user bob from 192.0.2.7 port 50122 ssh2"},
    ],
)
def test_what_makes_another_alert(change):
    assert grouping.fingerprint(replace(SSH, **change)) != grouping.fingerprint(SSH)


@given(st.text(max_size=3000), st.text(max_size=50), st.text(max_size=50))
def test_any_text_gives_a_fingerprint_and_a_short_title(message, name, value):
    event = replace(SSH, message=message, user_name=name, fields={"url.path": value, "x": [name]})
    assert re.fullmatch("[0-9a-f]{64}", grouping.fingerprint(event))
    title = grouping.title(event)
    assert 0 < len(title) <= 160
    assert not re.search("[\x00-\x1f\u202a-\u202e\u2066-\u2069]", title)
    hints.hints(event, count=50)


def test_long_hostile_messages_are_cheap_and_masked():
    assert grouping.message_shape("a" * 100_000) == "<*>"
    assert len(grouping.message_shape("word " * 100_000)) <= grouping.MAX_SHAPE


def test_title_is_the_message_with_its_values():
    assert grouping.title(SSH) == SSH.message
    assert grouping.title(replace(SSH, message="x" * 500)) == "x" * 159 + "…"


def test_title_of_a_structured_message_is_made_from_fields():
    event = replace(SSH, message='{"a": 1}', code="4625")
    assert grouping.title(event) == "ssh_login failure (event 4625) by bob from 192.0.2.7 on web-1"
    named = replace(event, fields={"rule.description": "New event type."})
    assert grouping.title(named) == "New event type. failure (event 4625) by bob from 192.0.2.7 on web-1"
    assert grouping.title(FlaggedEvent(source_id=1, parser="ecs_json", entity="", message='{"a": 1}')) == '{"a": 1}'
    assert grouping.title(FlaggedEvent(source_id=1, parser="ecs_json", entity="", message="")) == "ecs_json event"


@pytest.mark.parametrize(
    ("p_value", "severity"),
    [
        (None, "low"),
        (float("nan"), "low"),
        (1.0, "info"),
        (0.011, "info"),
        (0.01, "low"),
        (0.0011, "low"),
        (0.001, "medium"),
        (0.00011, "medium"),
        (0.0001, "high"),
        (0.0, "high"),
    ],
)
def test_bands(p_value, severity):
    assert grouping.band(p_value) == severity


def test_highest_and_rank():
    assert grouping.highest(["low", "critical", "info"]) == "critical"
    assert [grouping.rank(name) for name in ("info", "low", "medium", "high", "critical")] == [0, 1, 2, 3, 4]


def _event(**columns):
    return FlaggedEvent(**({"source_id": 1, "parser": "test", "entity": "", "message": ""} | columns))


@pytest.mark.parametrize(
    ("event", "technique", "severity"),
    [
        (_event(fields={"process.command_line": "powershell.exe -NoP -enc SQBFAFgA"}), "T1059.001", "high"),
        (_event(code="1102", fields={"winlog.channel": "Security"}), "T1070.001", "high"),
        (_event(code="104", fields={"winlog.channel": "System"}), "T1070.001", "high"),
        (_event(code="4720", fields={"winlog.channel": "Security"}), "T1136.001", "medium"),
        (_event(code="4698", parser="windows_xml"), "T1053.005", "medium"),
        (_event(message="sudo: bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"), "T1548.003", "low"),
        (_event(message="pam_unix(su:session): session opened for user root by (uid=0)"), "T1548", "low"),
        (_event(message="useradd[12]: new user: name=mallory, UID=0"), "T1136.001", "medium"),
        (_event(message="(root) REPLACE (bob)", process_name="crontab"), "T1053.003", "low"),
        (_event(fields={"dns.question.name": "a" * 50 + ".example.org"}), "T1071.004", "medium"),
        (_event(action="CreateAccessKey"), "T1098.001", "medium"),
        (_event(action="StopLogging"), "T1562.008", "high"),
        (_event(message="vssadmin.exe Delete Shadows /all /quiet"), "T1490", "critical"),
    ],
)
def test_hints_name_a_technique(event, technique, severity):
    found = hints.hints(event)
    assert (technique, severity) in [(hint.technique_id, hint.severity) for hint in found]


@pytest.mark.parametrize(
    "event",
    [
        _event(code="1102", fields={"winlog.channel": "Application"}),
        _event(code="1102", parser="syslog"),
        _event(message="GET /index.html 200"),
        _event(fields={"dns.question.name": "www.example.org"}),
        _event(action="ListAccessKeys"),
    ],
)
def test_ordinary_events_give_no_hint(event):
    assert hints.hints(event) == []


def test_few_failed_logons_are_no_brute_force_and_many_are():
    assert hints.technique_ids(hints.hints(SSH, count=9)) == []
    assert hints.technique_ids(hints.hints(SSH, count=10)) == ["T1110"]


def test_every_hint_names_a_known_technique_and_severity():
    for hint in hints.HINTS:
        assert attack.is_known(hint.technique_id)
        assert grouping.rank(hint.severity) >= 1
