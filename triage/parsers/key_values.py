"""``key=value`` pairs in a line of text, and lines that are little else: logfmt, SonicWall, Sophos, Check Point.

Handed: a message without its syslog header, or a bare line. Hands on: from :func:`pairs`, which other formats use, its
pairs in order, each key's first value, quotes and escapes taken off; from :func:`read` the fields they mean. What has
no name in ECS keeps its own.

A value ends at its quote; without one at the next blank, or, where the line puts commas, semicolons or bars between
its pairs, at the next of those. A key may stand with a colon before a quoted value (``key:"value"``). One pass, linear
in the text's length, whatever the text is.
"""

import re

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import addresses, dates, phrases, times, vendor_pairs
from triage.parsers import key_value_names as names
from triage.parsers.aliases import meaning, time_rank
from triage.parsers.finish import finish
from triage.parsers.packet_filters import ALLOWED, DENIED
from triage.parsers.severities import SEVERITIES
from triage.parsers.web_access import read_target

MAX_READ = 32_768
MAX_PAIRS = 224
MAX_VALUE = 8_192

_KEY = r"(?<![^\s,;|(\[{])([A-Za-z_@][\w.@/-]{0,63})"
_DOUBLE = r"\"([^\"\\]*+(?:\\.[^\"\\]*+)*+)(?:\"|\\?\Z)"
_SINGLE = r"'([^'\\]*+(?:\\.[^'\\]*+)*+)'(?![^\s,;|)\]}])"


def _pattern(bare: str) -> re.Pattern[str]:
    """Groups: key; its value in double quotes, in single quotes, bare, in double quotes behind a colon."""
    return re.compile(rf"{_KEY}(?:=(?:{_DOUBLE}|{_SINGLE}|({bare}))|: ?{_DOUBLE})", re.DOTALL)


#: What stands between the pairs -> pattern.
_PATTERNS = {
    "": _pattern(r"[^\s]*+"),
    ",": _pattern(r"[^,\r\n]*+"),
    ";": _pattern(r"[^;\r\n]*+"),
    "|": _pattern(r"[^|\r\n]*+"),
}
#: A pair with a mark behind it and another pair behind that.
_APART = re.compile(
    r"(?<![^\s,;|(\[{])[A-Za-z_@][\w.@/-]{0,63}[=:](?:\"[^\"\\]{0,512}\"|[^\s,;|\"]{0,512})([,;|]) ?"
    r"[A-Za-z_@][\w.@/-]{0,63}(?:=|:\")"
)
_PLAINLY_ESCAPED = re.compile(r"(?:[^\\]++|\\[\\\"'])*+\Z")
_ESCAPED = re.compile(r"\\([\\\"'])")


def between(text: str) -> str:
    """Return what a line puts between its pairs beside blanks: ``,``, ``;``, ``|`` or nothing.

    >>> between("a=1,b=2"), between("a=1; b=2"), between("a=1 b=2")
    (',', ';', '')
    """
    found = _APART.search(text, 0, 512)
    return found[1] if found is not None else ""


def pairs(text: str) -> dict[str, str]:
    r"""Return the pairs of a text; of a key that stands there twice, the first value.

    At most 224 pairs and 8,192 characters of a value.

    >>> pairs('devname="gw 1" msg="say \\"hi\\"" srcip=192.0.2.1 user=')
    {'devname': 'gw 1', 'msg': 'say "hi"', 'srcip': '192.0.2.1', 'user': ''}
    """
    text = text[:MAX_READ]
    found: dict[str, str] = {}
    for key, double, single, bare, after_colon in _PATTERNS[between(text)].findall(text):
        if key not in found:
            found[key] = _value(double, single, bare, after_colon)
            if len(found) == MAX_PAIRS:
                break
    return found


def scan(text: str) -> tuple[dict[str, str], float]:
    """Return the pairs of a text and the share of it that they are, 0 to 1, blanks and marks between them not counted.

    >>> scan("one two=2 three=3")
    ({'two': '2', 'three': '3'}, 0.8)
    """
    text = text[:MAX_READ]
    found: dict[str, str] = {}
    covered = last = loose = 0
    for match in _PATTERNS[between(text)].finditer(text):
        loose += _solid(text, last, match.start())
        key, double, single, bare, after_colon = match.groups("")
        last = match.end()
        covered += last - match.start()
        if key not in found:
            found[key] = _value(double, single, bare, after_colon)
            if len(found) == MAX_PAIRS:
                break
    else:
        loose += _solid(text, last, len(text))
    return found, covered / (covered + loose) if covered else 0.0


def _value(double: str, single: str, bare: str, after_colon: str) -> str:
    """Return the one of the four notations that a value is written in."""
    if bare:
        return (bare.rstrip(" \t,;") if bare[-1] in " \t,;" else bare)[:MAX_VALUE]
    value = double or single or after_colon
    return (_unescape(value) if "\\" in value else value)[:MAX_VALUE]


def _solid(text: str, start: int, end: int) -> int:
    """Count what stands between two pairs and is more than a blank or a mark."""
    return 0 if end - start < 2 else len(text[start:end].strip(" \t\r\n,;|[](){}"))


def _unescape(value: str) -> str:
    """Take escapes off; where the backslashes are not all escapes they are a path's own, and only quotes had one."""
    if _PLAINLY_ESCAPED.match(value) is not None:
        return _ESCAPED.sub(r"\1", value)
    return value.replace('\\"', '"')


#: A line that begins with a pair, perhaps in brackets.
_BEGINS = re.compile(r"[\[({]?\s{0,4}[A-Za-z_@][\w.@/-]{0,63}(?:=|:\s?\")")
#: Words of a firewall for what became of a connection, which it may write as a status.
_VERDICTS = ALLOWED | DENIED
#: WatchGuard writes a packet's facts without their names, in this order.
_PACKET = re.compile(
    r"msg_id=\"[\w-]{1,16}\" (?P<action>Allow|Deny) (?P<srcintf>\S{1,64}) (?P<dstintf>\S{1,64}) (?:\d{1,9} )?"
    r"(?P<proto>[a-z][\w-]{1,12}) \d{1,9} \d{1,3} (?P<src>[\da-fA-F.:]{3,45}) (?P<dst>[\da-fA-F.:]{3,45})"
    r"(?: (?P<sport>\d{1,5}) (?P<dport>\d{1,5}))?(?= )"
)
MIN_PAIRS = 3
MIN_SHARE = 0.7
#: Above this share nothing but values can hold a sentence.
NO_WORDS = 0.97


def looks(app: str, text: str) -> bool:
    """Return whether a message begins as one of these; :func:`read` decides."""
    return _BEGINS.match(text) is not None


def read(text: str, fields: Fields) -> str | None:
    """Fill the fields of a message that is little but pairs; return its own time text, ``None`` when it is more."""
    found, share = scan(text)
    packet = _PACKET.match(text) if "msg_id" in found else None
    if packet is not None:
        found |= {key: value for key, value in packet.groupdict().items() if value}
    elif len(found) < MIN_PAIRS or share < MIN_SHARE:
        return None
    stamp = _take_time(found)
    _take_level(found, fields)
    _take_verdict(found, fields)
    words = [value for value in found.values() if " " in value]
    words += [found.pop(key) for key in names.TEXT_KEYS if key in found]
    nobody = any(not value for key, value in found.items() if key.lower() in names.USER_KEYS)
    if "host" in found and "hostname" not in found and names.ASKED_KEYS.isdisjoint(found):
        found["hostname"] = found.pop("host")
    vendor_pairs.move({key: value for key, value in found.items() if key[:7] != "winnow."}, names.TABLE, fields)
    if "http.request.method" in fields:
        _read_request(fields)
    _settle(fields)
    known = "user.name" in fields
    whole = share < NO_WORDS or ("source.ip" not in fields and addresses.has_any(text))
    _read_words([text] if whole else words, fields)
    if nobody and not known:
        fields.pop("user.name", None)  # the line has a place for a name, and none in it
    return stamp


def _take_time(found: dict[str, str]) -> str:
    """Remove and return the time; one that is written in two parts, with or without a zone, as one text."""
    date, clock = found.get("date", ""), found.get("time", "")
    zone = _zone(found.get("tz") or found.get("timezone") or "")
    if date and clock and len(date) < 12:
        stamp = f"{date} {clock}{zone}"
        if times.from_text(stamp) is not None:
            del found["date"], found["time"]
            return stamp
    ranked = sorted((rank, key) for key in found if (rank := time_rank(key)) is not None)
    for _, key in ranked:
        if times.from_text(found[key]) is not None:
            stamp = found.pop(key)
            return stamp + zone if zone and times.doubts(stamp) else stamp
    return ""


def _zone(text: str) -> str:
    """Return a zone that can stand behind a clock."""
    return f" {text}" if text in dates.ZONES or _OFFSET.match(text) is not None else ""


_OFFSET = re.compile(r"[+-]\d\d:?\d\d\Z")


def _take_level(found: dict[str, str], fields: Fields) -> None:
    """The line's own level replaces that of a header."""
    for key in names.LEVEL_KEYS:
        value = found.get(key, "").lower()
        if key == "pri" and value in "01234567" and len(value) == 1:
            fields["log.level"] = SEVERITIES[int(value)]
        elif value in names.LEVELS:
            fields["log.level"] = names.LEVELS[value]
        else:
            continue
        del found[key]
        return


def _take_verdict(found: dict[str, str], fields: Fields) -> None:
    """A firewall may call a status what others call an action."""
    if not names.ACTION_KEYS.isdisjoint(found):
        return
    for key in names.VERDICT_KEYS:
        if found.get(key, "").partition(" ")[0].lower() in _VERDICTS:
            fields["event.action"] = found[key]
            return


def _read_request(fields: Fields) -> None:
    """Beside a request's method a path and a status are the request's."""
    for key in [key for key in fields if "." not in key]:
        found = meaning(key, True)
        if found is not None and found[0] not in fields and vendor_pairs.put(fields, found[0], fields[key]):
            del fields[key]
    status = fields.get("http.response.status_code")
    if type(status) is int:
        fields.setdefault("event.outcome", "success" if status < 400 else "failure")


def _settle(fields: Fields) -> None:
    """Fill what follows from the fields."""
    vendor_pairs.account(fields)
    vendor_pairs.executable(fields)
    target = fields.get("url.original")
    if type(target) is str:
        read_target(target, fields)
    if "network.transport" in fields and "source.ip" in fields and "destination.ip" in fields:
        fields.setdefault("event.category", "network")


def _read_words(words: list[str], fields: Fields) -> None:
    """Read what the line says in words, and by those for what was done and why."""
    words += [str(fields[name]) for name in ("event.action", "event.reason", "error.message") if name in fields]
    if words:
        phrases.read(" ; ".join(dict.fromkeys(words)), fields)


class KeyValues:
    """A line of pairs that no format of its own claims."""

    name = "key_values"
    takes = str

    def claim(self, record: Record) -> int:
        """Below every format of its own, and never remembered: the next line may be of one of those."""
        content = record.content
        if not isinstance(content, str) or ("=" not in content and ':"' not in content):
            return 0
        return 8 if _BEGINS.match(content, self._start(content)[2]) is not None else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        """Return the event, or ``None`` when the line is more than pairs."""
        content = record.content
        if not isinstance(content, str):
            return None
        when, stamp, start = self._start(content)
        text = content[start:]
        fields: Fields = {}
        own = read(text, fields) if _BEGINS.match(text) is not None else None
        if own is None:
            return None
        if when is None and own:
            stamp, when = own, times.from_text(own)
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=stamp)

    def _start(self, content: str) -> tuple[float | None, str, int]:
        """Return the time before the pairs, if there is one, and where they begin."""
        return times.head(content, 0.0) if content[:1].isdigit() or content[:1] == "[" else (None, "", 0)
