"""What can be asked of an event, as values: who reads a query makes them, who searches asks them.

Handed: an event's values by field, its texts. Hands on: whether it is asked for. Capital and small letters A to Z are
the same; a text is found as whole words unless it is open at an end; of a list any entry will do.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import orjson

#: Fields beside those of ECS: what Winnow itself knows of an event.
TIME_FIELDS = frozenset({"timestamp", "received"})
NUMBER_FIELDS = frozenset({"score", "p", "id"})
OWN_FIELDS = TIME_FIELDS | NUMBER_FIELDS | {"flagged", "source", "parser", "entity", "message"}

Bound = float | dt.datetime


class Item(Protocol):
    """An event to be asked about."""

    def values(self, field: str) -> Sequence[object]:
        """Return the values of a field: none, one, or a list's entries."""

    def texts(self) -> Iterable[str]:
        """Return the message and every value as text."""

    def line(self) -> bytes:
        """Return the document as it is stored."""


def fold(text: str) -> str:
    """Return a text with its letters A to Z small; no other letter changes, whichever database is asked.

    >>> fold("ADMÄ")
    'admÄ'
    """
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def text_of(value: object) -> str:
    """Return a scalar as its document writes it.

    >>> text_of(True), text_of(445), text_of("x")
    ('true', '445', 'x')
    """
    return value if isinstance(value, str) else orjson.dumps(value).decode()


@dataclass(frozen=True, slots=True)
class Match:
    """A field has this value; ``open_start`` and ``open_end`` let anything stand before and after it."""

    field: str
    text: str
    open_start: bool = False
    open_end: bool = False

    def holds(self, item: Item) -> bool:
        """Whether an event has it."""
        return any(self.fits(fold(text_of(value))) for value in item.values(self.field))

    def fits(self, folded: str) -> bool:
        """Whether one folded value is meant."""
        wanted = fold(self.text)
        if self.open_start:
            return wanted in folded if self.open_end else folded.endswith(wanted)
        return folded.startswith(wanted) if self.open_end else folded == wanted


@dataclass(frozen=True, slots=True)
class Present:
    """A field has a value."""

    field: str

    def holds(self, item: Item) -> bool:
        """Whether an event has one; an empty text is none."""
        return any(value not in ("", None) for value in item.values(self.field))


@dataclass(frozen=True, slots=True)
class Within:
    """A number or a time lies between two bounds (None = open); what is unknown lies nowhere."""

    field: str
    low: Bound | None = None
    high: Bound | None = None
    low_included: bool = True
    high_included: bool = True

    def holds(self, item: Item) -> bool:
        """Whether an event's value does."""
        return any(self.encloses(value) for value in item.values(self.field))

    def encloses(self, value: object) -> bool:
        """Whether one value does; a number may be written as text."""
        number = value if self.field in TIME_FIELDS else _number(value)
        if number is None:
            return False
        above = self.low is None or number > self.low or (self.low_included and number == self.low)  # type: ignore[operator]
        below = self.high is None or number < self.high or (self.high_included and number == self.high)  # type: ignore[operator]
        return above and below


@dataclass(frozen=True, slots=True)
class Text:
    """A text stands in the message or in any value, as whole words except at an open end."""

    text: str
    open_start: bool = False
    open_end: bool = False

    def holds(self, item: Item) -> bool:
        """Whether an event has it."""
        find = _finder(self)
        return any(find(fold(text)) for text in item.texts())


@dataclass(frozen=True, slots=True)
class Written:
    """A document holds a text exactly as JSON writes it: any part of any name or value, capitals as they are."""

    text: str

    @property
    def needle(self) -> bytes:
        """What to look for in a document's bytes."""
        return orjson.dumps(self.text)[1:-1]

    def holds(self, item: Item) -> bool:
        """Whether an event's line has it."""
        return self.needle in item.line()


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Condition"

    def holds(self, item: Item) -> bool:
        """Whether the part does not."""
        return not self.part.holds(item)


@dataclass(frozen=True, slots=True)
class All:
    """Every part; without parts, every event."""

    parts: tuple["Condition", ...] = ()

    def holds(self, item: Item) -> bool:
        """Whether all of them do."""
        return all(part.holds(item) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part."""

    parts: tuple["Condition", ...]

    def holds(self, item: Item) -> bool:
        """Whether one of them does."""
        return any(part.holds(item) for part in self.parts)


Condition = Match | Present | Within | Text | Written | Not | All | Any
EVERYTHING = All()


def both(*conditions: Condition) -> Condition:
    """Return what meets all of them, flat."""
    parts: list[Condition] = []
    for one in conditions:
        parts.extend(one.parts if isinstance(one, All) else (one,))
    unique = tuple(dict.fromkeys(parts))
    return unique[0] if len(unique) == 1 else All(unique)


def leaves(condition: Condition) -> list[Match | Present | Within | Text | Written]:
    """Return the conditions that ask something of the event itself, in order."""
    if isinstance(condition, Not):
        return leaves(condition.part)
    if isinstance(condition, All | Any):
        return [leaf for part in condition.parts for leaf in leaves(part)]
    return [condition]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return value
    try:
        return float(str(value))
    except ValueError:
        return None


#: What no word boundary stands between: digits, letters A to Z, and everything beyond ASCII.
_WORD = "0-9a-z\u0080-\U0010ffff"
_IS_WORD = re.compile(f"[{_WORD}]")


@lru_cache(maxsize=256)
def _finder(wanted: Text) -> Callable[[str], object]:
    folded = fold(wanted.text)
    before = f"(?<![{_WORD}])" if not wanted.open_start and _IS_WORD.match(folded[:1]) else ""
    after = f"(?![{_WORD}])" if not wanted.open_end and _IS_WORD.match(folded[-1:]) else ""
    return re.compile(before + re.escape(folded) + after).search
