"""Failed logins and packet-filter lines of programs that have no parser of their own.

Handed: a message's text. Hands on: what it says outright: that a login failed, for whom, from which address;
or the ends of a filtered packet. Words only, no guesses: an address counts when a word before it says so.
"""

import re

from triage.contracts import Fields
from triage.parsers.linux_auth import put_address

MAX_READ = 1_000
_FAILED = re.compile(
    r"auth\w{0,14}[ -](?:attempt )?(?:fail\w{0,4}|error|rejected|denied)"
    r"|fail\w{0,4} (?:\w{1,16} ){0,2}(?:auth|log-?in|password)"
    r"|(?:log-?in|password) (?:attempt |was )?(?:fail\w{0,4}|incorrect|mismatch|verification failed|check failed)"
    r"|(?:invalid|incorrect|wrong|bad) (?:user ?name|user|log-?in|password|credentials)|unknown user|user not found"
    r"|unsuccessful \w{0,16} ?(?:auth|log-?in)|auth-failure|could not authenticate"
    r"|access denied for user|password doesn't match|nonexistent user|user .{1,128}? not found"
)
_ADDRESS = re.compile(
    r"(?:from|rhost|rip|client|host|address|addr|ip|peer|remote_ip|src|with|@)\W{0,4}(?:ip\W{0,3})?(?:\S{0,64}\[|\(?\?@)?"
    r"((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d{1,3}){0,3})(?![\w.])"
)
_USER = re.compile(
    r"(?<![\w-])(?:user ?name|user|login|account)(?:[=:]? ?[\"'<\[]{1,2}([^\"'<>\[\]]{1,128})[\"'>\]]"
    r"|=([^\s\"'<>,;:\[\]]{1,128})|: ?([^\s\"'<>,;:\[\]]{1,128})(?=[,;)]|$))",
    re.IGNORECASE,
)
_PACKET = re.compile(r" (SRC|DST|SPT|DPT|PROTO|IN|OUT)=([^\s=]{1,64})")
_PACKET_NAMES = {
    "SRC": "source.ip",
    "DST": "destination.ip",
    "SPT": "source.port",
    "DPT": "destination.port",
    "PROTO": "network.transport",
    "IN": "observer.ingress.interface.name",
    "OUT": "observer.egress.interface.name",
}


def read_failed_login(text: str, fields: Fields) -> bool:
    """Mark a login that the text says failed, with its user and address when it names them."""
    low = text[:MAX_READ].lower()
    if not ("auth" in low or "login" in low or "password" in low or "user" in low):
        return False
    if _FAILED.search(low) is None:
        return False
    fields["event.category"] = "authentication"
    fields.setdefault("event.action", "login")
    fields["event.outcome"] = "failure"
    address = _ADDRESS.search(low)
    if address is not None and "source.ip" not in fields:
        put_address(fields, address[1])
    user = _USER.search(text, 0, MAX_READ)
    if user is not None:
        fields.setdefault("user.name", user[user.lastindex or 0])
    return True


def read_packet(text: str, fields: Fields) -> bool:
    """Read ``SRC=.. DST=.. PROTO=..`` as the Linux packet filter logs it."""
    if " SRC=" not in text or " DST=" not in text:
        return False
    fields["event.category"] = "network"
    for key, value in _PACKET.findall(text[:MAX_READ]):
        name = _PACKET_NAMES[key]
        if key in ("SPT", "DPT"):
            if value.isascii() and value.isdigit() and len(value) < 6:
                fields[name] = int(value)
        else:
            fields[name] = value.lower() if key == "PROTO" else value
    return True
