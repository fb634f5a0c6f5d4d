"""What of an alert's evidence is the same for all alerts of its kind, and what is its own.

Handed: the evidence of an alert. Hands on: a :class:`Shape` for each line: a skeleton of what carries meaning, and the
tokens that only tell one case from the next: names, addresses, times, identifiers, and numbers (of which the order of
magnitude stays in the skeleton). A token that is a known name is labelled by the field that holds it, so that "alice
changed her own password" and "alice changed bob's" have two skeletons. Words are never tokens, and in command lines
neither are short numbers and readable blobs.

Marks in a skeleton stand between two control characters, which no evidence line can contain.
"""

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from triage import ecs
from triage.contracts import EvidenceLine, ExplanationRequest, Reason
from triage.explainers import lines
from triage.explainers.grounding_text import is_plain

OPEN, CLOSE, CUT = "\x01", "\x02", "…"
MAX_NAME, MAX_NAME_WORDS, MIN_SINGLE = 64, 3, 3
#: A cut message varies in where it was cut: so much of its skeleton counts; the alert's template covers the rest.
MAX_CUT_SKELETON = 120
#: A sentence repeats a value when it has so many of its characters.
MIN_REPEATED = 16
#: Destination ports from here on are handed out by chance.
EPHEMERAL_PORT = 32_768
#: Accounts and names that mean the same everywhere stay what they are.
WELL_KNOWN = frozenset(
    {
        "root", "admin", "administrator", "system", "guest", "nobody", "daemon", "www-data", "apache", "nginx",
        "postgres", "mysql", "oracle", "sshd", "local service", "network service", "anonymous", "anonymous logon",
        "krbtgt", "test", "ubuntu", "ec2-user", "localhost", "127.0.0.1", "::1", "169.254.169.254", "-",
        "unknown", "null", "none", "nt authority", "nt authority\\system", "window manager", "font driver host",
    }
)  # fmt: skip
_COMMAND = re.compile(r"(?:command_line|args|script_block_text|cmdline|command|title|query|body\.content)$")
_SINGLE = re.compile(
    r"(?:^|[._])(?:id|pid|tid|ppid|uid|gid|guid|uuid|serial|serial_number|sequence|offset|entity_id|record_id|logon_id|"
    r"session_id|request_id|trace_id|activity_id|connection_id|ephemeral_id|correlation_id)$"
    r"|(?:Logon|Process|Thread|Record|Activity|Handle|Session|Request)I[dD]$|G(?:uid|UID)$|^(?:source|client)\.port$"
)
#: Identifiers of a kind of thing, not of one thing.
_KIND_IDS = ("rule.", "threat.", "vulnerability.", "winlog.event_id", "event.code")
_MEANT = re.compile(
    r"(?:code|status|type|version|level|protocol|iana_number|severity|priority|facility|flags?|event_?id|rule\.\w+)$",
    re.IGNORECASE,
)
_ACCOUNT_ID = re.compile(r"(?:user|group)(?:\.\w+)?\.id$")
_WELL_KNOWN_ID = re.compile(r"0|S-1-\d{1,2}(?:-\d{1,3}){1,2}")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIMES = (
    r"(?P<time>(?<!\d)\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
    rf"|\b{_MONTH} {{1,2}}\d{{1,2}}(?: \d{{4}})? \d\d:\d\d:\d\d\b"
    rf"|\b\d{{1,2}}/{_MONTH}/\d{{4}}:\d\d:\d\d:\d\d(?: [+-]\d{{4}})?"
    r"|(?<![\w:.])\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?(?![\w:]))"
)
_UNIQUE = (
    r"(?P<mac>(?<![\w:])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![\w:]))"
    r"|(?P<address>(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d))"
    r"|(?P<tty>(?<![\w/])(?:/dev/)?(?:pts/|tty)\d{1,4}(?!\w))"
    r"|(?P<guid>(?<!\w)[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?!\w))"
    r"|(?P<sid>(?<!\w)S-1-5-21(?:-\d{1,10}){3,4}(?!\d))"
    r"|(?P<hex>(?<!\w)(?:0x[0-9A-Fa-f]{9,40}|(?=[A-Fa-f]{0,127}\d)(?=\d{0,127}[A-Fa-f])[0-9A-Fa-f]{8,128})(?!\w))"
)
_BLOB = r"(?P<blob>(?<![\w+])(?=[A-Za-z+]{0,200}\d)[A-Za-z0-9+_]{20,512}={0,2}(?!\w))"
_NUMBER = (
    r"(?P<mask>0x[0-9A-Fa-f]{1,8}(?![0-9A-Fa-f]))"
    r"|(?P<number>(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w,])|(?<![\w.])\d+(?:\.\d+)*(?:e[+-]?\d{1,3})?(?!\w))|(?P<run>\d{4,})"
)
_TEXT = re.compile(f"{_TIMES}|{_UNIQUE}|{_BLOB}|{_NUMBER}")
_SCRIPT = re.compile(f"{_TIMES}|{_UNIQUE}|{_BLOB}|(?P<run>\\d{{5,}})")
#: In front of a number in free text: what the number is, and that it says what happened.
_TELLING = re.compile(
    r"(?:code|status|error|errno|exit|returned|result|response|type|level|severity|dpt|dport|dst_?port|to port|"
    r"destination port|HTTP/[\d.]{1,3}\")[\s=:\"]{0,3}$",
    re.IGNORECASE,
)
#: In front of a number: it only tells one record from another.
_NAMELESS = re.compile(r"(?<!Event)(?<!event)(?<!Rule)(?<!rule)(?:Id|ID|_id|\b[pP]id|PID|Guid|GUID)[\s=:\"\[(]{1,3}$")
_USUAL = re.compile(r"(?<=most often )(?:with )?(?P<usual>[^()]{1,80}?)(?= \()")
_PIECES = re.compile(r"[^A-Za-z]+")
Piece = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """One evidence line: ``place`` names it in every alert of the kind, ``tokens`` are ``(label, value)`` in order.

    A label that begins with ``=`` belongs to a known name: equal labels are equal values. ``cut`` says that the value
    is longer than the line, ``incidental`` that the line tells what is unusual about an identifier: it is no part of
    the kind, and other alerts of the kind need not have it.
    """

    place: str
    number: int
    skeleton: str
    tokens: tuple[tuple[str, str], ...]
    cut: bool = False
    incidental: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """Names of one alert: lower-case value -> label, such as ``=user.name``."""

    labels: Mapping[str, str]
    kinds: Mapping[str, str]
    #: The same for values that tell one record from another; only looked for in the message that repeats them.
    singles: Mapping[str, str]

    def of(self, field: str) -> Mapping[str, str]:
        """Return what is looked for in a field's text."""
        return {**self.singles, **self.labels} if field == "message" else self.labels


def shapes(request: ExplanationRequest) -> tuple[Shape, ...]:
    """Return the shape of every evidence line, in order; never raises."""
    names = names_of(request)
    counted: dict[str, int] = {}
    found = []
    values = dict(pair for line in reversed(request.evidence) if (pair := lines.read_field(line)))
    for line, reason in _with_reasons(request):
        stem, pieces = _pieces(line, reason, names, values)
        skeleton = "".join(text for text, _ in pieces)
        place = stem or f"{line.origin}:{hashlib.sha256(skeleton.encode()).hexdigest()[:12]}"
        counted[place] = counted.get(place, 0) + 1
        place = place if counted[place] == 1 else f"{place}#{counted[place]}"
        tokens = tuple((text.strip(OPEN + CLOSE), token) for text, token in pieces if token is not None)
        cut = bool(stem) and line.text.endswith(CUT)
        found.append(Shape(place, line.number, skeleton, tokens, cut, is_incidental(reason)))
    return tuple(found)


def names_of(request: ExplanationRequest) -> Names:
    """Return the names that may differ within a kind, each labelled by the first field that holds it."""
    owners: dict[str, str] = {}
    singles: dict[str, str] = {}
    for name, value in sorted(pair for line in request.evidence if (pair := lines.read_field(line))):
        if _is_single(name) and len(value) >= MIN_SINGLE:
            singles.setdefault(value.lower(), f"={name}")
        owners.setdefault(value.lower(), name)
        for position, item in enumerate(value.lower().split(", ")):
            owners.setdefault(item, f"{name}[{position}]")
    labels: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for kind, value in _identifiers(request):
        lowered = value.lower()
        if lowered not in labels and is_name(kind, value):
            side = f"{_side(value)}:" if kind == "address" else ""
            owner = owners.get(lowered) or f"{kind} {sum(one == kind for one in kinds.values())}"
            labels[lowered], kinds[lowered] = f"={side}{owner}", kind
    return Names(labels, kinds, singles)


def _identifiers(request: ExplanationRequest) -> Iterator[tuple[str, str]]:
    yield from request.identifiers
    kind, _, value = request.entity.partition(":")
    if kind in {"user", "host", "address"}:
        yield kind, value


def is_name(kind: str, value: str) -> bool:
    """Tell whether a value is nothing but a name: no word with a meaning, no sentence, no account every system has.

    >>> is_name("user", "m.keller"), is_name("user", "root"), is_name("user", "Failed"), is_name("address", "10.0.0.7")
    (True, False, False, True)
    >>> is_name("user", "this.was.approved.by.security"), is_name("host", "db-17.corp.example")
    (False, True)
    """
    if not 1 < len(value) <= MAX_NAME or value.lower() in WELL_KNOWN:
        return False
    if kind == "address":
        return bool(_side(value))
    if is_plain(value) or len(value.split()) > MAX_NAME_WORDS or any(is_plain(word) for word in value.split()):
        return False
    words = [word for word in _PIECES.split(value) if len(word) > 2]
    return any(character.isalnum() for character in value) and sum(is_plain(word) for word in words) < MAX_NAME_WORDS


def _side(text: str) -> str:
    """Return which side an address is on, empty for what is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ""
    for side in ("loopback", "multicast", "link_local", "unspecified"):
        if getattr(found, f"is_{side}"):
            return side
    return "inside" if found.is_private else "outside"


def _with_reasons(request: ExplanationRequest) -> Iterator[tuple[EvidenceLine, Reason | None]]:
    """Yield each line with the reason that it tells, for lines of the score."""
    told = [line for line in request.evidence if line.origin == lines.SCORE]
    known = dict(zip((line.number for line in told), request.reasons, strict=False))
    for line in request.evidence:
        yield line, known.get(line.number) if len(told) == len(request.reasons) else None


def _pieces(
    line: EvidenceLine, reason: Reason | None, names: Names, values: Mapping[str, str]
) -> tuple[str, list[Piece]]:
    """Return the field of a line (empty for other lines) and its text in pieces of ``(skeleton, token or None)``."""
    pair = lines.read_field(line)
    if pair is None:
        return "", list(_told(line, reason, names, values))
    name, value = pair
    pieces = list(_field(name, value, names))
    if name == "message" and value.endswith(CUT):
        pieces = list(_beginning(pieces))
    # The mark of a line that an attacker wrote is part of what the model sees.
    return name, [(f"{name}{lines.UNTRUSTED if lines.UNTRUSTED in line.text else ''}: ", None), *pieces]


def _beginning(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the first pieces of a cut text, up to a fixed length of its skeleton."""
    left = MAX_CUT_SKELETON
    for text, token in pieces:
        if left <= 0 or (token is not None and len(text) > left):
            return
        yield text[:left], token
        left -= len(text)


def _field(name: str, value: str, names: Names) -> Iterator[Piece]:
    if value.isdecimal() and _is_meant(name, value):
        yield value, None
    elif value.lower() in names.labels:
        yield _mark(names.labels[value.lower()]), value
    elif name == "@timestamp":
        yield _mark("time"), value
    elif _is_single(name):
        told = _WELL_KNOWN_ID.fullmatch(value) and _ACCOUNT_ID.search(name)
        yield (value, None) if told else (_mark("id"), value)
    else:
        pattern = _SCRIPT if _COMMAND.search(name) else _TEXT
        yield from _text(value, names.of(name), pattern, _text_word)


def is_incidental(reason: Reason | None) -> bool:
    """Tell whether a reason rests on nothing but fields that tell one record from another."""
    return reason is not None and bool(reason.fields) and all(_is_single(name) for name in reason.fields)


def _is_single(name: str) -> bool:
    if name.startswith(_KIND_IDS):
        return False
    return name in ecs.INSTANCE_FIELDS or _SINGLE.search(name) is not None


def _is_meant(name: str, value: str) -> bool:
    if name in {"destination.port", "server.port"}:
        return int(value[:12]) < EPHEMERAL_PORT
    return _MEANT.search(name) is not None


def _told(line: EvidenceLine, reason: Reason | None, names: Names, values: Mapping[str, str]) -> Iterator[Piece]:
    """Yield the pieces of a sentence of ours: of a reason's baseline only "none" and "some" count."""
    known = names.of("")
    if line.origin != lines.SCORE:
        yield from _text(line.text, known, _TEXT, _text_word)
        return
    text, end = line.text, 0
    span = _repeated(text, [values[name] for name in reason.fields if name in values] if reason else [])
    if span is not None:
        # What was observed is the value of a field, which has a line of its own.
        yield from _text(text[: span[0]], known, _TEXT, _text_word)
        yield _mark("observed"), text[span[0] : span[1]]
        end = span[1]
    observed = re.split(r"[;(]", text[end:], maxsplit=1)[0]
    yield from _text(observed, known, _TEXT, _text_word)
    yield from _baseline(text[end + len(observed) :], reason, known)


def _repeated(text: str, values: Iterable[str]) -> tuple[int, int] | None:
    """Return where a sentence repeats the beginning of a long value and cuts it off."""
    end = text.find(CUT)
    for value in values if end > 0 else ():
        start = text.find(value[:MIN_REPEATED], 0, end) if len(value) >= MIN_REPEATED else -1
        if start >= 0 and value.startswith(text[start:end].rstrip()):
            return start, end + 1
    return None


def _baseline(text: str, reason: Reason | None, known: Mapping[str, str]) -> Iterator[Piece]:
    end = 0
    if reason is not None and any(_naming(name) for name in reason.fields):
        # A usual value of a naming field is somebody else's name.
        for match in _USUAL.finditer(text):
            yield from _text(text[end : match.start("usual")], known, _TEXT, _baseline_word)
            yield _mark("usual"), match["usual"]
            end = match.end()
    yield from _text(text[end:], known, _TEXT, _baseline_word)


def _naming(name: str) -> bool:
    return name.startswith(("user.", "host.", "related.")) or name.endswith((".ip", ".address", ".domain", ".mac"))


def _text(
    text: str, names: Mapping[str, str], pattern: re.Pattern[str], word: Callable[[re.Match[str]], str]
) -> Iterator[Piece]:
    """Yield free text in pieces: known names first, then what looks unique."""
    known, end = _any_of(names, text), 0
    for match in known.finditer(text) if known else ():
        yield from _unknown(text, end, match.start(), pattern, word)
        yield _mark(names.get(match.group().lower(), "=name")), match.group()
        end = match.end()
    yield from _unknown(text, end, len(text), pattern, word)


def _any_of(names: Iterable[str], text: str) -> re.Pattern[str] | None:
    """Return what finds those names that occur in a text, longest first; None when none does."""
    lowered = text.lower()
    found = sorted((name for name in names if name in lowered), key=lambda name: (-len(name), name))
    if not found:
        return None
    any_of = "|".join(re.escape(name) for name in found)
    return re.compile(rf"(?<!\w)(?<!\d\.)(?:{any_of})(?!\w)(?!\.\d)", re.IGNORECASE)


def _unknown(
    text: str, start: int, end: int, pattern: re.Pattern[str], word: Callable[[re.Match[str]], str]
) -> Iterator[Piece]:
    last = start
    for match in pattern.finditer(text, start, end):
        told = word(match)
        if told != match.group():
            yield text[last : match.start()], None
            yield told, match.group()
            last = match.end()
    yield text[last:end], None


def _text_word(match: re.Match[str]) -> str:
    """Return what stands for something unique: its sort, an address's side, a number's order of magnitude."""
    kind, text = match.lastgroup or "", match.group()
    if kind == "address":
        side = _side(text)
        return _mark(side) if side not in {"", "unspecified"} and text not in WELL_KNOWN else text
    before = match.string[max(match.start() - 24, 0) : match.start()]
    if kind in {"mask", "number", "run"} and _NAMELESS.search(before):
        return _mark("id")
    if kind == "mask":  # access rights, flags
        return text
    if kind in {"blob", "hex"}:
        return text if _readable(kind, text) else _mark(kind)
    if kind not in {"number", "run"}:
        return _mark(kind)
    if _TELLING.search(before):
        return text
    if not text.replace(",", "").isdecimal():
        return _mark("decimal")
    return text if text in {"0", "1"} else _mark(f"number{len(text.replace(',', ''))}")


def _baseline_word(match: re.Match[str]) -> str:
    told = _text_word(match)
    return _mark("number") if told.startswith(f"{OPEN}number") or told == "1" else told


def _mark(label: str) -> str:
    return f"{OPEN}{label}{CLOSE}"


def _readable(kind: str, text: str) -> bool:
    """Tell whether a blob holds text once it is decoded: then it is a payload, not an identifier.

    >>> _readable("blob", "d2hvYW1pIC9hbGwgL2ZvIGxpc3Q="), _readable("blob", "9f8K2mQx7Lr4Tz1Vb6Yc3Wd5")
    (True, False)
    """
    try:
        if kind == "hex":
            raw = bytes.fromhex(text.removeprefix("0x").rjust(2, "0"))
        else:
            stem = text.rstrip("=")
            raw = base64.b64decode(stem[: len(stem) // 4 * 4], validate=True)
    except (ValueError, binascii.Error):
        return False
    seen = raw.replace(b"\0", b"")
    return len(seen) >= 4 and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in seen)
