"""Log Event Extended Format (QRadar), ``LEEF:1.0|vendor|product|version|id|`` and ``LEEF:2.0|..|id|delimiter|``.

Handed: a message without its syslog header. Hands on: the same fields as :mod:`triage.parsers.cef`; attributes without
a name in ECS stay below ``leef.``. Attributes stand apart by tabs, by the delimiter that version 2.0 names (a
character, ``x5E`` or ``0x5E``), or, where a relay has made blanks of tabs, by the next key. A time that the event
describes by a Java pattern (``devTimeFormat``) is handed on as RFC 3339. Format: IBM, LEEF version 2.
"""

import re
from functools import lru_cache

from triage.contracts import Fields
from triage.parsers import cef, dates, vendor_pairs

MAX_READ = 32_768
MAX_PAIRS = 200
MAX_VALUE = 8_192

_PART = r"([^|]{0,1024})"
_HEADER = re.compile(rf"LEEF: ?([12](?:\.\d)?)\|{_PART}\|{_PART}\|{_PART}\|{_PART}\|")
_DELIMITER = re.compile(r"(?:(?:0?x)([0-9A-Fa-f]{2,4})|([^\w\s|]|\\t|\t)|)\|")
_KEY = re.compile(r"\s*([\w.\[\]-]{1,96})=")
#: How relays write a tab.
_TABS = ("#011", "<009>", "\\0x09", "\\x09", "\\t")

TABLE = vendor_pairs.Table(
    "leef.",
    {
        "source.ip": "src srcip vsrc identsrc",
        "source.port": "srcport",
        "source.domain": "vsrcname",
        "source.mac": "srcmac identmac",
        "source.nat.ip": "srcpostnat",
        "source.nat.port": "srcpostnatport",
        "source.bytes": "srcbytes",
        "source.packets": "srcpackets",
        "destination.ip": "dst dstip",
        "destination.port": "dstport",
        "destination.mac": "dstmac",
        "destination.nat.ip": "dstpostnat",
        "destination.nat.port": "dstpostnatport",
        "destination.bytes": "dstbytes",
        "destination.packets": "dstpackets",
        "network.bytes": "totalbytes",
        "network.packets": "totalpackets",
        "observer.ip": "dvc",
        "observer.hostname": "dvchost",
        "observer.mac": "dvcmac",
        "source.user.name": "suser",
        "destination.user.name": "duser",
        "network.transport": "proto",
        "user.name": "usrname accountname identusername",
        "user.roles": "role",
        "user.domain": "domain",
        "group.name": "identgrpname",
        "group.id": "groupid",
        "rule.name": "policy",
        "url.original": "url",
        "event.action": "action act",
        "event.outcome": "outcome result",
        "event.reason": "reason",
    },
)
_ZONE_NAMES = "|".join(sorted(dates.ZONES, key=len, reverse=True))
#: Letters of a Java date pattern -> what they match.
_LETTERS = {
    "y": r"(?P<year>\d{2,4})",
    "M": r"(?P<month>\d{1,2})",
    "MMM": r"(?P<name>[A-Za-z]{3})[a-z]{0,6}\.?",
    "d": r"(?P<day>\d{1,2})",
    "H": r"(?P<hour>\d{1,2})",
    "h": r"(?P<hour>\d{1,2})",
    "m": r"(?P<minute>\d{1,2})",
    "s": r"(?P<second>\d{1,2})",
    "S": r"(?P<fraction>\d{1,9})",
    "a": r"(?P<half>[AaPp])\.?[Mm]\.?",
    "E": r"[A-Za-z]{2,9}",
    "z": rf"(?P<zone>(?:GMT|UTC)?[+-]\d\d:?\d\d|Z|{_ZONE_NAMES}|[A-Z]{{3,5}})",
}
_LETTERS |= {"Z": _LETTERS["z"], "X": _LETTERS["z"], "u": _LETTERS["y"]}
_PIECE = re.compile(r"([A-Za-z])\1*|'([^']*)'|.", re.DOTALL)


def looks(app: str, text: str) -> bool:
    """Return whether a message is one of these."""
    return text.startswith("LEEF:")


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message; return its own time text, ``None`` when it is not one of these."""
    header = _HEADER.match(text)
    if header is None:
        return None
    start, delimiter = header.end(), "\t"
    if header[1].startswith("2"):
        named = _DELIMITER.match(text, start)
        if named is not None:
            start, delimiter = named.end(), _delimiter_of(named)
    pairs = attributes(text[start:MAX_READ], delimiter)
    cef.add_header(header[1], list(header.groups()[1:]), "leef", fields)
    cef.add_severity(pairs.pop("sev", "") or pairs.pop("severity", ""), "leef.sev", fields)
    stamp = _take_time(pairs)
    _add_login(pairs, fields)
    vendor_pairs.move(pairs, TABLE, fields)
    cef.settle(f"{fields.get('event.code', '')} ; {pairs.get('msg', '')}", fields)
    return stamp


def _delimiter_of(named: re.Match[str]) -> str:
    if named[1]:
        return chr(int(named[1], 16))
    return "\t" if named[2] in (None, "\\t") else named[2]


def attributes(text: str, delimiter: str) -> dict[str, str]:
    r"""Return the attributes of an event.

    >>> attributes("src=192.0.2.1^usrName=John Smith^cat=", "^")
    {'src': '192.0.2.1', 'usrName': 'John Smith', 'cat': ''}
    >>> attributes("src=192.0.2.1 usrName=John Smith", "\t")
    {'src': '192.0.2.1', 'usrName': 'John Smith'}
    """
    mark = _mark_of(text, delimiter)
    if not mark:
        return cef.extensions(text)
    found: dict[str, str] = {}
    key = ""
    for part in text.split(mark, 2 * MAX_PAIRS):
        begin = _KEY.match(part)
        if begin is not None and len(found) < MAX_PAIRS:
            key = begin[1] if begin[1] not in found else ""
            found.setdefault(begin[1], part[begin.end() :].strip()[:MAX_VALUE])
        elif begin is None and key and len(found[key]) < MAX_VALUE and part:
            found[key] = f"{found[key]}{mark}{part}"[:MAX_VALUE]  # the delimiter was in the value
    return found


def _mark_of(text: str, delimiter: str) -> str:
    """Return the delimiter as it is written here, an empty string when it is not there."""
    for mark in (delimiter, *_TABS) if delimiter == "\t" else (delimiter,):
        if mark in text:
            return mark
    return ""


def _take_time(pairs: dict[str, str]) -> str:
    """Remove and return the time; one that its pattern explains as RFC 3339."""
    stamp, pattern = pairs.get("devTime", ""), pairs.get("devTimeFormat", "")
    if not stamp:
        return ""
    del pairs["devTime"]
    told = by_pattern(stamp, pattern) if pattern and not stamp.isdigit() else ""
    if told:
        del pairs["devTimeFormat"]
    return told or stamp


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a Java date pattern as an expression, ``None`` when it has no year or no sense."""
    parts: list[str] = []
    for piece in _PIECE.finditer(pattern[:64]):
        letters = piece[0]
        if piece[1]:
            known = _LETTERS["MMM"] if letters[:3] == "MMM" else _LETTERS.get(piece[1])
            parts.append(known if known is not None else r"\S{1,8}")
        else:
            parts.append(re.escape(piece[2] or "'" if letters[0] == "'" else letters))
    try:
        found = re.compile("".join(parts) + r"\Z")
    except re.error:  # a letter that stands twice
        return None
    return found if {"year", "day"} <= found.groupindex.keys() else None


def by_pattern(stamp: str, pattern: str) -> str:
    """Return a time as RFC 3339, an empty string when it does not fit its pattern.

    >>> by_pattern("25.12.2025 01:02:03 PM +0100", "dd.MM.yyyy hh:mm:ss a Z"), by_pattern("x", "yyyy-dd")
    ('2025-12-25T13:02:03+01:00', '')
    """
    form = _compiled(pattern)
    match = form.match(stamp) if form is not None and len(stamp) < 65 else None
    if match is None:
        return ""
    groups = match.groupdict()
    month = dates.MONTHS.get(groups["name"].title(), 0) if groups.get("name") else int(groups.get("month") or 0)
    if not month:
        return ""
    year, hour = int(groups["year"]), int(groups.get("hour") or 0)
    if groups.get("half"):
        hour = hour % 12 + (12 if groups["half"] in "Pp" else 0)
    clock = f"{hour:02}:{int(groups.get('minute') or 0):02}:{int(groups.get('second') or 0):02}"
    fraction = f".{groups['fraction']}" if groups.get("fraction") else ""
    year += 2000 if year < 100 else 0
    return f"{year:04}-{month:02}-{int(groups['day']):02}T{clock}{fraction}{_zone(groups.get('zone') or '')}"


def _zone(text: str) -> str:
    """Return a zone as an offset; one whose name means several is left out."""
    if not text:
        return ""
    if text[-1].isdigit():
        return text[-6:] if text[-3] == ":" else f"{text[-5:-2]}:{text[-2:]}"
    hours = dates.ZONES.get(text)
    if hours is None:
        return ""
    return "Z" if hours == 0 else f"{'+' if hours > 0 else '-'}{abs(int(hours)):02}:00"


def _add_login(pairs: dict[str, str], fields: Fields) -> None:
    """Two attributes say that an event is a session's begin or end."""
    for key, action in (("isLoginEvent", "login"), ("isLogoutEvent", "logout")):
        if pairs.get(key, "").lower() == "true":
            fields["event.category"] = "authentication"
            fields["event.action"] = action
            del pairs[key]
