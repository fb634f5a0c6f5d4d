"""The evidence columns of many events of one kind at once.

Handed: the kind's model and its events. Hands on: a matrix of evidence columns, bit for bit what
:meth:`triage.features.kind.KindModel.row` gives event by event.
"""

from collections.abc import Sequence

import numpy as np

from triage.contracts import ParsedEvent
from triage.features.columns import Evidence, weigh
from triage.features.cut import Cut
from triage.features.exact import ExactSum, exact_sum
from triage.features.field import TYPES
from triage.features.kind import COLUMNS, KindModel, join_names
from triage.features.pairs import PAIR_SEPARATOR
from triage.features.pattern import WIDTH, unaccounted
from triage.features.tokens import cells

#: How many of the largest pieces of evidence of a type are summed.
TOP = 3
MAX_NEW_FIELDS = 3


class Tally:
    """What has been found so far about ``n`` events."""

    __slots__ = ("largest", "numbers", "odd", "parts", "top")

    def __init__(self, n: int, pair_names: int) -> None:
        self.top = np.zeros((len(TYPES), TOP, n))
        self.largest = ExactSum(n)
        self.numbers = np.zeros((pair_names, n), dtype=np.intp)
        self.odd = np.zeros(n, dtype=bool)
        self.parts = np.zeros((WIDTH, n))

    def add(self, found: Evidence, places: np.ndarray | None) -> None:
        """Add the evidence of one field of each event, or of the events at the given distinct places."""
        for kind, evidence in zip(found.types, found.columns, strict=True):
            top = self.top[kind] if places is None else self.top[kind][:, places]
            rank_in(top, evidence)
            if places is not None:
                self.top[kind][:, places] = top
        if found.types:
            self.largest.add(found.most, places)

    def combine(self, parts: np.ndarray, places: np.ndarray | None) -> None:
        """Add what one field of each event contributes to its combinations, shape ``(WIDTH, n)`` or ``(WIDTH, 1)``."""
        if places is None:
            self.parts += parts
        else:
            self.parts[:, places] += parts

    def number(self, row: int, numbers: np.ndarray, odd: np.ndarray, places: np.ndarray | None) -> None:
        """Note the numbers of the pair tokens of one field, and which of them must be looked at alone."""
        where = slice(None) if places is None else places
        self.numbers[row, where] = numbers
        self.odd[where] |= odd


def rank_in(top: np.ndarray, evidence: np.ndarray) -> None:
    """Put evidence in its place among the largest so far, shape ``(TOP, n)``; the smallest falls out."""
    moving = evidence
    for rank in range(TOP):
        lower = np.minimum(top[rank], moving)
        np.maximum(top[rank], moving, out=top[rank])
        moving = lower


def kind_rows(
    model: KindModel, layouts: Sequence[tuple[Sequence[str], list[ParsedEvent]]], new_kind: float
) -> np.ndarray:
    """Return the evidence columns of events, in the order of the layouts: each is field names and their events."""
    events = [event for _, part in layouts for event in part]
    cut, start = Cut(len(events), model.fields), 0
    for keys, part in layouts:
        cut.add(keys, range(start, start + len(part)), part)
        start += len(part)
    tally = Tally(len(events), len(model.pair_names))
    rounds = cut.extra_rounds()
    for name, places, values in [*cut.whole_columns(), *rounds]:
        _add_field(model, tally, name, places, values)
    rows = _fill(model, tally, cut, new_kind)
    tally.odd[list(cut.odd)] = True
    for place in np.flatnonzero(tally.odd).tolist():
        rows[place] = model.row(cells(events[place]), new_kind)
    return rows


def _add_field(model: KindModel, tally: Tally, name: str, places: np.ndarray | None, values: Sequence[object]) -> None:
    """Weigh one field of many events and add it to the tally."""
    for within, found in weigh(model.fields[name], values):
        at = places if within is None else within if places is None else places[within]
        tally.add(found, at)
        parts = model.combinations.parts(name, found.forms)
        # A field that always says the same is added as it is.
        tally.combine(parts if len(found.forms) == 1 else parts.take(found.form_codes, axis=1), at)
        if name in model.pair_names:
            numbers = model.pair_tables.number(name, found.tokens)
            odd = np.array([PAIR_SEPARATOR in token for token in found.tokens])
            tally.number(model.pair_names.index(name), numbers.take(found.codes), odd.take(found.codes), at)


def _together(model: KindModel, cut: Cut) -> np.ndarray:
    """Return the evidence of the fields that come together in each event."""
    found = np.zeros(cut.n)
    for names, places in cut.together:
        found[places] = model.sets.of(join_names(names)) * model.sets_scale
    return found


def _fill(model: KindModel, tally: Tally, cut: Cut, new_kind: float) -> np.ndarray:
    """Return the rows of a tally, in the order of :data:`triage.features.kind.COLUMNS`."""
    together = _together(model, cut)
    rows = np.zeros((cut.n, len(COLUMNS)))
    for kind in range(len(TYPES)):
        rows[:, 2 * kind] = tally.top[kind, 0]
        if tally.top[kind, 0].any():
            rows[:, 2 * kind + 1] = exact_sum(tally.top[kind])
    largest = tally.largest.rounded()
    tally.odd |= tally.largest.odd
    start = 2 * len(TYPES)
    if model.pairs:
        rows[:, start], rows[:, start + 1], all_pairs = model.pair_tables.columns(tally.numbers)
    else:
        all_pairs = np.zeros(cut.n)
    rows[:, start + 2] = together
    rows[:, start + 3] = model.new_field * np.minimum(cut.new_fields, MAX_NEW_FIELDS)
    rows[:, start + 4] = new_kind
    rows[:, start + 5] = largest + 0.2 * all_pairs + together
    model.combinations.add_new_fields(tally.parts, cut.new_fields)
    rows[:, start + 6 :] = unaccounted(tally.parts).T
    return rows
