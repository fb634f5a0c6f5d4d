"""Turn field values into comparable tokens: pure functions, no learned state.

Handed: one value of an event. Hands on: masked tokens, shapes, words, characters and number buckets. Every
function is linear in its (capped) input: the text is written by attackers.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from triage.contracts import ParsedEvent

MAX_TEXT = 1_500
#: Tables are stored with this character between tokens; no token may hold it.
UNIT_SEPARATOR = "\x1f"
MAX_WORDS = 250
MAX_LIST = 12
MAX_PARAMETERS = 24
#: Fields that repeat others or only say when and where a line was read.
IGNORED_FIELDS = frozenset(
    {"@timestamp", "event.original", "event.ingested", "event.created", "winnow.time_inferred", "winnow.time_unparsed"}
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
    return _without_repeats(_RUNS.sub("", text[:160].translate(_OUTLINE)))


@lru_cache(maxsize=20_000)
def _without_repeats(outline: str) -> str:
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
    return {"a" if char.isalpha() and char.isascii() else char if char.isascii() else "\u00e9" for char in set(masked)}


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


def parameters(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of ``a=1&b=2`` text as fields of their own, decoded; nothing for other text.

    >>> list(parameters("url.query", "id=3&name=a%27b"))
    [('url.query[id]', '3'), ('url.query[name]', "a'b")]
    """
    for part in text[:MAX_TEXT].split("&")[:MAX_PARAMETERS]:
        key, equals, value = part.partition("=")
        if not equals or not key or len(key) > 40 or " " in key or "/" in key:
            return
        yield f"{name}[{key}]", unquote_plus(value)


def cells(event: ParsedEvent) -> list[tuple[str, Any]]:
    """Return what an event says as ``(field, value)`` pairs: lists spread out, web parameters split off."""
    found: list[tuple[str, Any]] = []
    fields = event.fields
    for name, value in fields.items():
        if name in IGNORED_FIELDS:
            continue
        if type(value) is str:
            if "=" in value and len(value) > 2:
                _add_text(found, name, value, fields)
            else:
                found.append((name, value))
        elif isinstance(value, list):
            found.extend(
                (name, item if isinstance(item, str | int | float) else str(item)) for item in value[:MAX_LIST]
            )
        else:
            found.append((name, value if isinstance(value, int | float) else str(value)))
    message = event.message
    # A JSON message repeats the fields it was read into.
    if message and (not fields or message[0] not in "{[<") and message not in fields.values():
        found.append(("message", message))
    return found


def _add_text(found: list[tuple[str, Any]], name: str, value: str, fields: dict[str, Any]) -> None:
    """Add the cells of a text with "=" in it: one per parameter of a query or form, the path of a URL."""
    path, question, query = value.partition("?") if "?" in value else ("", "", value)
    parts = list(parameters(name, query))
    if not parts:
        found.append((name, value))
        return
    if name == "url.original" and "url.query" in fields:
        return
    found.extend(parts)
    # The set of parameters belongs together: a request that lacks or adds one stands out.
    found.append((f"{name}[]", path + "?" + "&".join(part[0] for part in parts)))
    if question:
        found.append((name, path))


def kind_of(event: ParsedEvent) -> str:
    """Return the kind of an event, within which rarity means something: format, data set and event code."""
    fields = event.fields
    origin = fields.get("event.dataset") or fields.get("event.module") or fields.get("event.provider") or ""
    return f"{event.parser}|{origin}|{fields.get('event.code', '')}"[:120]
