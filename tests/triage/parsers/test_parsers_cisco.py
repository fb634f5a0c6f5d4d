"""What Cisco's firewalls, routers and switches say, number by number and shape by shape."""

from typing import Any

import pytest

from triage import parsers
from triage.contracts import ParsedEvent, Record

AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def read(text: str) -> ParsedEvent:
    (event,) = parsers.parse([Record(text)], AT, memory={})
    return event


def asa(number: int, level: int, text: str) -> dict[str, Any]:
    event = read(f"Dec 27 11:02:49 fw-1 : %ASA-{level}-{number}: {text}")
    assert (event.parser, event.fields["event.code"], event.fields["host.name"]) == ("syslog", str(number), "fw-1")
    common = {"event.code", "event.provider", "host.name", "winnow.time_inferred", "log.level"}
    return {name: value for name, value in event.fields.items() if name not in common}


def test_a_connection_that_was_opened_from_outside() -> None:
    said = (
        "Built inbound TCP connection 4711 for outside:203.0.113.9/50210 (203.0.113.9/50210)(LOCAL\\ida)"
        " to dmz:192.0.2.7/443 (198.51.100.7/8443)"
    )
    assert asa(302013, 6, said) == {
        "event.category": "network", "event.action": "connection-started", "network.transport": "tcp",
        "source.ip": "203.0.113.9", "source.port": 50210, "source.user.name": "ida", "user.name": "ida",
        "observer.ingress.interface.name": "outside", "observer.egress.interface.name": "dmz",
        "destination.ip": "192.0.2.7", "destination.port": 443, "destination.nat.ip": "198.51.100.7",
        "destination.nat.port": 8443,
    }  # fmt: skip


def test_who_opened_an_outbound_connection_is_its_source() -> None:
    found = asa(302015, 6, "Built outbound UDP connection 12 for outside:198.51.100.53/53 to inside:10.1.2.3/40000")
    assert (found["source.ip"], found["source.port"]) == ("10.1.2.3", 40000)
    assert (found["destination.ip"], found["destination.port"]) == ("198.51.100.53", 53)


def test_how_long_and_how_much() -> None:
    said = (
        "Teardown TCP connection 12 for outside:198.51.100.5/443 to inside:10.1.2.3/4000 duration 1:02:03 bytes 64585"
    )
    found = asa(302014, 6, f"{said} bytes 64585")
    assert found["event.duration"] == 3_723_000_000_000
    assert found["network.bytes"] == 64585
    assert found["event.action"] == "connection-finished"
    assert "event.outcome" not in found


@pytest.mark.parametrize(
    ("number", "said", "action", "ends"),
    [
        (106001, "Inbound TCP connection denied from 203.0.113.9/4380 to 192.0.2.7/23 flags SYN  on interface outside",
         "denied", ("203.0.113.9", 4380, "192.0.2.7", 23)),
        (106023, 'Deny udp src dmz:192.0.2.33/5555 dst outside:198.51.100.2/53 by access-group "dmz_in" [0x1, 0x2]',
         "denied", ("192.0.2.33", 5555, "198.51.100.2", 53)),
        (106100, "access-list in permitted tcp inside/10.1.2.3(4000) -> outside/198.51.100.2(80) hit-cnt 1 first hit",
         "allowed", ("10.1.2.3", 4000, "198.51.100.2", 80)),
        (106100, "access-list in denied tcp inside/10.1.2.3(4000) -> outside/198.51.100.2(80) hit-cnt 1 first hit",
         "denied", ("10.1.2.3", 4000, "198.51.100.2", 80)),
        (710003, "TCP access denied by ACL from 203.0.113.9/6370 to outside:192.0.2.1/23",
         "denied", ("203.0.113.9", 6370, "192.0.2.1", 23)),
        (338002, ("Dynamic Filter permitted black listed TCP traffic from inside:10.1.1.45/6798 (192.0.2.1/7890) to "
         "outside:198.51.100.9/80 (198.51.100.9/80), destination resolved from dynamic list: bad.example"),
         "alert", ("10.1.1.45", 6798, "198.51.100.9", 80)),
    ],
)  # fmt: skip
def test_what_a_rule_decided(number: int, said: str, action: str, ends: tuple[str, int, str, int]) -> None:
    found = asa(number, 4, said)
    assert tuple(found[name] for name in ("source.ip", "source.port", "destination.ip", "destination.port")) == ends
    if number == 338002:  # listed as bad, and let through
        action = "allowed"
    assert (found["event.action"], found["event.outcome"]) == (action, "success")


def test_the_rule_is_named() -> None:
    found = asa(106023, 4, 'Deny tcp src a:192.0.2.33/5 dst b:198.51.100.2/53 by access-group "dmz_in" [0x1, 0x2]')
    assert found["rule.name"] == "dmz_in"


@pytest.mark.parametrize(
    ("number", "said", "expected"),
    [
        (605004, 'Login denied from 10.1.1.2/51923 to mgmt:10.1.1.254/https for user "root"',
         {"event.outcome": "failure", "source.ip": "10.1.1.2", "user.name": "root", "destination.ip": "10.1.1.254"}),
        (605005, 'Login permitted from 10.1.1.2/51923 to mgmt:10.1.1.254/ssh for user "ida"',
         {"event.outcome": "success", "source.ip": "10.1.1.2", "user.name": "ida"}),
        (113005, ("AAA user authentication Rejected : reason = AAA failure : server = 192.0.2.5 : user = ida : "
         "user IP = 203.0.113.9"),
         {"event.outcome": "failure", "source.ip": "203.0.113.9", "destination.ip": "192.0.2.5", "user.name": "ida"}),
        (113004, "AAA user authentication Successful : server =  192.0.2.5 : user = ida",
         {"event.outcome": "success", "destination.ip": "192.0.2.5", "user.name": "ida"}),
        (716039, "Authentication: rejected, group = staff user = eve , Session Type: WebVPN",
         {"event.outcome": "failure", "user.name": "eve", "user.group.name": "staff"}),
        (611102, "User authentication failed: IP address: 10.1.1.2, Uname: root",
         {"event.outcome": "failure", "source.ip": "10.1.1.2", "user.name": "root"}),
        (722051, "Group <VPN> User <ida> IP <203.0.113.9> IPv4 Address <10.9.0.5> assigned to session",
         {"event.action": "session-started", "source.ip": "203.0.113.9", "user.name": "ida", "user.group.name": "VPN"}),
        (111010, "User 'ida', running 'CLI' from IP 10.1.1.2, executed 'write memory'",
         {"event.action": "command", "user.name": "ida", "source.ip": "10.1.1.2",
          "process.command_line": "write memory"}),
        (304001, "10.1.1.2 Accessed URL 198.51.100.2:http://www.example/a",
         {"source.ip": "10.1.1.2", "destination.ip": "198.51.100.2", "url.original": "http://www.example/a"}),
        (302020, "Built inbound ICMP connection for faddr 203.0.113.9/0 gaddr 198.51.100.7/0 laddr 192.0.2.7/0",
         {"source.ip": "192.0.2.7", "source.nat.ip": "198.51.100.7", "destination.ip": "203.0.113.9"}),
    ],
)  # fmt: skip
def test_who_did_what(number: int, said: str, expected: dict[str, Any]) -> None:
    found = asa(number, 5, said)
    assert {name: found.get(name) for name in expected} == expected


def test_a_vpn_session_with_its_bytes_seen_from_the_client() -> None:
    found = asa(
        113019,
        4,
        "Group = staff, Username = ida, IP = 203.0.113.9, Session disconnected. Session Type: SSL, Duration: 1d "
        "0h:32m:16s, Bytes xmt: 297103, Bytes rcv: 1216163, Reason: User Requested",
    )
    assert found["event.duration"] == 88_336_000_000_000
    assert (found["source.bytes"], found["destination.bytes"]) == (1216163, 297103)
    assert (found["source.ip"], found["user.name"], found["event.action"]) == ("203.0.113.9", "ida", "logout")


@pytest.mark.parametrize(
    "head",
    [
        "",
        "<166>",
        "<166>:Dec 27 11:02:49 UTC: ",
        "Dec 27 2025 11:02:49 fw-1 : ",
        "Dec 27 2025 11:02:49 <fw-1>: ",
        "fw-1: ",
    ],
)
def test_the_ways_a_message_begins(head: str) -> None:
    fields = read(
        f"{head}%ASA-session-6-302013: Built inbound TCP connection 1 for a:203.0.113.9/5 to b:192.0.2.7/6"
    ).fields
    assert (fields["event.code"], fields["source.ip"], fields["destination.port"]) == ("302013", "203.0.113.9", 6)


def test_names_stand_where_the_device_knows_them() -> None:
    found = asa(106015, 6, "Deny TCP (no connection) from 203.0.113.9/56 to mail-gw1/25 flags FIN ACK on interface x")
    assert (found["source.ip"], found["destination.domain"], found["destination.port"]) == (
        "203.0.113.9",
        "mail-gw1",
        25,
    )
    assert "destination.ip" not in found


def test_what_the_line_does_not_say_is_not_there() -> None:
    found = asa(733100, 4, "[Scanning] drop rate-1 exceeded. Current burst rate is 0 per second")
    assert found == {"event.action": "threat-detected", "event.category": "network"}
    assert asa(199002, 6, "Startup completed. Beginning operation.") == {}


def test_a_connection_event_of_threat_defense() -> None:
    event = read(
        "<113>Dec 27 2025 11:02:49 fw-1 : %FTD-1-430003: EventPriority: Low, AccessControlRuleAction: Block, SrcIP:"
        " 10.1.2.3, DstIP: 198.51.100.2, SrcPort: 4000, DstPort: 443, Protocol: tcp, User: ida, InitiatorBytes: 10,"
        " ResponderBytes: 20, URL: https://www.example/a, b, ACPolicy: Default"
    )
    expected = {
        "event.action": "denied", "event.category": "network", "source.ip": "10.1.2.3", "source.port": 4000,
        "destination.ip": "198.51.100.2", "destination.port": 443, "network.transport": "tcp", "user.name": "ida",
        "source.bytes": 10, "destination.bytes": 20, "url.original": "https://www.example/a, b",
        "cisco.ftd.ACPolicy": "Default",
    }  # fmt: skip
    assert {name: event.fields.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (("000123: *Dec 27 11:02:49.123 UTC: %SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: root] [Source: "
         "203.0.113.9] [localport: 22] [Reason: Login Authentication Failed] at 11:02:49 UTC Sat Dec 27 2025"),
         {"event.outcome": "failure", "user.name": "root", "source.ip": "203.0.113.9", "destination.port": 22,
          "log.level": "warning", "event.reason": "Login Authentication Failed"}),
        ("Dec 27 11:02:49 sw-1 45: %SEC-6-IPACCESSLOGP: list 101 denied tcp 203.0.113.9(4000) -> 192.0.2.7(23), 1",
         {"event.action": "denied", "source.ip": "203.0.113.9", "source.port": 4000, "destination.ip": "192.0.2.7",
          "destination.port": 23, "rule.name": "101", "network.transport": "tcp"}),
        ("%SSH-5-SSH2_USERAUTH: User 'ida' authentication for SSH2 Session from 203.0.113.9 (tty = 0) Succeeded",
         {"event.action": "login", "event.outcome": "success", "user.name": "ida", "source.ip": "203.0.113.9"}),
        ("%SSH-5-SSH2_SESSION: SSH2 Session request from 203.0.113.9 (tty = 0) Succeeded",
         {"event.action": "session-started", "source.ip": "203.0.113.9", "event.outcome": None}),
        ("%SYS-5-CONFIG_I: Configured from console by ida on vty0 (10.1.1.2)",
         {"event.action": "configured", "user.name": "ida", "source.ip": "10.1.1.2"}),
        ("%PARSER-5-CFGLOG_LOGGEDCMD: User:ida  logged command:no logging host 192.0.2.9",
         {"event.action": "command", "user.name": "ida", "process.command_line": "no logging host 192.0.2.9"}),
        ("%LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/1, changed state to down",
         {"event.action": "link-down", "observer.ingress.interface.name": "Gi0/1"}),
    ],
)  # fmt: skip
def test_routers_and_switches(text: str, expected: dict[str, Any]) -> None:
    fields = read(text).fields
    assert {name: fields.get(name) for name in expected} == expected


@pytest.mark.parametrize("text", ["%ASA-", "%ASA-9-1: x", "%-6-302013: x", "100% of 5 %ASA", "% ASA-6-302013: Built"])
def test_what_only_looks_like_one_is_left_to_others(text: str) -> None:
    assert "event.provider" not in read(text).fields
