"""Turn field values into comparable tokens: pure functions, no learned state.

Handed: one value of an event. Hands on: masked tokens, shapes, words, characters and number buckets. Every
function is linear in its (capped) input: the text is written by attackers.
"""

import math
import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from triage.contracts import ParsedEvent

MAX_TEXT = 1_500
#: An outline is taken of this many characters.
MAX_OUTLINED = 160
#: Tables are stored with this character between tokens; no token may hold it.
UNIT_SEPARATOR = "\x1f"
MAX_WORDS = 250
#: Longer texts are not remembered. With it what is remembered below takes some 20 MB at most.
LONGEST_REMEMBERED = 200
#: A token of a pair of fields has at most this many characters.
PAIR_TOKEN = 80
MAX_LIST = 12
MAX_PARAMETERS = 24
#: Fields that repeat others or only say when and where a line was read.
IGNORED_FIELDS = frozenset(
    {
        "@timestamp",
        "event.original",
        "event.ingested",
        "event.created",
        "winnow.time_inferred",
        "winnow.time_unparsed",
        "winnow.time_flag",
    }
)

_MASK = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|[0-9]+")
_WORD = re.compile(r"[a-z_#]+|[^\sa-z_#]")
_RUNS = re.compile("(?<=A)A+|(?<=a)a+|(?<=9)9+|(?<=\u00e9)\u00e9+")
_SHAPE_REPEAT = re.compile(r"(.{1,4}?)\1+", re.DOTALL)


class _Outline(dict[int, str]):
    """Character code -> what stands for it in an outline."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code > 127:
            stands = "\u00e9"
        elif char.isalnum():
            stands = "9" if char.isdigit() else "A" if char.isupper() else "a"
        else:
            stands = " " if char == UNIT_SEPARATOR else char
        if code < 128:
            self[code] = stands
        return stands


_OUTLINE = _Outline()


class _CharacterKind(dict[str, str]):
    """Character -> its kind; whatever is not ASCII is one kind."""

    def __missing__(self, char: str) -> str:
        return "\u00e9"


_CHARACTER_KIND = _CharacterKind({chr(code): "a" if chr(code).isalpha() else chr(code) for code in range(128)})


def mask(text: str) -> str:
    """Return the text in small letters with numbers, hashes and identifiers replaced by ``#``.

    >>> mask("Session 4711 of host-12")
    'session # of host-#'
    """
    return _MASK.sub("#", text[:MAX_TEXT].lower()).replace(UNIT_SEPARATOR, " ")


def shape(text: str) -> str:
    """Return the text's outline: runs of letters, digits and others collapsed, punctuation kept.

    >>> shape("Alice Smith-42")
    'Aa Aa-9'
    """
    return without_repeats(collapsed(text))


def outline_of(code: int) -> str:
    """Return what stands for a character in an outline."""
    return _OUTLINE[code]


def collapsed(text: str) -> str:
    """Return the first step of an outline: runs of letters and digits collapsed, repeated groups still in it."""
    return _RUNS.sub("", text[:MAX_OUTLINED].translate(_OUTLINE))


@lru_cache(maxsize=20_000)
def without_repeats(outline: str) -> str:
    """Return an outline with repeated groups of up to four characters collapsed."""
    return _SHAPE_REPEAT.sub(r"\1", outline)[:60]


def words(masked: str) -> list[str]:
    """Return the words and punctuation of a masked text, at most :data:`MAX_WORDS`.

    >>> words("get /a/b.php?id=#")
    ['get', '/', 'a', '/', 'b', '.', 'php', '?', 'id', '=', '#']
    """
    return _WORD.findall(masked)[:MAX_WORDS]


def characters(masked: str) -> set[str]:
    """Return the kinds of characters in a masked text: letters count as one kind, the rest as themselves."""
    return set(map(_CHARACTER_KIND.__getitem__, set(masked)))


def bucket(number: float) -> str:
    """Return the bucket of a number: small whole numbers exactly, others by size.

    >>> bucket(3), bucket(0.47), bucket(491), bucket(-2.5e9)
    ('3', '0.5', '~8.5', '-~31.0')
    """
    size = abs(number)
    sign = "-" if number < 0 else ""
    if size < 16:
        return f"{sign}{int(size)}" if size == int(size) else f"{sign}{size:.1f}"
    return f"{sign}~{int(math.log2(size) * 2) / 2}"


def sequences(parts: list[str]) -> list[str]:
    """Return each word with its neighbours, the ends marked.

    >>> sequences(["get", "/"])
    ['^ get /', 'get / $', '/ $ $']
    """
    return [f"{a} {b} {c}" for a, b, c in zip(["^", *parts], [*parts, "$"], [*parts[1:], "$", "$"], strict=False)]


def on_log_scale(size: float) -> float:
    """Return ``log(1 + |size|)`` with the sign of the size."""
    return math.copysign(math.log1p(abs(size)), size)


def as_number(value: Any) -> float | None:
    """Return the number a value is or spells in plain digits, or ``None`` (text, booleans, huge numbers)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number = float(value) if abs(value) < 10**300 else math.inf
        return number if math.isfinite(number) else None
    if isinstance(value, str) and len(value) <= 15 and value.isascii() and value.isdigit():
        return float(value)
    return None


def pair_token(value: Any) -> str:
    """Return the token a value has in a pair."""
    if type(value) is str and len(value) <= LONGEST_REMEMBERED:
        return _text_pair_token(value)
    # True and 1 are one key in a dict, so they must be one token too.
    return _pair_token(int(value) if isinstance(value, bool) else value)


@lru_cache(maxsize=10_000)
def _text_pair_token(text: str) -> str:
    return _pair_token(text)


def _pair_token(value: Any) -> str:
    number = as_number(value)
    return mask(str(value))[:PAIR_TOKEN] if number is None else bucket(number)


def parameters(name: str, text: str) -> list[tuple[str, str]]:
    """Return the parts of ``a=1&b=2`` text as fields of their own, decoded; nothing for other text.

    >>> parameters("url.query", "id=3&name=a%27b")
    [('url.query[id]', '3'), ('url.query[name]', "a'b")]
    """
    found = []
    for part in text[:MAX_TEXT].split("&", MAX_PARAMETERS)[:MAX_PARAMETERS]:
        key, equals, value = part.partition("=")
        if not equals or not is_key(key):
            break
        found.append((f"{name}[{key}]", unquote_plus(value) if "%" in value or "+" in value else value))
    return found


def is_key(key: str) -> bool:
    """Return whether a text can be the name of a parameter."""
    return key != "" and len(key) <= 40 and " " not in key and "/" not in key


def plain_value(value: Any) -> Any:
    """Return a value as a text, a number or a boolean."""
    return value if isinstance(value, str | int | float) else str(value)


def listed(values: list[Any]) -> list[Any]:
    """Return the items of a list that count, as plain values."""
    return [plain_value(item) for item in values[:MAX_LIST]]


def is_said(event: ParsedEvent) -> bool:
    """Return whether the message is a cell of its own: a JSON message repeats the fields it was read into."""
    message, fields = event.message, event.fields
    return bool(message) and (not fields or message[0] not in "{[<") and message not in fields.values()


def cells(event: ParsedEvent) -> list[tuple[str, Any]]:
    """Return what an event says as ``(field, value)`` pairs: lists spread out, web parameters split off."""
    found: list[tuple[str, Any]] = []
    fields = event.fields
    for name, value in fields.items():
        if name in IGNORED_FIELDS:
            continue
        kind = type(value)
        if kind is str and "=" in value and len(value) > 2:
            add_text(found, name, value, has_query="url.query" in fields)
        elif kind is str or kind is int or kind is float:
            found.append((name, value))
        elif isinstance(value, list):
            found.extend([(name, item) for item in listed(value)])
        else:
            found.append((name, plain_value(value)))
    if is_said(event):
        found.append(("message", event.message))
    return found


def add_text(found: list[tuple[str, Any]], name: str, value: str, *, has_query: bool) -> None:
    """Add the cells of a text with "=" in it: one per parameter of a query or form, the path of a URL."""
    path, question, query = value.partition("?") if "?" in value else ("", "", value)
    key, equals, _ = query[:MAX_TEXT].partition("=")
    if not equals or "&" in key or not is_key(key):
        found.append((name, value))
        return
    if has_query and name == "url.original":
        return
    parts = parameters(name, query)
    found.extend(parts)
    # The set of parameters belongs together: a request that lacks or adds one stands out.
    found.append((f"{name}[]", path + "?" + "&".join([part for part, _ in parts])))
    if question:
        found.append((name, path))


def kind_of(event: ParsedEvent) -> str:
    """Return the kind of an event, within which rarity means something: format, data set and event code."""
    fields = event.fields
    origin = fields.get("event.dataset") or fields.get("event.module") or fields.get("event.provider") or ""
    return f"{event.parser}|{origin}|{fields.get('event.code', '')}"[:120]
