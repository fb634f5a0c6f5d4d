"""Which chunks can stay closed: what a condition lets a chunk's filter and times answer.

Handed: a condition. Hands on: a gate, None where any chunk may hold such an event. It asks the database, which then
hands out the open chunks only, or a chunk in hand, where the database has no word for a single bit.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from triage import ecs, terms
from triage.conditions import TIME_FIELDS, All, Any, Condition, Match, Text, Within, Written, fold
from triage.documents import CHUNK_EVENTS, PARSER_MARK, SOURCE_MARK

_WIDTHS = dict(ecs.COLUMN_WIDTHS)
#: An entity is cut there.
_ENTITY_WIDTH = 200
#: One probe: the bit of a number in the filter's bits, whose number is a multiple of eight.
_PROBE = "get_bit(held, 8 + ((%s::bigint * (8 * (length(held) - 1))) >> 32)) = 1"
#: The filter is unpacked once, not once for each bit; without OFFSET 0 PostgreSQL would undo that.
_HELD = "FROM (SELECT substring(terms FROM 1) AS held OFFSET 0) AS unpacked"
_UNKNOWN = f"WHEN terms IS NULL OR length(terms) < 2 THEN TRUE WHEN get_byte(terms, 0) <> {terms.VERSION} THEN TRUE"


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is known of a chunk without opening it; ``known`` is False for one that was written before this was kept."""

    id: int
    received_at: dt.datetime
    events: int
    first_at: dt.datetime | None = None
    last_at: dt.datetime | None = None
    terms: bytes | memoryview | None = None

    @property
    def end(self) -> int:
        """The first id behind it."""
        return self.id + CHUNK_EVENTS


class Gate(Protocol):
    """Which chunks may hold what is asked for."""

    def passes(self, chunk: Chunk) -> bool:
        """Whether a chunk may."""

    def where(self) -> Q:
        """Return the same for PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Held:
    """Chunks whose filter does not deny a term."""

    asked: terms.Asked

    def passes(self, chunk: Chunk) -> bool:
        """Whether a chunk's filter does not."""
        return terms.may_hold(chunk.terms, self.asked)

    def where(self) -> Q:
        """Look at single bits, the first that is missing decides."""
        probes = terms.probes(self.asked)
        sql = f"CASE {_UNKNOWN} ELSE (SELECT {' AND '.join([_PROBE] * len(probes))} {_HELD}) END"
        return Q(RawSQL(sql, probes, output_field=BooleanField()))  # noqa: S611 - constants; the numbers are parameters


@dataclass(frozen=True, slots=True)
class Timed:
    """Chunks whose time overlaps a span; one without known times may."""

    span: Within

    def passes(self, chunk: Chunk) -> bool:
        """Whether a chunk's time does."""
        first, last = chunk.received_at, chunk.received_at
        if self.span.field == "timestamp":
            if chunk.first_at is None or chunk.last_at is None:
                return True
            first, last = chunk.first_at, chunk.last_at
        return not self._misses(first, last)

    def _misses(self, first: dt.datetime, last: dt.datetime) -> bool:
        low, high = self.span.low, self.span.high
        return (isinstance(low, dt.datetime) and last < low) or (isinstance(high, dt.datetime) and first > high)

    def where(self) -> Q:
        """Compare the chunk's own times."""
        own = self.span.field == "timestamp"
        first, last = ("first_at", "last_at") if own else ("received_at", "received_at")
        found = Q()
        if self.span.low is not None:
            found &= Q(**{f"{last}__gte": self.span.low})
        if self.span.high is not None:
            found &= Q(**{f"{first}__lte": self.span.high})
        return (Q(first_at__isnull=True) | found) if own and found else found


@dataclass(frozen=True, slots=True)
class Numbered:
    """Chunks whose ids overlap a span of ids."""

    span: Within

    def passes(self, chunk: Chunk) -> bool:
        """Whether a chunk's do."""
        low, high = self.span.low, self.span.high
        return not ((isinstance(low, float) and chunk.end <= low) or (isinstance(high, float) and chunk.id > high))

    def where(self) -> Q:
        """Compare ids."""
        found = Q()
        if self.span.low is not None:
            found &= Q(pk__gt=self.span.low - CHUNK_EVENTS)  # type: ignore[operator]
        return found if self.span.high is None else found & Q(pk__lte=self.span.high)


@dataclass(frozen=True, slots=True)
class Every:
    """Chunks that pass every one of several gates."""

    gates: tuple[Gate, ...]

    def passes(self, chunk: Chunk) -> bool:
        """Whether a chunk does."""
        return all(one.passes(chunk) for one in self.gates)

    def where(self) -> Q:
        """Join them."""
        found = Q()
        for one in self.gates:
            found &= one.where()
        return found


@dataclass(frozen=True, slots=True)
class Either:
    """Chunks that pass one of several gates; without gates, none."""

    gates: tuple[Gate, ...]

    def passes(self, chunk: Chunk) -> bool:
        """Whether a chunk does."""
        return any(one.passes(chunk) for one in self.gates)

    def where(self) -> Q:
        """Join them."""
        found = Q(pk__in=[])
        for one in self.gates:
            found |= one.where()
        return found


def gate(condition: Condition, sources: Mapping[int, str]) -> Gate | None:
    """Return which chunks may hold an event that meets a condition; None when any chunk may."""
    if isinstance(condition, All):
        gates = tuple(found for part in condition.parts if (found := gate(part, sources)))
        return Every(gates) if gates else None
    if isinstance(condition, Any):
        some = [gate(part, sources) for part in condition.parts]
        gates = tuple(found for found in some if found)
        return Either(gates) if len(gates) == len(some) else None
    if isinstance(condition, Within):
        return _span(condition)
    if isinstance(condition, Match) and condition.field == "source":
        return Either(tuple(Held(terms.exactly(SOURCE_MARK, number)) for number in named(condition, sources)))
    asked = _terms(condition)
    return Held(asked) if asked else None


def named(leaf: Match, sources: Mapping[int, str]) -> list[int]:
    """Return the numbers of the sources that are meant."""
    return [number for number, name in sources.items() if leaf.fits(fold(name))]


def _span(leaf: Within) -> Gate | None:
    if leaf.field == "id":
        return Numbered(leaf)
    return Timed(leaf) if leaf.field in TIME_FIELDS else None


def _terms(condition: Condition) -> terms.Asked:
    """Return the terms of every chunk that holds an event that meets a condition."""
    if isinstance(condition, Written):
        return terms.words(condition.text, open_start=True, open_end=True)
    if isinstance(condition, Text):
        return terms.words(condition.text, open_start=condition.open_start, open_end=condition.open_end)
    if not isinstance(condition, Match) or condition.field == "flagged":
        return ()
    closed = not (condition.open_start or condition.open_end)
    if closed and condition.field in terms.EXACT:
        return terms.exactly(condition.field, condition.text)
    if condition.field == "parser":
        return terms.exactly(PARSER_MARK, condition.text) if closed else ()
    return _value_words(condition)


def _value_words(leaf: Match) -> terms.Asked:
    """Return the words of a value; the last one of a text that fills its column may be cut off there."""
    if leaf.field == "entity":
        if leaf.open_start:
            return ()
        cut = len(leaf.text) >= _ENTITY_WIDTH
        return terms.words(leaf.text.partition(":")[2], open_end=leaf.open_end or cut)
    cut = leaf.field not in terms.EXACT and len(leaf.text) >= _WIDTHS.get(leaf.field, len(leaf.text) + 1)
    return terms.words(leaf.text, open_start=leaf.open_start, open_end=leaf.open_end or cut)
