"""FortiGate: golden pairs, times by release, verdicts, and lines that only look like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import devices, fortigate

RECEIVED_AT = 1_767_225_600.0
BEGIN = 'date=2025-12-25 time=10:00:00 devname="fw" logid="0000000013" '


def event_of(line: str) -> ParsedEvent:
    (event,) = parsers.parse([Record(line)], RECEIVED_AT, memory={})
    return event


def fields_of(rest: str) -> Fields:
    fields: Fields = {}
    assert devices.read("", BEGIN + rest, fields) is not None
    assert fields["observer.vendor"] == "Fortinet"
    return fields


@pytest.mark.parametrize(
    ("times", "when", "inferred"),
    [
        ("eventtime=1766656800", 1_766_656_800.0, None),
        ("eventtime=1766656800250", 1_766_656_800.25, None),
        ("eventtime=1766656800250000000", 1_766_656_800.25, None),
        ('tz="-0700"', 1_766_682_000.0, None),
        ('tz="+0530"', 1_766_637_000.0, None),
        ("", 1_766_656_800.0, "zone"),
        ('tz="nowhere"', 1_766_656_800.0, "zone"),
        ('eventtime=soon tz="+0100"', 1_766_653_200.0, None),
    ],
)
def test_times(times: str, when: float, inferred: str | None) -> None:
    event = event_of(f"{BEGIN}type=traffic {times}")
    assert event.timestamp == pytest.approx(when, abs=1e-5)
    assert event.timestamp_origin == "event"
    assert event.fields.get("winnow.time_inferred") == inferred


def test_a_relays_time_counts_where_it_alone_has_a_zone() -> None:
    relayed = "2025-12-25T11:00:01+01:00 relay1 "
    event = event_of(f"{relayed}{BEGIN}type=traffic")
    assert (event.timestamp, event.fields["host.name"]) == (1_766_656_801.0, "relay1")
    event = event_of(f'{relayed}{BEGIN}type=traffic tz="+0000"')
    assert event.timestamp == 1_766_656_800.0


def test_a_header_without_a_host_leaves_the_line_whole() -> None:
    event = event_of(f"<189>Dec 25 10:00:00 {BEGIN}type=traffic srcip=192.0.2.1")
    assert event.fields["host.name"] == "fw"
    assert event.fields["source.ip"] == "192.0.2.1"


@pytest.mark.parametrize("level", ["emergency", "alert", "critical", "error", "warning", "notice", "debug"])
def test_levels(level: str) -> None:
    assert fields_of(f'type="event" level="{level}"')["log.level"] == level


def test_levels_of_other_words() -> None:
    assert fields_of("type=event level=information")["log.level"] == "info"
    assert fields_of("type=event pri=notice")["log.level"] == "notice"
    assert fields_of("type=event level=loud")["fortinet.level"] == "loud"


@pytest.mark.parametrize(
    ("rest", "action", "outcome"),
    [
        ("type=traffic action=accept", "accept", "success"),
        ("type=traffic action=deny", "deny", "success"),
        ("type=traffic status=deny", "deny", "success"),
        ("type=utm subtype=ips action=detected", "detected", "success"),
        ("type=traffic action=wonder", "wonder", None),
        ("type=traffic", None, None),
        ("type=event action=login status=success", "login", "success"),
        ("type=event action=login status=failed", "login", "failure"),
        ("type=event subtype=vpn action=ssl-login-fail", "ssl-login-fail", "failure"),
        ("type=event subtype=vpn action=tunnel-up", "tunnel-up", None),
        ('type=event action=login logdesc="Admin login failed"', "login", "failure"),
        ('type=event action=update msg="update failed"', "update", None),
    ],
)
def test_action_and_outcome_are_what_the_line_says(rest: str, action: str | None, outcome: str | None) -> None:
    fields = fields_of(rest)
    assert fields.get("event.action") == action
    assert fields.get("event.outcome") == outcome


def test_name_and_number_of_a_rule_belong_together() -> None:
    fields = fields_of('type=utm subtype=ips attack="worm" policyid=3')
    assert (fields["rule.name"], fields.get("rule.id")) == ("worm", None)
    assert fields["fortinet.policyid"] == "3"
    fields = fields_of("type=traffic policyid=0")
    assert (fields["rule.id"], fields.get("rule.name")) == ("0", None)


@pytest.mark.parametrize(
    ("number", "transport"), [("1", "icmp"), ("6", "tcp"), ("17", "udp"), ("58", "ipv6-icmp"), ("89", None)]
)
def test_protocols(number: str, transport: str | None) -> None:
    fields = fields_of(f"type=traffic proto={number}")
    assert fields.get("network.transport") == transport
    assert fields["network.iana_number"] == number


def test_what_was_not_translated_has_no_translated_address() -> None:
    fields = fields_of("type=traffic transip=0.0.0.0 transport=0 tranip=192.0.2.80 tranport=8080")
    assert "source.nat.ip" not in fields
    assert "source.nat.port" not in fields
    assert "network.transport" not in fields
    assert (fields["destination.nat.ip"], fields["destination.nat.port"]) == ("192.0.2.80", 8080)


def test_nobody_is_nobody() -> None:
    fields = fields_of('type=event subtype=vpn user="N/A" group="N/A" dst_host="N/A" remip=192.0.2.1')
    assert fields["source.ip"] == "192.0.2.1"
    assert fields.keys().isdisjoint({"user.name", "user.group.name", "destination.domain"})


def test_where_an_administrator_sits() -> None:
    assert fields_of('type=event ui="https(2001:db8::1)"')["source.ip"] == "2001:db8::1"
    assert fields_of('type=event ui="ssh(192.0.2.1)" srcip=192.0.2.9')["source.ip"] == "192.0.2.9"
    assert "source.ip" not in fields_of("type=event ui=jsconsole")
    assert "source.ip" not in fields_of("type=event ui=ssh(999.0.0.1)")


def test_an_address_is_a_clients_only_beside_its_hardware() -> None:
    assert fields_of("type=event mac=02:00:5e:00:00:01 ip=192.0.2.9")["source.ip"] == "192.0.2.9"
    fields = fields_of("type=event ip=192.0.2.9")
    assert "source.ip" not in fields
    assert fields["fortinet.ip"] == "192.0.2.9"


def test_answers_that_are_no_addresses_are_kept_as_text() -> None:
    fields = fields_of('type=utm subtype=dns ipaddr="192.0.2.1, nowhere"')
    assert "dns.resolved_ip" not in fields
    assert fields["fortinet.ipaddr"] == "192.0.2.1, nowhere"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "logid=0000000013 type=traffic",
        "date=2025-12-25 time=10:00:00 logid=13 type=traffic",
        "date=2025-12-25 time=10:00:00 logid=0000000013 type=poem",
        'date=2025-12-25 time=10:00:00 device="SFW" log_id=010101600001 log_type="Firewall" type=event',
        "some words logid=0000000013 type=traffic srcip=192.0.2.1",
        "date=2025-12-25 " + "x=1 " * 1000 + "logid=0000000013 type=traffic",
    ],
)
def test_what_is_not_of_the_format_is_left_alone(line: str) -> None:
    fields: Fields = {"kept": 1}
    assert not fortigate.looks("", line)
    assert fortigate.read(line, fields) is None
    assert fields == {"kept": 1}


def test_the_text_of_a_program_is_not_taken_for_a_firewalls() -> None:
    event = event_of(f"Dec 25 10:00:00 h sshd[1]: Invalid user {BEGIN}type=traffic from 203.0.113.9 port 1")
    assert "observer.vendor" not in event.fields


@given(st.lists(st.sampled_from(('"', "=", " ", ",", "\\", "type=event", "srcip=", "ui=", "url=")) | st.text()))
def test_anything_is_read_or_left_alone(parts: list[str]) -> None:
    for begin in (f"{BEGIN}type=event ", BEGIN):
        fields: Fields = {}
        stamp = fortigate.read(begin + "".join(parts), fields)
        assert stamp is not None or fields == {}
        assert not event_of(begin + "".join(parts)).fallback_reason.startswith("parser_error")
