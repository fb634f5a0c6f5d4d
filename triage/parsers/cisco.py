"""Cisco messages: ASA, FTD, PIX and IOS, ``%FACILITY-SEVERITY-MNEMONIC: text``.

Handed: a message without its syslog header, or a bare line with the device's own number and clock before it. Hands on:
the appliance's severity and message number, and what the message says. Formats: Cisco Secure Firewall ASA Series
Syslog Messages; Cisco IOS System Message Guide.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, cisco_asa
from triage.parsers.severities import SEVERITIES
from triage.parsers.vendor_pairs import account, put

MAX_READ = 2_000
_HEAD = re.compile(
    r"(?:<\d{1,3}>)?:? ?(?:\d{1,10}: )?(?:<?[\w.-]{1,255}>? ?: )?"
    r"(?:[*.]?(?P<time>[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [A-Z]{3,5})?)"
    r"(?: <?(?P<host>[\w.-]{1,255})>?)? ?: )?(?::? ?)"
    r"%(?P<module>[A-Z][A-Z0-9_]{1,31})-(?:[A-Za-z0-9_]{1,32}-)?(?P<level>[0-7])-(?P<code>[A-Z0-9_]{1,64})(?:: ?| )"
)
_FIREWALLS = frozenset({"ASA", "FTD", "PIX", "FWSM"})


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return text.startswith("%") or ("%" in text[:120] and _HEAD.match(text) is not None)


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    match = _HEAD.match(text)
    if match is None:
        return None
    said = text[match.end() : match.end() + MAX_READ * 8]
    fields["event.code"] = match["code"]
    fields["event.provider"] = match["module"]
    fields["log.level"] = SEVERITIES[int(match["level"])]
    if match["host"]:
        fields["host.name"] = match["host"]
    if match["module"] in _FIREWALLS:
        cisco_asa.read(match["code"], said, fields)
    else:
        _read_ios(match["code"], said[:MAX_READ], fields)
    return match["time"] or ""


_BRACKETED = re.compile(r"\[(user|Source|localport|Reason): ?([^\]]{0,256})\]")
_ACCESS = re.compile(
    r"list (?P<list>\S{1,128}) (?P<verdict>permitted|denied) (?:(?P<proto>[\w-]{1,16}) )?(?P<a>[0-9A-Fa-f.:]{2,45})"
    r"(?:\((?P<a_port>\d{1,5})\))?(?: (?!->)(?:\([^()]{1,64}\)|\S{1,32}))? ?"
    r"(?:-> (?P<b>[0-9A-Fa-f.:]{2,45})(?:\((?P<b_port>\d{1,5})\))?)?"
)
_CONFIGURED = re.compile(
    r"Configured from (?P<what>\S{1,128})(?: by (?P<user>\S{1,128}))?"
    r"(?: on (?P<line>\S{1,32})(?: \((?P<ip>[0-9A-Fa-f.:]{2,45})\))?)?"
)
_COMMAND = re.compile(r"User:(?P<user>\S{1,128}) {1,2}logged command:(?P<command>.{1,512})")
_STATE = re.compile(r"Interface (?P<name>[\w./:-]{1,64}), changed state to (?P<state>administratively down|down|up)")
_LOGINS = {"LOGIN_SUCCESS": "success", "LOGIN_FAILED": "failure"}


def _read_ios(code: str, said: str, fields: Fields) -> None:
    """Routers and switches: logins, access lists, commands and links; other messages keep their text."""
    if code in _LOGINS:
        _read_login(code, said, fields)
    elif code.startswith(("IPACCESSLOG", "ACCESSLOG")):
        _read_access(said, fields)
    elif code == "CONFIG_I":
        _read_configured(said, fields)
    elif code == "CFGLOG_LOGGEDCMD":
        command = _COMMAND.match(said)
        if command is not None:
            fields["event.category"], fields["event.action"] = "configuration", "command"
            put(fields, "user.name", command["user"])
            fields["process.command_line"] = command["command"].strip()
    elif code.startswith("SSH"):
        _read_ssh(said, fields)
    elif code == "UPDOWN":
        state = _STATE.search(said)
        if state is not None:
            fields["event.category"], fields["event.action"] = "network", "link-" + state["state"].split()[-1]
            fields["observer.ingress.interface.name"] = state["name"]


_SSH = re.compile(
    r"(?:User '(?P<user>[^']{1,128})' authentication for )?SSH2? [Ss]ession (?:request )?"
    r"from (?P<ip>[0-9A-Fa-f.:]{2,45})"
)


def _read_ssh(said: str, fields: Fields) -> None:
    """``User 'x' authentication for SSH2 Session from a (tty = 0) using ... Succeeded``, or a session alone."""
    found = _SSH.match(said)
    if found is None:
        return
    put(fields, "source.ip", found["ip"])
    fields["event.category"], fields["event.action"] = "session", "session-started"
    if found["user"]:
        put(fields, "user.name", found["user"])
        fields["event.category"], fields["event.action"] = "authentication", "login"
        fields["event.outcome"] = "success" if "Succeeded" in said else "failure"


def _read_login(code: str, said: str, fields: Fields) -> None:
    pairs = dict(_BRACKETED.findall(said))
    fields["event.category"], fields["event.action"] = "authentication", "login"
    fields["event.outcome"] = _LOGINS[code]
    put(fields, "user.name", pairs.get("user", ""))
    put(fields, "source.ip", pairs.get("Source", ""))
    put(fields, "destination.port", pairs.get("localport", ""))
    put(fields, "event.reason", pairs.get("Reason", ""))
    account(fields)


def _read_access(said: str, fields: Fields) -> None:
    found = _ACCESS.search(said)
    if found is None:
        return
    fields["event.category"] = "network"
    fields["event.action"] = "denied" if found["verdict"] == "denied" else "allowed"
    fields["event.outcome"] = "success"
    fields["rule.name"] = found["list"]
    put(fields, "network.transport", found["proto"] or "")
    addresses.put(fields, "source", found["a"], found["a_port"])
    if found["b"]:
        addresses.put(fields, "destination", found["b"], found["b_port"])


def _read_configured(said: str, fields: Fields) -> None:
    found = _CONFIGURED.match(said)
    if found is None:
        return
    fields["event.category"], fields["event.action"] = "configuration", "configured"
    put(fields, "user.name", found["user"] or "")
    put(fields, "source.ip", found["ip"] or "")
