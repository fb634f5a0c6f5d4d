"""Packet filters, packet texts, proxies, name servers, tunnels: what their messages become, what stays unread."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import parsers
from triage.contracts import Record
from triage.parsers import devices, dns_servers, haproxy, openvpn, packet_filters, packet_texts, squid

RECEIVED_AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z
READERS = (packet_filters, packet_texts, squid, haproxy, dns_servers, openvpn)
HEAD = "Dec 31 10:00:00 gw "


def fields_of(line: str) -> dict[str, Any]:
    (event,) = parsers.parse([Record(line)], RECEIVED_AT, memory={})
    assert event.fallback_reason == ""
    return {
        name: value
        for name, value in event.fields.items()
        if name not in ("host.name", "event.category", "winnow.time_inferred", "process.pid")
    }


def pick(line: str, *names: str) -> dict[str, Any]:
    found = fields_of(line)
    return {name: found[name] for name in names if name in found}


def test_readers_are_known_to_devices() -> None:
    assert set(READERS) <= set(devices.FORMATS)


@pytest.mark.parametrize(
    ("prefix", "verdict", "name"),
    [
        ("", None, None),
        ("[UFW BLOCK] ", "denied", "UFW BLOCK"),
        ("[UFW LIMIT BLOCK] ", "denied", "UFW LIMIT BLOCK"),
        ("[UFW ALLOW] ", "allowed", "UFW ALLOW"),
        ("[UFW AUDIT] ", None, "UFW AUDIT"),
        ("FINAL_REJECT: ", "denied", "FINAL_REJECT"),
        ("filter_IN_public_ACCEPT: ", "allowed", "filter_IN_public_ACCEPT"),
        ("iptables denied: ", "denied", "iptables denied"),
        ("DROP wan in: ", "denied", "DROP wan in"),
        ("Shorewall:net-fw:DROP:", "denied", "Shorewall:net-fw:DROP"),
        ("new connection ", None, "new connection"),
    ],
)
def test_prefix_of_a_kernel_packet_says_what_became_of_it(prefix: str, verdict: str | None, name: str | None) -> None:
    packet = "IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.10 LEN=44 PROTO=TCP SPT=4000 DPT=23"
    found = fields_of(f"{HEAD}kernel: [  12.345678] {prefix}{packet}")
    assert found.get("event.action") == verdict
    assert found.get("rule.name") == name
    assert found["source.ip"] == "203.0.113.9"
    assert found["source.port"] == 4000
    assert found["destination.ip"] == "192.0.2.10"
    assert found["destination.port"] == 23
    assert found["network.transport"] == "tcp"
    assert found["network.direction"] == "ingress"
    assert "event.outcome" not in found


def test_rule_sets_are_read_from_prefixes() -> None:
    packet = "IN=eth8 OUT=eth1 MAC= SRC=203.0.113.9 DST=192.0.2.10 PROTO=UDP SPT=1 DPT=2"
    names = ("rule.ruleset", "rule.id", "rule.name", "event.action")
    assert pick(f'{HEAD}[WAN_LOCAL-D-2147483647] DESCR="[WAN_LOCAL]Block All" {packet}', *names) == {
        "rule.ruleset": "WAN_LOCAL",
        "rule.id": "2147483647",
        "rule.name": "[WAN_LOCAL]Block All",
        "event.action": "denied",
    }
    assert pick(f"{HEAD}kernel: [ipv4-INP-filter-10-A]{packet}", *names) == {
        "rule.ruleset": "ipv4-INP-filter",
        "rule.id": "10",
        "rule.name": "ipv4-INP-filter-10-A",
        "event.action": "allowed",
    }
    assert pick(f"{HEAD}kernel: Shorewall:net2fw:REJECT:{packet}", *names)["rule.ruleset"] == "net2fw"


def test_prefix_that_passed_for_a_program_is_a_rule() -> None:
    found = fields_of(f"{HEAD}IPTABLES-DROP: IN=eth8 OUT= SRC=192.0.2.1 DST=192.0.2.25 PROTO=TCP SPT=1 DPT=2")
    assert "process.name" not in found
    assert (found["rule.name"], found["event.action"]) == ("IPTABLES-DROP", "denied")
    chain = fields_of(f"<134>{HEAD}input: in:ether1 out:(unknown 0), proto UDP, 203.0.113.7:1->192.0.2.1:2, len 56")
    assert "process.name" not in chain
    assert (chain["rule.ruleset"], chain["destination.ip"], chain["destination.port"]) == ("input", "192.0.2.1", 2)
    assert "event.action" not in chain


def test_link_header_gives_both_hardware_addresses() -> None:
    packet = "IN=eth0 OUT= {} SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP SPT=1 DPT=2"
    header = "MAC=02:00:5e:00:00:0a:02:00:5e:00:00:0b:08:00"
    pair = "MACSRC=02:00:5e:00:00:0b MACDST=02:00:5e:00:00:0a MACPROTO=0800"
    for text in (header, pair):
        found = fields_of(f"{HEAD}kernel: " + packet.format(text))
        assert found["source.mac"] == "02-00-5E-00-00-0B"
        assert found["destination.mac"] == "02-00-5E-00-00-0A"
    assert "source.mac" not in fields_of(f"{HEAD}kernel: " + packet.format("MAC=02:00"))


def test_packet_in_another_programs_words_is_not_its_own() -> None:
    line = 'nginx: "GET /?x= IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP SPT=1 DPT=2 HTTP/1.1" 200'
    found = fields_of(HEAD + line)
    assert "network.transport" not in found
    assert "observer.ingress.interface.name" not in found
    fields: dict[str, Any] = {}
    assert packet_filters.read('said="IN=a OUT= SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP', fields) is None
    assert fields == {}


@pytest.mark.parametrize(
    ("action", "verdict"), [("block", "denied"), ("reject", "denied"), ("pass", "allowed"), ("rdr", None)]
)
def test_filterlog_verdicts(action: str, verdict: str | None) -> None:
    line = f"53,,,1000000301,em0,match,{action},out,4,0x0,,64,420,0,none,6,tcp,460,192.0.2.2,192.0.2.15,53742,22,420,PA"
    found = fields_of(f"{HEAD}filterlog: {line}")
    assert found.get("event.action") == verdict
    assert found["observer.egress.interface.name"] == "em0"
    assert (found["source.port"], found["destination.port"], found["rule.id"]) == (53742, 22, "1000000301")
    assert found["process.name"] == "filterlog"


@pytest.mark.parametrize(
    "line",
    [
        "53,,,1,em0,match,block,in,4",
        "53,,,1,em0,match,block,in,5,0x0,,64,1,0,none,6,tcp,60,192.0.2.2,192.0.2.3,1,2",
        "53,,,1,em0,match,block,up,4,0x0,,64,1,0,none,6,tcp,60,192.0.2.2,192.0.2.3,1,2",
        "53,,,1,em0,match,block,in,4,0x0,,64,1,0,none,6,tcp,60,here,there,1,2",
        "IN=eth0 OUT= SRC=203.0.113.9",
        "in:ether1 out:ether2, proto TCP, nobody",
    ],
)
def test_broken_packet_lines_fill_nothing(line: str) -> None:
    fields: dict[str, Any] = {"process.name": "kernel"}
    assert packet_filters.read(line, fields) is None
    assert fields == {"process.name": "kernel"}


def test_snort_alert_from_syslog() -> None:
    names = ("rule.name", "rule.id", "source.ip", "destination.ip", "network.transport", "event.severity")
    text = "snort[99]: [1:1000001:1] PING test [Classification: Misc activity] [Priority: 3]: {ICMP} "
    assert pick(f"{HEAD}{text}192.0.2.1 -> 198.51.100.1", *names) == {
        "rule.name": "PING test",
        "rule.id": "1000001",
        "source.ip": "192.0.2.1",
        "destination.ip": "198.51.100.1",
        "network.transport": "icmp",
        "event.severity": 3,
    }


def test_squid_behind_a_syslog_header() -> None:
    line = '192.0.2.7 - bob [31/Dec/2025:10:00:00 +0000] "GET http://example.com/ HTTP/1.1" 403 3000 "-" "curl/8" '
    found = fields_of(f"{HEAD}squid[22]: {line}TCP_DENIED:HIER_NONE")
    assert (found["squid.result"], found["squid.hierarchy"]) == ("TCP_DENIED", "HIER_NONE")
    assert (found["event.action"], found["event.outcome"], found["user.name"]) == ("denied", "failure", "bob")
    native = "(squid-1): 1767225599.586 921 192.0.2.7 TCP_HIT/200 507 GET http://example.com/ - HIER_NONE/- text/html"
    found = fields_of(HEAD + native)
    assert (found["source.ip"], found["squid.result"], found["event.duration"]) == ("192.0.2.7", "TCP_HIT", 921_000_000)
    assert "event.action" not in found
    assert "user.name" not in found


def test_haproxy_says_which_server_and_who_connected() -> None:
    assert pick(f"{HEAD}haproxy[2]: Server be/s1 is DOWN, reason: Layer4 timeout", "event.action") == {
        "event.action": "server_down"
    }
    found = fields_of(f"{HEAD}haproxy[2]: Connect from 192.0.2.4:5000 to 198.51.100.3:443 (www/HTTP)")
    assert (found["source.ip"], found["source.port"]) == ("192.0.2.4", 5000)
    assert (found["destination.ip"], found["destination.port"]) == ("198.51.100.3", 443)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("transfer of 'example.com/IN': AXFR started (serial 3)", ("zone_transfer", "example.com", "AXFR", None)),
        ("updating zone 'example.com/IN': adding an RR at 'a' A", ("dns_update", "example.com", None, None)),
        ("query failed (REFUSED) for x.example/IN/A at q.c:1", ("dns_query", "x.example", "A", "failure")),
        ("rpz QNAME NXDOMAIN rewrite bad.example/A/IN via bad.rpz", ("denied", "bad.example", "A", None)),
        ("rpz QNAME PASSTHRU rewrite ok.example/A/IN via ok.rpz", ("allowed", "ok.example", "A", None)),
        ("update 'example.com/IN' denied", ("denied", "example.com", None, "failure")),
        ("query: . IN NS +E(0) (192.0.2.53)", ("dns_query", ".", "NS", None)),
        ("no more recursive clients: quota reached", (None, None, None, None)),
    ],
)
def test_named_sentences(said: str, expected: tuple[str | None, ...]) -> None:
    found = fields_of(f"{HEAD}named[7]: client @0x7f 192.0.2.4#5353 (x.example): {said}")
    names = ("event.action", "dns.question.name", "dns.question.type", "event.outcome")
    assert tuple(found.get(name) for name in names) == expected
    assert (found["source.ip"], found["source.port"]) == ("192.0.2.4", 5353)


def test_dnsmasq_unbound_and_powerdns() -> None:
    names = ("event.action", "dns.question.name", "source.ip", "destination.ip", "dns.response_code", "dns.resolved_ip")
    cases = {
        "dnsmasq[9]: query[A] example.com from 192.0.2.8": ("dns_query", "example.com", "192.0.2.8"),
        "dnsmasq[9]: 4 192.0.2.8/5000 query[A] example.com from 192.0.2.8": ("dns_query", "example.com", "192.0.2.8"),
        "dnsmasq[9]: forwarded example.com to 198.51.100.9#53": ("dns_forward", "example.com", None, "198.51.100.9"),
        "dnsmasq[9]: cached example.com is NXDOMAIN": ("dns_answer", "example.com", None, None, "NXDOMAIN"),
        "pihole-FTL[9]: gravity blocked ads.example is 0.0.0.0": (
            *("denied", "ads.example", None, None, None),
            ["0.0.0.0"],
        ),
        "unbound: [1:0] info: 192.0.2.4 example.com. A IN NOERROR 0.1 1 45": (
            *("dns_answer", "example.com", "192.0.2.4", None),
            "NOERROR",
        ),
        "pdns_server[3]: Remote 192.0.2.4 wants 'example.com|A', do = 0": ("dns_query", "example.com", "192.0.2.4"),
        "pdns_recursor[3]: 1 [5/1] question for 'example.com|A' from 192.0.2.4:5000": (
            *("dns_query", "example.com"),
            "192.0.2.4",
        ),
    }
    for line, expected in cases.items():
        found = fields_of(HEAD + line)
        assert tuple(found.get(name) for name in names) == (*expected, *[None] * (len(names) - len(expected))), line


def test_both_packets_of_an_ike_exchange_have_the_peer_as_source() -> None:
    for text in (
        "received packet: from 203.0.113.8[28821] to 192.0.2.1[4500] (128 bytes)",
        "sending packet: from 192.0.2.1[4500] to 203.0.113.8[28821] (128 bytes)",
    ):
        found = fields_of(f"{HEAD}charon: 08[NET] <con2|7> {text}")
        assert (found["source.ip"], found["source.port"]) == ("203.0.113.8", 28821)
        assert (found["destination.ip"], found["destination.port"]) == ("192.0.2.1", 4500)
        assert found["strongswan.connection"] == "con2|7"
        assert "event.outcome" not in found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("authentication of 'alice' with EAP successful", ("login", "success", "alice", None)),
        ("authentication of 'vpn.example' (myself) with RSA signature successful", (None, None, None, None)),
        ("EAP method EAP_MSCHAPV2 failed for peer alice", ("login", "failure", "alice", None)),
        ("generating IKE_AUTH response 1 [ N(AUTH_FAILED) ]", ("login", "failure", None, None)),
        (
            "IKE_SA con2[7] established between 192.0.2.1[vpn]...203.0.113.8[alice]",
            ("vpn_connected", "success", None, "203.0.113.8"),
        ),
        (
            "no IKE config found for 192.0.2.1...203.0.113.8, sending NO_PROPOSAL_CHOSEN",
            ("vpn_handshake", "failure", None, "203.0.113.8"),
        ),
        ("203.0.113.8 is initiating a Main Mode IKE_SA", ("vpn_handshake", None, None, "203.0.113.8")),
        ("loaded certificate of the gateway", (None, None, None, None)),
    ],
)
def test_charon_sentences(said: str, expected: tuple[str | None, ...]) -> None:
    found = fields_of(f"{HEAD}charon[4]: 08[IKE] <7> {said}")
    assert tuple(found.get(n) for n in ("event.action", "event.outcome", "user.name", "source.ip")) == expected


@pytest.mark.parametrize(
    ("said", "address", "outcome"),
    [
        ("Packet has unallowed src IP (10.0.0.3) from peer 1 (203.0.113.2:51820)", "203.0.113.2", "failure"),
        ("Invalid handshake initiation from 203.0.113.3:51820", "203.0.113.3", "failure"),
        ("Handshake for peer 1 (203.0.113.4:51820) did not complete after 5 seconds", "203.0.113.4", "failure"),
        ("Receiving keepalive packet from peer 3 ([2001:db8::9]:51820)", "2001:db8::9", None),
    ],
)
def test_wireguard_names_the_outer_address(said: str, address: str, outcome: str | None) -> None:
    found = fields_of(f"{HEAD}kernel: [ 12.345678] wireguard: wg0: {said}")
    assert (found["source.ip"], found["source.port"], found.get("event.outcome")) == (address, 51820, outcome)
    assert found["observer.ingress.interface.name"] == "wg0"


def test_openvpn_accounts() -> None:
    text = "TLS: Username/Password authentication succeeded for username 'alice' [CN SET]"
    found = fields_of(f"{HEAD}ovpn-server[5]: 192.0.2.3:52234 {text}")
    assert (found["user.name"], found["event.action"], found["event.outcome"]) == ("alice", "login", "success")
    found = fields_of(f"{HEAD}openvpn[5]: TLS Error: TLS handshake failed")
    assert (found["event.action"], found["event.outcome"]) == ("vpn_handshake", "failure")
    assert "source.ip" not in found
    found = fields_of(f"{HEAD}openvpn[5]: Initialization Sequence Completed")
    assert "event.action" not in found
    assert "event.outcome" not in found


PARTS = st.sampled_from(
    [
        *("IN=eth0", " OUT=", " SRC=192.0.2.1", " DST=::1", " PROTO=TCP", " SPT=99999", ' DESCR="', "[UFW BLOCK] "),
        *("in:a ", "out:b", ", proto ", "TCP, ", "1.2.3.4:1->5.6.7.8:2", "->", ":99999", "\ud800", "\x00", "٣", "²"),
        *("1,,,1,em0,match,block,in,4,", "0,", "[**] ", "[1:2:3] ", "{TCP} ", " -> ", "[Priority: 1] ", " > ", "IP "),
        *("1767225599.586 1 ", "TCP_MISS/200 ", "CONNECT a:99999 ", "client 1.2.3.4#99999: ", "query: a IN A"),
        *(
            "DHCPACK(br0) ",
            "192.0.2.1 ",
            "query[A] ",
            "a from ",
            "reply a is ",
            "08[NET] <a> ",
            "sending packet: from ",
        ),
        *("1.2.3.4[1] to ", "wireguard: wg0: ", "from 999.1.1.1:70000", "TLS Error: ", "[AF_INET6]::1:70000", "'", '"'),
        *("192.0.2.9:1 [14/Jan/2015:12:48:57.127] ", "fe be/s ", "0/0/0/0/0 ", "200 1 - - ---- 0/0/0/0/0 0/0"),
    ]
)


@pytest.mark.parametrize("form", READERS, ids=[form.__name__.rpartition(".")[2] for form in READERS])
@given(text=st.lists(PARTS | st.text(max_size=8), max_size=14).map("".join))
def test_no_reader_raises_or_leaves_traces_of_what_it_did_not_read(form: ModuleType, text: str) -> None:
    given_fields: dict[str, Any] = {"process.name": "x", "host.name": "h", "event.category": "y", "source.ip": "::1"}
    for app in ("", "kernel", "filterlog", "squid", "haproxy", "named", "charon", "openvpn"):
        assert form.looks(app, text) in (True, False)
    fields = dict(given_fields)
    if form.read(text, fields) is None:
        assert fields == given_fields
