"""Palo Alto Networks firewalls and Panorama: PAN-OS logs as rows of comma-separated cells.

Handed: a message without its syslog header, or a bare line with a time and a host's name before the row. Hands on:
both ends with what they were translated to, accounts, rule, zones, what was done and how it ended; what has no name
in ECS stays below ``panw.``. Which cell is what, :mod:`triage.parsers.palo_alto_columns` knows.

The firewall's clock has no zone; releases from 10.0 on add a precise time that has one, and that one counts. As with
other firewalls, a connection that a rule let pass or stopped is an ``event.outcome`` of success: the firewall did what
it was told; ``event.action`` says which of the two.
"""

import re

from triage.contracts import Fields
from triage.parsers import phrases, vendor_pairs
from triage.parsers.addresses import canonical
from triage.parsers.layouts import as_number
from triage.parsers.palo_alto_columns import ALIASES, COLUMNS, CONFIG_IN_FULL
from triage.parsers.times import doubts, from_text
from triage.parsers.web_access import read_target

MAX_READ = 32_768
MAX_CELLS = 160
MAX_VALUE = 8_192
_TIME = r"(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?)"
_NAMES = "|".join((*COLUMNS, *ALIASES))
_HEAD = re.compile(
    rf"(?:(?P<relayed>{_TIME}) )?(?:(?P<host>[\w.:-]{{1,255}}) )?"
    rf"(?P<row>\d{{0,10}},{_TIME},[\w-]{{0,64}},(?P<type>{_NAMES}),)"
)
#: A cell in quotes, whose own quotes are doubled or have no comma behind them, or a plain one; and its comma.
_CELL = re.compile(r"(?:\"((?:[^\"]++|\"\"|\"(?!,|\Z))*+)\"?|([^,]*+))(?:(,)|\Z)")
_THREAT = re.compile(r"(.{0,1024})\((\d{1,12})\)\Z", re.DOTALL)
_PLAIN_MAC = re.compile(r"[0-9A-Fa-f]{12}\Z")
_LEVELS = {"critical": "critical", "high": "error", "medium": "warning", "low": "info", "informational": "info"}
_CATEGORIES = {
    "TRAFFIC": "network",
    "TUNNEL": "network",
    "GTP": "network",
    "SCTP": "network",
    "DECRYPTION": "network",
    "THREAT": "intrusion_detection",
    "CORRELATION": "intrusion_detection",
    "CONFIG": "configuration",
    "HIP-MATCH": "host",
    "AUTHENTICATION": "authentication",
}
_THREAT_CATEGORIES = {
    "url": "web",
    "virus": "malware",
    "wildfire": "malware",
    "wildfire-virus": "malware",
    "ml-virus": "malware",
    "file": "file",
    "data": "file",
}
_FILES = frozenset({"virus", "wildfire", "wildfire-virus", "ml-virus", "file", "data"})
#: What a configuration log calls the end of a command, beside the words that everybody uses.
_RESULTS = {"succeeded": "success", "unauthorized": "failure"}
_ENDED = re.compile(
    r"(?P<success>succ(?:eeded|ess(?:ful(?:ly)?)?)?|authenticated)|(?P<failure>fail(?:ed|ure)?|invalid|denied|rejected)",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"auth|log(?:in|out|on|off)", re.IGNORECASE)


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return "," in text[:320] and _HEAD.match(text) is not None


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    head = _HEAD.match(text)
    if head is None:
        return None
    row = cells(text[head.start("row") : MAX_READ])
    kind = ALIASES.get(head["type"], head["type"])
    columns = COLUMNS[kind]
    if kind == "CONFIG" and _is_full(row):
        columns = CONFIG_IN_FULL
    fields["observer.vendor"], fields["observer.product"] = "Palo Alto Networks", "PAN-OS"
    if head["host"]:
        fields.setdefault("host.name", head["host"])
    for name, value in zip(columns, row, strict=False):
        if value and name != "-":
            _put(name, value, fields)
    stamp = _take_time(fields)
    if head["relayed"] and len(doubts(stamp)) > len(doubts(head["relayed"])):
        stamp = head["relayed"]
    _add_category(kind, fields)
    _SETTLERS.get(kind, _nothing)(fields)
    _settle(fields)
    return stamp


def cells(text: str) -> list[str]:
    r"""Return the cells of a row: at most 160, of 8,192 characters each.

    >>> cells('1,"a, \"\"b\"\" d",,c')
    ['1', 'a, "b" d', '', 'c']
    """
    found: list[str] = []
    at = 0
    while len(found) < MAX_CELLS:
        match = _CELL.match(text, at)
        if match is None:  # words behind a closing quote
            break
        quoted, plain, comma = match.groups()
        found.append((quoted.replace('""', '"') if quoted is not None else plain)[:MAX_VALUE])
        if comma is None:
            break
        at = match.end()
    return found


def _is_full(row: list[str]) -> bool:
    """A change's before and after stand where other rows have their number and flags."""
    return len(row) > 17 and not (row[14].isdigit() and row[15][:2] == "0x") and row[16].isdigit()


def _put(name: str, value: str, fields: Fields) -> None:
    """Set one cell's field; a value that cannot be one is kept below the vendor's name, an empty one is not."""
    if value in ("0", "0.0.0.0", "::", "N/A", "(null)") and name not in _COUNTS:  # noqa: S104 - "no address"
        return
    if name == "event.outcome":
        value = _RESULTS.get(value.lower(), value)
    if name[-4:] == ".mac" and _PLAIN_MAC.match(value) is not None:
        value = ":".join(value[at : at + 2] for at in range(0, 12, 2))
    if not vendor_pairs.put(fields, name, value) and name[:5] != "panw." and value.lower() not in _UNSAID:
        fields[f"panw.{name}"] = value


_COUNTS = frozenset(f"{end}.{what}" for end in ("source", "destination", "network") for what in ("bytes", "packets"))
_UNSAID = frozenset({"", "-", "unknown", "none", "n/a", "null", "any", "na"})


def _take_time(fields: Fields) -> str:
    """Remove the row's times and return the best of them: the precise one, which has a zone, else the generated."""
    precise, received = fields.pop("panw.high_resolution", ""), fields.pop("panw.received", "")
    generated = fields.pop("panw.generated", "")
    for stamp in (precise, generated, received):
        if stamp and from_text(stamp) is not None:
            return str(stamp)
    return str(generated or received)


def _add_category(kind: str, fields: Fields) -> None:
    category = _CATEGORIES.get(kind, "")
    if kind == "THREAT":
        category = _THREAT_CATEGORIES.get(str(fields.get("panw.subtype", "")), category)
        fields["event.kind"] = "alert" if category != "web" else "event"
    if category:
        fields["event.category"] = category


def _settle_session(fields: Fields) -> None:
    """Sessions: how long they lasted, and that a rule decided."""
    seconds = as_number(fields.pop("panw.elapsed", ""))
    if seconds is not None and seconds < 10**9:
        fields["event.duration"] = seconds * 1_000_000_000
    if "event.action" in fields:
        fields["event.outcome"] = "success"


def _settle_threat(fields: Fields) -> None:
    """What was found, and in what: a file by its name, an address of the web or a name that was asked for."""
    _settle_session(fields)
    named = _THREAT.match(str(fields.get("panw.threat", "")))
    if named is not None:
        fields["panw.threat"], fields["event.code"] = named[1], named[2]
        if not named[1]:
            del fields["panw.threat"]
    part = str(fields.get("panw.subtype", ""))
    about = str(fields.get("panw.misc", ""))
    if not about:
        return
    if part in _FILES:
        fields["file.name"] = about
    elif fields.get("network.application") == "dns" or str(fields.get("panw.category", "")).startswith("dns"):
        fields["dns.question.name"] = about
    elif part == "url" or "/" in about:
        host, slash, path = about.partition("/") if "://" not in about else ("", "", about)
        read_target(slash + path, fields)
        fields["url.original"] = about
        if host:
            fields["url.domain"] = host.partition(":")[0] if host.count(":") == 1 else host
    else:
        return
    del fields["panw.misc"]


def _settle_system(fields: Fields) -> None:
    """The event's name says what happened, its description to whom and from where."""
    code = str(fields.get("event.code", ""))
    if code:
        fields["event.action"] = code
        _add_outcome(code, fields)
    if _LOGIN.search(code) is not None or fields.get("panw.subtype") == "auth":
        fields["event.category"] = "authentication"
    phrases.read(str(fields.get("panw.description", "")), fields)


def _settle_globalprotect(fields: Fields) -> None:
    what = f"{fields.get('event.action', '')} {fields.get('panw.stage', '')}"
    fields["event.category"] = "authentication" if _LOGIN.search(what) is not None else "network"
    _take_ipv6(fields)


def _settle_userid(fields: Fields) -> None:
    part = str(fields.get("panw.subtype", ""))
    if part:
        fields["event.action"] = part
    if part in ("login", "logout"):
        fields["event.category"] = "authentication"


def _settle_authentication(fields: Fields) -> None:
    said = str(fields.pop("panw.event", ""))
    if said:
        fields["event.action"] = said
    if "user.name" not in fields and "panw.normalized_user" in fields:
        fields["user.name"] = fields["panw.normalized_user"]
    _add_outcome(f"{said} {fields.get('panw.description', '')}", fields)


def _take_ipv6(fields: Fields) -> None:
    address = canonical(str(fields.get("panw.source_ipv6", "")))
    if address and "source.ip" not in fields:
        fields["source.ip"] = address
        del fields["panw.source_ipv6"]


def _add_outcome(words: str, fields: Fields) -> None:
    """Set the outcome that the words name; a failure counts where they name both."""
    found = {match.lastgroup for match in _ENDED.finditer(words[:512])}
    if found:
        fields["event.outcome"] = "failure" if "failure" in found else "success"


def _nothing(fields: Fields) -> None:
    """Some types need no more than their columns."""


_SETTLERS = {
    "TRAFFIC": _settle_session,
    "TUNNEL": _settle_session,
    "GTP": _settle_session,
    "SCTP": _settle_session,
    "DECRYPTION": _settle_session,
    "THREAT": _settle_threat,
    "SYSTEM": _settle_system,
    "GLOBALPROTECT": _settle_globalprotect,
    "HIP-MATCH": _take_ipv6,
    "USERID": _settle_userid,
    "AUTHENTICATION": _settle_authentication,
}


def _settle(fields: Fields) -> None:
    """Fill what follows from the fields: the account that acts, the machine, the level."""
    vendor_pairs.account(fields, "source.user.name", "destination.user.name")
    if "observer.name" in fields:
        fields.setdefault("host.name", fields["observer.name"])
    level = _LEVELS.get(str(fields.get("panw.severity", "")).lower())
    if level:
        fields["log.level"] = level
    forwarded = canonical(str(fields.get("panw.forwarded_ip", "")))
    if forwarded:
        fields["network.forwarded_ip"] = forwarded
        del fields["panw.forwarded_ip"]
