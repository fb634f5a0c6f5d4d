"""What evidence lines and reasons point at: the exact field of the exact event.

Handed: the evidence lines of an explanation, as they were stored, and the reasons of the alert's strongest event. Hands
on: the lines with their fields and the claims that cite them, and per event the marks for its field tree. Lines are
JSON that other rooms wrote, so their shape is checked here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.selectors.fields import Marks, anchor
from triage.contracts import EvidenceLine
from triage.explainers import lines

#: A difference of another event: its field is told inside a sentence.
_INSIDE = re.compile(r"Another event of this alert, at \S{1,40}, has (.*)", re.DOTALL)
#: What each origin is called.
ORIGINS = {lines.EVENT: "field", lines.SCORE: "reason", lines.CONTEXT: "context", lines.RECEIPT: "search"}


@dataclass(frozen=True, slots=True)
class FieldRef:
    """One field of one stored event; ``anchor`` is the id of its line in the page."""

    event_id: int
    name: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Line:
    """One numbered line of evidence, the fields it was read from, and the claims that cite it (``1``, ``2``, ...)."""

    number: int
    origin: str
    text: str
    refs: tuple[FieldRef, ...]
    claims: tuple[int, ...]

    @property
    def kind(self) -> str:
        """The origin in a word."""
        return ORIGINS.get(self.origin, self.origin)


def cited_lines(
    rows: Iterable[Mapping[str, Any]],
    *,
    claims: Iterable[Sequence[int]],
    reasons: Sequence[tuple[str, Sequence[str]]] = (),
    strongest: int | None = None,
) -> list[Line]:
    """Return evidence lines ready to print.

    ``claims``: the lines each claim cites, in the claims' order. ``reasons``: text and fields of each reason of the
    ``strongest`` event, which is what the lines of origin ``score`` are about.
    """
    citing: dict[int, list[int]] = defaultdict(list)
    for position, numbers in enumerate(claims, start=1):
        for number in dict.fromkeys(numbers):
            citing[number].append(position)
    found = []
    for row in rows:
        numbered = row.get("number")
        if isinstance(numbered, int):
            line = EvidenceLine(numbered, str(row.get("origin") or ""), str(row.get("text") or ""), _event_id(row))
            refs = tuple(_refs(line, reasons, strongest))
            found.append(Line(numbered, line.origin, line.text, refs, tuple(citing[numbered])))
    return found


def _event_id(row: Mapping[str, Any]) -> int | None:
    value = row.get("event_id")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _refs(line: EvidenceLine, reasons: Sequence[tuple[str, Sequence[str]]], strongest: int | None) -> list[FieldRef]:
    if line.origin == lines.SCORE and strongest is not None:
        names = next((fields for text, fields in reasons if text and line.text.startswith(text)), ())
        return [FieldRef(strongest, name, anchor(strongest, name)) for name in dict.fromkeys(names)]
    if line.event_id is None:
        return []
    inside = _INSIDE.fullmatch(line.text)
    told = EvidenceLine(line.number, lines.EVENT, inside[1]) if inside else line
    pair = lines.read_field(told)
    return [FieldRef(line.event_id, pair[0], anchor(line.event_id, pair[0]))] if pair else []


def marks_of(event_id: int, evidence: Iterable[Line], reasons: Sequence[tuple[str, Sequence[str]]] = ()) -> Marks:
    """Return what points at the fields of one event: lines that a claim cites, and ``reasons``, its own."""
    cited: dict[str, list[int]] = defaultdict(list)
    for line in evidence:
        for ref in line.refs if line.claims and line.origin != lines.SCORE else ():
            if ref.event_id == event_id:
                cited[ref.name].append(line.number)
    named: dict[str, list[int]] = defaultdict(list)
    for position, (_, fields) in enumerate(reasons, start=1):
        for name in dict.fromkeys(fields):
            named[name].append(position)
    return Marks(dict(named), dict(cited))
