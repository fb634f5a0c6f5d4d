"""Documents that vendors write, brought to ECS by a table: which path of theirs is which field of ours.

Handed: a decoded JSON object and its :class:`Layout`. Hands on: flat fields in ECS terms; every other scalar keeps
its own path below the layout's prefix. A value that cannot be what the field means (an address that is none, a port
of 70,000) stays below the prefix too: nothing is invented and nothing is lost.
"""

import ipaddress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import times
from triage.parsers.finish import finish, flatten
from triage.parsers.json_text import compact

MAX_ADDRESS = 64
MAX_WORD = 512
MAX_LISTED = 64

_ADDRESSES = frozenset({"source.ip", "destination.ip", "client.ip", "server.ip", "host.ip", "source.nat.ip"})
_PORTS = frozenset({"source.port", "destination.port", "client.port", "server.port"})
_NUMBERS = frozenset(
    {
        "process.pid",
        "process.parent.pid",
        "http.response.status_code",
        "http.response.body.bytes",
        "source.bytes",
        "destination.bytes",
        "source.packets",
        "destination.packets",
        "network.bytes",
        "network.packets",
        "event.duration",
    }
)
#: Fields whose value may also be a list, a truth value or a number.
_ANY = frozenset(
    {"user.roles", "event.risk_score", "event.severity", "dns.answers.data", "host.mac", "user.group.name"}
)
_NOTHING = frozenset({"", "-", "null", "<null>", "N/A", "n/a"})

Rows = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """How one vendor's documents map to ECS.

    ``rows`` are (ECS field, paths of the document, best first). ``times`` are paths of the event's time, best
    first. ``constant`` fields are the same in every event. ``bulky`` names top-level keys that are flattened last,
    so that what a caller sends along cannot crowd out who called. ``folded``: paths are compared in lower case.
    ``utc``: the vendor documents that a time without a zone is UTC, so that nothing had to be supposed.
    """

    prefix: str
    rows: Rows
    times: tuple[str, ...]
    constant: tuple[tuple[str, str], ...] = ()
    bulky: frozenset[str] = frozenset()
    folded: bool = False
    utc: bool = False
    #: Path -> (row, rank) of every row it is good for; made from ``rows``.
    index: dict[str, list[tuple[int, int]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, list[tuple[int, int]]] = {}
        for row, (_, paths) in enumerate(self.rows):
            for rank, path in enumerate(paths):
                index.setdefault(path, []).append((row, rank))
        object.__setattr__(self, "index", index)


@lru_cache(maxsize=8192)
def split_address(text: str) -> tuple[str, int | None]:
    """Return the address and the port of a text, or an empty text when it is no address.

    >>> split_address("192.0.2.7:443"), split_address("[2001:db8::1]:53"), split_address("gateway")
    (('192.0.2.7', 443), ('2001:db8::1', 53), ('', None))
    """
    text = text.partition(",")[0].strip()
    if len(text) > MAX_ADDRESS:
        return "", None
    rest, port = text, ""
    if text[:1] == "[":
        rest, _, after = text[1:].partition("]")
        port = after.removeprefix(":")
    elif text.count(":") == 1:
        rest, _, port = text.partition(":")
    try:
        address = ipaddress.ip_address(rest)
    except ValueError:
        return "", None
    mapped = getattr(address, "ipv4_mapped", None)
    return (str(mapped) if mapped else rest), as_port(port)


def as_number(value: Any) -> int | None:
    """Return a count as an integer, or ``None`` when it is none; text must be plain digits."""
    if type(value) is str:
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    if type(value) is float:
        return int(value) if value.is_integer() and 0 <= value < 2**53 else None
    return value if type(value) is int and value >= 0 else None


def as_port(value: Any) -> int | None:
    """Return a port number, or ``None``."""
    number = as_number(value)
    return number if number is not None and 0 <= number < 65_536 else None


def _first(value: Any) -> Any:
    return value[0] if type(value) is list and value else value


def put(fields: Fields, name: str, value: Any) -> bool:
    """Set a field when the value can be one of its kind; return True when nothing of the value is left over."""
    if name in _ANY:
        fields[name] = value
        return True
    single = _first(value)
    alone = single is value or len(value) == 1
    if name in _ADDRESSES:
        return _put_address(fields, name, single) and alone
    if name in _PORTS or name in _NUMBERS:
        number = as_port(single) if name in _PORTS else as_number(single)
        if number is None:
            return False
        fields[name] = number
        return alone
    kind = type(single)
    if kind is str:
        if single in _NOTHING:
            return False
        fields[name] = single
        return alone
    if kind is int or kind is float:
        fields[name] = str(single)
        return alone
    return False


def _put_address(fields: Fields, name: str, value: Any) -> bool:
    if type(value) is not str:
        return False
    address, port = split_address(value)
    if not address:
        return False
    fields[name] = address
    if port is not None:
        fields.setdefault(name.removesuffix("ip") + "port", port)
    return "," not in value


def flat_of(content: dict[str, Any], layout: Layout) -> Fields:
    """Return the document's scalars by path, the bulky parts last."""
    flat: Fields = {}
    if layout.bulky.isdisjoint(content):
        flatten(content, flat)
        return flat
    flatten({key: value for key, value in content.items() if key not in layout.bulky}, flat)
    flatten({key: value for key, value in content.items() if key in layout.bulky}, flat)
    return flat


def take_time(flat: Fields, paths: tuple[str, ...]) -> tuple[float | None, Any]:
    """Remove and return the event's time and how it was written; what cannot be read is left where it was."""
    unread: Any = None
    for path in paths:
        stamp = flat.get(path)
        if stamp is None:
            continue
        when = times.from_any(stamp)
        if when is not None:
            del flat[path]
            return when, stamp
        unread = unread or stamp
    return None, unread


def apply(flat: Fields, layout: Layout, fields: Fields) -> None:
    """Move what the layout knows to its ECS names, and the rest below its prefix."""
    index, folded = layout.index, layout.folded
    found: dict[int, list[tuple[int, str]]] = {}
    for path in flat:
        for row, rank in index.get(path.lower() if folded else path, ()):
            found.setdefault(row, []).append((rank, path))
    for row in sorted(found):
        candidates = found[row]
        if len(candidates) > 1:
            candidates.sort()
        _take_best(flat, layout.rows[row][0], candidates, fields)
    prefix = layout.prefix
    for path, value in flat.items():
        fields[prefix + path] = value


def _take_best(flat: Fields, name: str, candidates: list[tuple[int, str]], fields: Fields) -> None:
    """Set one field from the first of its paths whose value can be one; an earlier row may have taken it."""
    for _, path in candidates:
        value = flat.get(path)
        if value is None:
            continue
        if put(fields, name, value):
            del flat[path]
        if name in fields:
            return


def short(value: Any) -> str:
    """Return a field's value as a capped word for a summary."""
    if type(value) is list:
        return " ".join(short(item) for item in value[:4])
    return str(value)[:MAX_WORD]


_TOLD = ("event.action", "event.outcome", "user.name", "source.ip", "destination.ip", "host.name", "process.name")
_TOLD_LAST = ("url.original", "dns.question.name", "file.path", "rule.name", "error.code", "error.message")
_LABELS = {
    "user.name": "user ",
    "source.ip": "from ",
    "destination.ip": "to ",
    "host.name": "on ",
    "process.name": "by ",
}


def summarise(fields: Fields, *more: str) -> str:
    """Return one line that says who did what from where, of what the fields hold; ``more`` names more fields."""
    words: dict[str, str] = {}
    for name in (*_TOLD, *more, *_TOLD_LAST):
        value = fields.get(name)
        if value is not None:
            word = short(value)
            words.setdefault(word, _LABELS.get(name, "") + word)
    return " ".join(words.values())


def named_values(pairs: Any, name_key: str, value_keys: tuple[str, ...]) -> Fields:
    """Return a list of ``{"Name": .., "Value": ..}`` objects as one flat object; the first value of a name wins.

    >>> named_values([{"Name": "UserAgent", "Value": "curl"}], "Name", ("Value",))
    {'UserAgent': 'curl'}
    """
    found: Fields = {}
    for pair in pairs[:MAX_LISTED] if isinstance(pairs, list) else ():
        if not isinstance(pair, dict) or type(pair.get(name_key)) is not str:
            continue
        for key in value_keys:
            value = pair.get(key)
            if isinstance(value, str | int | float) or (isinstance(value, list) and value):
                found.setdefault(pair[name_key], value)
                break
    return found


OUTCOMES = {
    "success": "success",
    "succeeded": "success",
    "successful": "success",
    "allow": "success",
    "allowed": "success",
    "granted": "success",
    "ok": "success",
    "failure": "failure",
    "failed": "failure",
    "fail": "failure",
    "error": "failure",
    "deny": "failure",
    "denied": "failure",
    "block": "failure",
    "blocked": "failure",
    "unauthorized": "failure",
}


def outcome_of(value: Any) -> str:
    """Return ``success`` or ``failure`` for a word that says so, else an empty string."""
    if type(value) is bool:
        return "success" if value else "failure"
    return OUTCOMES.get(value.strip().rstrip(".").lower(), "") if type(value) is str and len(value) < 20 else ""


class DocumentParser:
    """A parser of one vendor's JSON documents: a layout, and what a table cannot say."""

    name: str
    takes = dict
    layout: Layout

    def recognises(self, content: dict[str, Any]) -> int:
        """Return the claim on a decoded object, 0 to 100."""
        raise NotImplementedError

    def settle(self, content: dict[str, Any], fields: Fields) -> str:
        """Fill what needs more than a new name; return the message, or an empty string for a summary."""
        return ""

    def opened(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return the object that holds the event, where the vendor wraps it."""
        return content

    def claim(self, record: Record) -> int:
        """Return how sure this parser is that the record is its own."""
        content = record.content
        return self.recognises(content) if type(content) is dict else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        """Return the event, or ``None`` when the record is not of this format."""
        content = record.content
        if type(content) is not dict or not self.recognises(content):
            return None
        content = self.opened(content)
        fields: Fields = dict(self.layout.constant)
        flat = flat_of(content, self.layout)
        when, stamp = take_time(flat, self.layout.times)
        if self.layout.utc and when is not None and type(stamp) is str:
            stamp = None
        apply(flat, self.layout, fields)
        message = self.settle(content, fields) or summarise(fields) or compact(content)
        name = fields.get("user.name")
        if type(name) is str and "@" in name and " " not in name:
            fields.setdefault("user.email", name)
        return finish(self.name, record, received_at, fields, message=message, when=when, stamp=stamp)
