"""Packets and alerts as text: tcpdump, and the one-line alerts of Suricata (``fast.log``) and Snort.

Handed: a message without its syslog header, or a bare line. Hands on: both ends, transport, the DNS question of a
packet that shows one, and an alert's signature. A clock without a date (tcpdump's default) is no time.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses
from triage.parsers.packet_filters import transport

MAX_READ = 2_000
_SENSORS = frozenset({"", "snort", "suricata", "tcpdump"})
_V4_END = r"(?:\d{1,3}\.){3}\d{1,3}(?:\.[\w-]{1,32})?"
_V6_END = r"[0-9A-Fa-f:]{2,45}(?:\.[\w-]{1,32})?"
_TCPDUMP = re.compile(
    r"(?:(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{10}\.\d{1,9}|\d\d:\d\d:\d\d(?:\.\d{1,9})?|"
    r"[ -]?\d\d:\d\d:\d\d\.\d{1,9}) )?"
    r"(?:(?P<interface>[\w.-]{1,32}) {1,4}(?P<way>In|Out|B|M|P) {1,4})?IP(?P<version>6?) "
    r"(?:\((?:[^()]{1,200}(?:\(\w{1,16}\))?){1,4}\) ?)?\s{0,8}"
    rf"(?P<source>{_V4_END}|{_V6_END}) > (?P<destination>{_V4_END}|{_V6_END}): (?P<said>.{{0,400}})",
    re.DOTALL,
)
_V4_SPLIT = re.compile(r"((?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f:]{2,45})(?:\.([\w-]{1,32}))?\Z")
_QUESTION = re.compile(r"\d{1,5}[+%*-]{0,4} (?:\[\w{1,8}\] )?(?P<type>[A-Z]{1,10}\d{0,5})\? (?P<name>\S{1,255}?)\.? ")


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    if app not in _SENSORS:
        return False
    if "] [Priority: " in text or "[**]" in text[:80]:
        return True
    return " > " in text and (" IP " in text[:64] or " IP6 " in text[:64] or text.startswith("IP"))


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    text = text[:MAX_READ]
    return _read_alert(text, fields) if " -> " in text else _read_tcpdump(text, fields)


def _read_tcpdump(text: str, fields: Fields) -> str | None:
    packet = _TCPDUMP.match(text)
    if packet is None:
        return None
    fields["event.category"] = "network"
    fields["network.type"] = "ipv6" if packet["version"] else "ipv4"
    for side in ("source", "destination"):
        end = _V4_SPLIT.match(packet[side])
        if end is not None:
            port = end[2] if end[2] and end[2].isascii() and end[2].isdigit() and len(end[2]) < 6 else None
            addresses.put(fields, side, end[1], port)
    said = packet["said"]
    found = _told_transport(said)
    if found:
        fields["network.transport"] = found
    question = _QUESTION.match(said)
    if question is not None:
        fields["dns.question.name"] = question["name"]
        fields["dns.question.type"] = question["type"]
    if packet["way"] in ("In", "Out"):
        side = "ingress" if packet["way"] == "In" else "egress"
        fields["network.direction"] = side
        fields[f"observer.{side}.interface.name"] = packet["interface"]
    stamp = packet["time"] or ""
    return stamp if len(stamp) > 16 else ""


def _told_transport(said: str) -> str:
    if said.startswith(("Flags [", "tcp ")):
        return "tcp"
    if said.startswith(("UDP,", "udp ")):
        return "udp"
    if said.startswith("ICMP6"):
        return "ipv6-icmp"
    return "icmp" if said.startswith("ICMP") else ""


_ALERT = re.compile(
    r"(?:(?P<time>\d\d/\d\d(?:/\d{2,4})?-\d\d:\d\d:\d\d(?:\.\d{1,9})?) {1,4})?(?:\[(?P<verdict>w?[Dd]rop)\] )?"
    r"(?:\[\*\*\] )?\[(?P<generator>\d{1,10}):(?P<id>\d{1,12}):\d{1,10}\] (?P<name>.{1,512}?) (?:\[\*\*\] )?"
    r"(?:\[Classification: (?P<class>[^\]]{1,128})\] )?(?:\[Priority: (?P<priority>\d{1,3})\]:? )?"
    r"(?:<(?P<interface>[\w.-]{1,32})> )?\{(?P<proto>[\w -]{1,32})\} (?P<source>[0-9A-Fa-f:.]{2,52}) -> "
    r"(?P<destination>[0-9A-Fa-f:.]{2,52})(?=\s|\Z)"
)


def _read_alert(text: str, fields: Fields) -> str | None:
    """``time [**] [1:2008578:4] name [**] [Classification: ..] [Priority: 2] {UDP} a:port -> b:port``."""
    alert = _ALERT.match(text)
    if alert is None:
        return None
    proto = transport(alert["proto"])
    fields["event.category"] = "intrusion_detection"
    fields["network.transport"] = proto
    for side in ("source", "destination"):
        address, port = _split(alert[side], proto)
        addresses.put(fields, side, address, port)
    fields["rule.name"] = alert["name"]
    fields["rule.id"] = alert["id"]
    if alert["class"] and alert["class"] != "(null)":
        fields["rule.category"] = alert["class"]
    if alert["priority"]:
        fields["event.severity"] = int(alert["priority"])
    if alert["interface"]:
        fields["observer.ingress.interface.name"] = alert["interface"]
    # "wDrop" would have been dropped, had the sensor stood in the way.
    fields["event.action"] = "denied" if alert["verdict"] == "Drop" else "alert"
    return _with_year_first(alert["time"] or "")


def _split(text: str, proto: str) -> tuple[str, str | None]:
    """An IPv6 address has no brackets here; after ICMP's, its type and code may stand like a port."""
    address, colon, port = text.rpartition(":")
    if proto in ("tcp", "udp", "sctp") and colon and address:
        return address, port if port.isdigit() and len(port) < 6 else None
    return (address, None) if "." in address and colon else (text, None)


def _with_year_first(text: str) -> str:
    """``07/11/2022-10:29:01.860293`` in ISO's order; without a year it stays as it is written."""
    date, _, clock = text.partition("-")
    parts = date.split("/")
    if len(parts) != 3:
        return text
    year = parts[2] if len(parts[2]) == 4 else "20" + parts[2]
    return f"{year}-{parts[0]}-{parts[1]}T{clock}"
