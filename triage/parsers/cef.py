r"""Common Event Format (ArcSight): ``CEF:0|vendor|product|version|id|name|severity|key=value key=value``.

Handed: a message without its syslog header, or a line that may still have a time and a host before ``CEF:``. Hands
on: who observed what (``observer.*``, ``event.code``, ``rule.name``), its severity, both ends, user, process, file and
request; extensions without a name in ECS stay below ``cef.extensions.``. Escapes: ``\|`` and ``\\`` in the header,
``\=``, ``\\``, ``\n`` and ``\r`` in values. Format: ArcSight Common Event Format, Implementation Standard, rev. 26.
"""

import re

from triage.contracts import Fields
from triage.parsers import addresses, phrases, times, vendor_pairs
from triage.parsers.web_access import read_target

MAX_READ = 32_768
MAX_PAIRS = 200
MAX_VALUE = 8_192

_PART = r"((?:[^|\\]|\\.){0,1024})"
_HEADER = re.compile(
    rf"CEF: ?(\d{{1,2}}(?:\.\d{{1,2}})?)\|{_PART}\|{_PART}\|{_PART}\|{_PART}\|{_PART}\|{_PART}(?:\||\Z)"
)
#: A host, where no syslog header was read; a colon or a bracket would be somebody's words.
_BEFORE = re.compile(r"(?:(?P<host>[\w.-]{1,255})[ \t]+)?\Z")
_KEY = re.compile(r"(?:\A|(?<=\s))([\w.\[\]-]{1,96})=")
_ESCAPE = re.compile(r"\\([\\=|nrt])")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}

TABLE = vendor_pairs.Table(
    "cef.extensions.",
    {
        "source.ip": "src sourceaddress",
        "source.port": "spt sourceport",
        "source.domain": "shost sourcehostname",
        "source.mac": "smac sourcemacaddress",
        "source.nat.ip": "sourcetranslatedaddress",
        "source.nat.port": "sourcetranslatedport",
        "source.bytes": "in bytesin",
        "source.user.name": "suser sourceusername",
        "source.user.id": "suid sourceuserid",
        "destination.ip": "dst destinationaddress",
        "destination.port": "dpt destinationport",
        "destination.domain": "dhost destinationhostname",
        "destination.mac": "dmac destinationmacaddress",
        "destination.nat.ip": "destinationtranslatedaddress",
        "destination.nat.port": "destinationtranslatedport",
        "destination.bytes": "out bytesout",
        "destination.user.name": "duser destinationusername",
        "destination.user.id": "duid destinationuserid",
        "user.name": "unifiadmin",
        "network.transport": "proto transportprotocol",
        "network.protocol": "app applicationprotocol",
        "observer.ip": "dvc deviceaddress",
        "observer.hostname": "dvchost devicehostname",
        "observer.mac": "dvcmac devicemacaddress",
        "observer.name": "deviceexternalid",
        "observer.ingress.interface.name": "deviceinboundinterface",
        "observer.egress.interface.name": "deviceoutboundinterface",
        "event.action": "act deviceaction",
        "event.outcome": "outcome eventoutcome",
        "event.reason": "reason",
        "event.id": "externalid",
        "file.name": "fname filename",
        "file.path": "filepath",
        "file.size": "fsize filesize",
        "file.hash": "filehash",
        "url.original": "request requesturl",
        "http.request.method": "requestmethod",
        "http.request.referrer": "requestcontext",
        "user_agent.original": "requestclientapplication",
    },
)
#: Names of a process and its number: the one on the device, the one that acts, the one that is acted upon.
_PROCESSES = (("deviceProcessName", "dvcpid"), ("sproc", "spid"), ("dproc", "dpid"))
#: Times of the event, best first: received by the device, begun, ended.
_TIMES = ("rt", "deviceReceiptTime", "UNIFIutcTime", "start", "startTime", "end", "endTime")
#: ``GMT+01:00`` is an offset of that, as Java writes it.
_OFFSET_OF = re.compile(r"(?:GMT|UTC)(?=[+-]\d\d:?\d\d\Z)")
_DIRECTIONS = {"0": "inbound", "1": "outbound"}
#: Highest number of each level; the words are those that the format's severities have.
_LEVELS = ((3, "info"), (6, "warning"), (8, "error"), (10, "critical"))
_LEVEL_WORDS = {
    "low": "info",
    "medium": "warning",
    "high": "error",
    "very-high": "critical",
    "info": "info",
    "informational": "info",
    "warning": "warning",
    "error": "error",
    "critical": "critical",
}


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return text.startswith("CEF:") or (app == "" and text.find("CEF:", 0, 300) > 0 and _start(text) > 0)


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    start = 0 if text.startswith("CEF:") else _start(text)
    header = _HEADER.match(text, start, start + MAX_READ) if start >= 0 else None
    if header is None:
        return None
    stamp = _read_before(text[:start], fields) if start else ""
    add_header(header[1], [_unescape(part) for part in header.groups()[1:5]], "cef", fields)
    name, level = _unescape(header[6]), header[7].strip()
    if name:
        fields["rule.name"] = name
    pairs = extensions(text[header.end() : start + MAX_READ])
    add_severity(level, "cef.severity", fields)
    own = _take_time(pairs)
    _move(pairs, fields)
    settle(f"{name} ; {pairs.get('msg', '')}", fields)
    return own or stamp


def extensions(text: str) -> dict[str, str]:
    r"""Return the key-value pairs of an extension; a value ends where the next key begins, and may hold blanks.

    >>> extensions(r"src=192.0.2.1 msg=two words, a\=b request=http://h/?q=1 cs1=")
    {'src': '192.0.2.1', 'msg': 'two words, a=b', 'request': 'http://h/?q=1', 'cs1': ''}
    """
    found: dict[str, str] = {}
    key, begin = "", 0
    for match in _KEY.finditer(text):
        if key and key not in found:
            found[key] = _unescape(text[begin : match.start()].strip())[:MAX_VALUE]
        if len(found) == MAX_PAIRS:
            return found
        key, begin = match[1], match.end()
    if key and key not in found:
        found[key] = _unescape(text[begin:].strip())[:MAX_VALUE]
    return found


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _PLAIN.get(found[1], found[1]), text) if "\\" in text else text


def _start(text: str) -> int:
    """Return where ``CEF:`` stands behind a time and a host, -1 when anything else is before it."""
    start = text.find("CEF:", 0, 300)
    if start <= 0:
        return -1
    after = times.head(text, 0.0)[2]
    return start if _BEFORE.match(text[after:start]) is not None else -1


def _read_before(before: str, fields: Fields) -> str:
    """Read the time and the host that a collector put before the format."""
    _, stamp, after = times.head(before, 0.0)
    host = _BEFORE.match(before[after:])
    if host is not None and host["host"]:
        fields.setdefault("host.name", host["host"])
    return stamp


def add_header(version: str, parts: list[str], prefix: str, fields: Fields) -> None:
    """Add what CEF and LEEF have in their headers: vendor, product, its version, and the event's code."""
    if fields.get("process.name") == prefix.upper():
        del fields["process.name"]  # the header of the message gave the format's name for a program's
    fields[f"{prefix}.version"] = version
    names = ("observer.vendor", "observer.product", "observer.version", "event.code")
    fields.update({name: part for name, part in zip(names, map(str.strip, parts), strict=True) if part})


def add_severity(text: str, own: str, fields: Fields) -> None:
    """A severity is a number of 0 to 10, or a word; what it is in log levels replaces a relay's."""
    if not text:
        return
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1
    if 0 <= number <= 10:
        fields["event.severity"] = number
        fields["log.level"] = next(word for highest, word in _LEVELS if number <= highest)
        return
    fields[own] = text
    level = _LEVEL_WORDS.get(text.lower().replace(" ", "-"))
    if level:
        fields["log.level"] = level


def _take_time(pairs: dict[str, str]) -> str:
    """Remove and return the best time that can be read."""
    for key in _TIMES:
        stamp = pairs.get(key, "")
        told = _OFFSET_OF.sub("", stamp)
        if told and times.from_text(told) is not None:
            del pairs[key]
            return told
    return ""


def _move(pairs: dict[str, str], fields: Fields) -> None:
    direction = _DIRECTIONS.get(pairs.get("deviceDirection", ""))
    if direction:
        fields["network.direction"] = direction
        del pairs["deviceDirection"]
    vendor_pairs.process(pairs, _PROCESSES, fields)
    vendor_pairs.move(pairs, TABLE, fields)
    for number in "1234":
        _add_v6(pairs.get(f"c6a{number}", ""), pairs.get(f"c6a{number}Label", "").lower(), fields)


def _add_v6(value: str, label: str, fields: Fields) -> None:
    """The four custom addresses are an end's when their label says so and the end has no other."""
    for side in ("source", "destination"):
        if value and side in label:
            addresses.put(fields, side, value, None)


def settle(words: str, fields: Fields) -> None:
    """Fill what follows from the fields: the account that acts, the request's parts, what a sentence says."""
    vendor_pairs.account(fields, "source.user.name", "destination.user.name")
    if "observer.hostname" in fields:
        fields.setdefault("host.name", fields["observer.hostname"])
    target = fields.get("url.original")
    if type(target) is str:
        read_target(target, fields)
    phrases.read(words, fields)
    if "network.transport" in fields and "source.ip" in fields and "destination.ip" in fields:
        fields.setdefault("event.category", "network")
