"""What a condition means for the stores: which chunks can stay closed, what rows are asked, what documents are.

Handed: a condition and the sources by name. Hands on: a :class:`Plan`. The parts of a condition that all have to hold
are sorted: those that columns answer exactly go to the database, those that only documents know are looked for in the
chunks' bytes, the rest is asked of row and document together.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from django.db.models import F, Func, Lookup, Q, TextField, Value
from django.db.models.lookups import Contains, EndsWith, Exact, StartsWith

from triage import ecs
from triage.conditions import (
    NUMBER_FIELDS,
    OWN_FIELDS,
    TIME_FIELDS,
    All,
    Any,
    Condition,
    Match,
    Not,
    Present,
    Text,
    Within,
    Written,
    fold,
    leaves,
)
from triage.searching.gates import Gate, gate, named

#: Own fields and where their rows have them.
COLUMNS: dict[str, str] = ecs.COLUMNS | {
    "timestamp": "timestamp", "received": "received_at", "score": "score", "p": "p_value", "id": "id",
    "flagged": "flagged", "parser": "parser", "entity": "entity",
}  # fmt: skip
_TEXT_COLUMNS = frozenset({*ecs.COLUMNS, "parser", "entity"})


#: The least step of a time. What reaches up to a time and includes it is asked as "below the next one": SQLite compares
#: times as text, and one that ends in a whole second may be written with and without its zeros.
MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a condition is answered.

    ``gate``: which chunks may hold such an event (None: any may). ``where``: what rows are asked (None: nothing).
    ``documents``: what is asked of documents alone; of each group of ``needles`` one is in the small-letter form of
    every line that meets it, every one of ``exact_needles`` in the line as it is. ``rest``: what needs row and
    document. Without ``documents`` and ``rest`` the rows alone answer. ``sources`` are names by number.
    """

    condition: Condition
    gate: Gate | None
    where: Q | None
    documents: Condition | None
    rest: Condition | None
    needles: tuple[tuple[bytes, ...], ...]
    exact_needles: tuple[bytes, ...]
    sources: Mapping[int, str]

    @property
    def in_rows(self) -> bool:
        """Whether rows answer all of it."""
        return self.documents is None and self.rest is None

    @property
    def wants_flagged(self) -> bool:
        """Whether only flagged events can meet it."""
        return Match("flagged", "true") in _parts(self.condition)


class Folded(Func):
    """A text with its letters A to Z small, the same on both databases."""

    template = "LOWER(%(expressions)s)"
    output_field = TextField()

    def as_postgresql(self, compiler, connection, **context):  # type: ignore[no-untyped-def]  # Django's own signature
        """Fold by bytes: the database's language must not decide what is equal."""
        return self.as_sql(compiler, connection, template='LOWER(%(expressions)s COLLATE "C")', **context)


def plan(condition: Condition, sources: Mapping[int, str], rows: Q | None = None) -> Plan:
    """Return how a condition is answered; ``rows`` is asked of the event table besides."""
    wheres: list[Q] = [rows] if rows else []
    documents: list[Condition] = []
    rest: list[Condition] = []
    for part in _parts(condition):
        where = _where(part, sources)
        if where is not None:
            wheres.append(where)
        elif _needs_row(part):
            rest.append(part)
        else:
            documents.append(part)
    return Plan(
        condition=condition,
        gate=gate(condition, sources),
        where=_joined(wheres),
        documents=All(tuple(documents)) if documents else None,
        rest=All(tuple(rest)) if rest else None,
        needles=tuple(filter(None, map(_needles, documents))),
        exact_needles=tuple(part.needle for part in documents if isinstance(part, Written)),
        sources=sources,
    )


def _parts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, All) else (condition,)


def _joined(wheres: list[Q]) -> Q | None:
    whole: Q | None = None
    for where in wheres:
        whole = where if whole is None else whole & where
    return whole


def _needs_row(condition: Condition) -> bool:
    """Whether a condition asks for anything that a document does not hold."""
    fields = {leaf.field for leaf in leaves(condition) if isinstance(leaf, Match | Present | Within)}
    return bool(fields & (OWN_FIELDS | ecs.COLUMNS.keys()))


def _needles(condition: Condition) -> tuple[bytes, ...]:
    """Return what one of is in the small-letter bytes of every document that meets a condition; none: nothing is."""
    if isinstance(condition, Text):
        return (_written(condition.text),)
    if isinstance(condition, Present):
        return (_name(condition.field),)
    if not isinstance(condition, Match):
        return ()
    name, value = _name(condition.field), _written(condition.text)
    if condition.open_start:
        return (name,)
    ends = (b"",) if condition.open_end else (b",", b"}")
    quoted = name + b'"' + value + (b"" if condition.open_end else b'"')
    return (quoted, name + b"[", *(name + value + end for end in ends))


def _written(text: str) -> bytes:
    return orjson.dumps(fold(text))[1:-1].lower()


def _name(field: str) -> bytes:
    return b'"' + _written(field) + b'":'


# What rows are asked ---------------------------------------------------------------------------------------------


def _where(condition: Condition, sources: Mapping[int, str]) -> Q | None:
    """Return the same question to the columns; None when they cannot answer it exactly."""
    if isinstance(condition, Not):
        inner = _where(condition.part, sources)
        return None if inner is None else ~inner
    if isinstance(condition, All | Any):
        found = [_where(part, sources) for part in condition.parts]
        if not found:
            return Q()
        if any(one is None for one in found):
            return None
        whole = Q()
        for one in found:
            assert one is not None
            whole = whole & one if isinstance(condition, All) else whole | one
        return whole
    return _where_leaf(condition, sources)


def _where_leaf(leaf: Match | Present | Within | Text | Written, sources: Mapping[int, str]) -> Q | None:
    if isinstance(leaf, Text | Written) or (leaf.field not in COLUMNS and leaf.field != "source"):
        return None
    if isinstance(leaf, Within):
        return _where_within(leaf)
    if isinstance(leaf, Present):
        return _where_present(leaf.field)
    if leaf.field == "source":
        return Q(source_id__in=named(leaf, sources))
    if leaf.field == "flagged":
        return Q(flagged=leaf.text == "true") if leaf.text in ("true", "false") else Q(pk__in=[])
    return _where_text(leaf) if leaf.field in _TEXT_COLUMNS else None


def _where_within(leaf: Within) -> Q | None:
    if leaf.field not in TIME_FIELDS | NUMBER_FIELDS:
        return None
    leaf = _in_steps(leaf) if leaf.field in TIME_FIELDS else leaf
    column, bounds = COLUMNS[leaf.field], Q()
    if leaf.low is not None:
        bounds &= Q(**{f"{column}__gte" if leaf.low_included else f"{column}__gt": leaf.low})
    if leaf.high is not None:
        bounds &= Q(**{f"{column}__lte" if leaf.high_included else f"{column}__lt": leaf.high})
    return bounds


def _in_steps(leaf: Within) -> Within:
    """Return a span of time that holds its first moment and not its last, the form both databases agree on."""
    low, high = leaf.low, leaf.high
    if isinstance(low, dt.datetime) and not leaf.low_included:
        low += MICROSECOND
    if isinstance(high, dt.datetime) and leaf.high_included:
        high += MICROSECOND
    return Within(leaf.field, low, high, True, False)


def _where_present(field: str) -> Q:
    if field in ("score", "p"):
        return Q(**{f"{COLUMNS[field]}__isnull": False})
    return ~Q(**{COLUMNS[field]: ""}) if field in _TEXT_COLUMNS else Q(pk__isnull=False)


def _where_text(leaf: Match) -> Q:
    lookup: type[Lookup] = Exact
    if leaf.open_start:
        lookup = Contains if leaf.open_end else EndsWith
    elif leaf.open_end:
        lookup = StartsWith
    column = Folded(F(COLUMNS[leaf.field]))
    return Q(lookup(column, Value(fold(leaf.text), output_field=TextField())))
