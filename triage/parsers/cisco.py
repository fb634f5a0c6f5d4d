"""Cisco messages: ASA, FTD, PIX and IOS, ``%FACILITY-SEVERITY-MNEMONIC: text``.

Handed: a message without its syslog header. Hands on: the appliance's own severity and message number, both ends
of a flow. Format: Cisco Secure Firewall ASA Series Syslog Messages; Cisco IOS System Message Guide.
"""

import re

from triage.contracts import Fields
from triage.parsers.severities import SEVERITIES

_CISCO = re.compile(
    r"%(?P<module>[A-Z][A-Z0-9_]{1,31})-(?:[A-Z0-9_]{1,32}-)?(?P<level>[0-7])-(?P<code>[A-Z0-9_]{1,64}): ?"
)


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return text.startswith("%")


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text (none here), ``None`` when it is not one of these."""
    match = _CISCO.match(text)
    if match is None:
        return None
    fields["event.code"] = match["code"]
    fields["event.provider"] = match["module"]
    fields["log.level"] = SEVERITIES[int(match["level"])]
    _read_flow(text, fields)
    return ""


_FLOW = re.compile(
    r"(?:from|src|for) (?:[\w-]{1,64}[:/])?((?:\d{1,3}\.){3}\d{1,3})/(\d{1,5})(?: ?\([^()]{1,128}\))*"
    r" (?:to|dst) (?:[\w-]{1,64}[:/])?((?:\d{1,3}\.){3}\d{1,3})/(\d{1,5})"
)
_TRANSPORT = re.compile(r" (tcp|udp|icmp) ", re.IGNORECASE)


def _read_flow(message: str, fields: Fields) -> None:
    """Firewalls name both ends as ``interface:address/port``."""
    match = _FLOW.search(message, 0, 600)
    if match is not None:
        ends = ("source.ip", "source.port", "destination.ip", "destination.port")
        if " outbound " in message[:80]:
            ends = ends[2:] + ends[:2]
        for name, value in zip(ends, match.groups(), strict=True):
            fields[name] = int(value) if name.endswith("port") else value
        fields["event.category"] = "network"
    transport = _TRANSPORT.search(message, 0, 120)
    if transport is not None:
        fields["network.transport"] = transport[1].lower()
