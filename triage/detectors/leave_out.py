"""An event without some of its fields: what is left of its evidence, bit for bit what scoring that event would give.

Handed: the baseline and an event. Hands on: the event with ECS fields taken out, or only its evidence columns. The
event's cells are weighed once; taking a field out then means adding up the others, which is what makes it cheap
enough to do for every flagged event and many fields. Where taking a field out changes what another field
says (its kind, a URL read twice, a message that repeats a field), the changed event is weighed from the start.
"""

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent
from triage.features.baseline import Baseline
from triage.features.field import TYPES, weighed
from triage.features.kind import join_names
from triage.features.pattern import WIDTH, form_of, unaccounted
from triage.features.tokens import LONGEST_REMEMBERED, cells

#: The fields an event's kind is made of.
KIND_FIELDS = frozenset({"event.dataset", "event.module", "event.provider", "event.code"})
MESSAGE = "message"
TOP, TOP_PAIRS, MAX_NEW_FIELDS = 3, 5, 3
_EVIDENCE = itemgetter(0)


def without_fields(event: ParsedEvent, names: Iterable[str]) -> ParsedEvent:
    """Return the event without the named fields; ``message`` is also the text beside the fields.

    >>> without_fields(ParsedEvent(0.0, "event", "json", "hi", {"a": 1, "b": 2}), ["a", "message"])
    ParsedEvent(timestamp=0.0, timestamp_origin='event', parser='json', message='', fields={'b': 2}, fallback_reason='')
    """
    gone = frozenset(names)
    fields = {name: value for name, value in event.fields.items() if name not in gone}
    return replace(event, fields=fields, message="" if MESSAGE in gone else event.message)


class LeaveOut:
    """One event, weighed once. A field's cells (parts of a list, parameters of a query) come and go with it.

    ``own`` has per field its known cells, as ``(name, value, evidence)``; ``new`` how many cells were never seen;
    ``pairs`` the evidence of each pair of fields, as ``(evidence, names, tokens)``.
    """

    __slots__ = (
        "_baseline", "_largest", "_names", "_new_kind", "_odd", "_pairs", "_parts", "_ranked", "event", "kind_is_new",
        "model", "new", "own", "pairs",
    )  # fmt: skip

    def __init__(self, baseline: Baseline, event: ParsedEvent) -> None:
        self.event, self._baseline = event, baseline
        self.model, self.kind_is_new = baseline.model_of(event)
        self._new_kind = baseline.new_kind if self.kind_is_new else 0.0
        self._odd = any("[" in name for name in event.fields)
        self.own: dict[str, list[tuple[str, Any, tuple[float, ...]]]] = {}
        self.new: dict[str, int] = {}
        self._parts: dict[str, np.ndarray] = {}
        self._names: list[tuple[str, str]] = []
        self._largest: list[tuple[float, str]] = []
        found = cells(event)
        each: list[tuple[tuple[float, ...], str]] = []
        for name, value in found:
            self._weigh(name, value, each)
        self._ranked = _rank(each)
        self.pairs = self.model.pair_evidence(found)
        field_of = dict(self._names)
        self._pairs = sorted(
            [(one, field_of[a], field_of[b]) for one, (a, b), _ in self.pairs], key=_EVIDENCE, reverse=True
        )

    def _weigh(self, name: str, value: Any, each: list[tuple[tuple[float, ...], str]]) -> None:
        field = self.field_of(name)
        self._names.append((name, field))
        known = self.model.fields.get(name)
        if known is None:
            self.new[field] = self.new.get(field, 0) + 1
            return
        evidence, most = weighed(known, value)
        self.own.setdefault(field, []).append((name, value, evidence))
        part = self.model.combinations.part(name, _form(value))
        self._parts[field] = self._parts[field] + part if field in self._parts else part
        if most > 0.0:
            each.append((evidence, field))
            self._largest.append((most, field))

    @property
    def names(self) -> list[str]:
        """The names of all cells."""
        return [name for name, _ in self._names]

    @property
    def new_names(self) -> list[str]:
        """The names of cells that were never seen."""
        return [name for name, _ in self._names if name not in self.model.fields]

    def field_of(self, name: str) -> str:
        """Return the field a cell is read from: itself, or what a parameter is a part of."""
        return name if name in self.event.fields or not name.endswith("]") else name.partition("[")[0]

    def pattern_shares(self, removed: Sequence[Set[str]]) -> np.ndarray:
        """Return what no usual combination accounts for, without each of some sets of fields, shape ``(n, 2)``."""
        sums = np.empty((len(removed), WIDTH))
        sums[:] = np.array(list(self._parts.values())).sum(axis=0) if self._parts else 0.0
        for place, gone in enumerate(removed):
            for field in gone:
                if field in self._parts:
                    sums[place] -= self._parts[field]
        if self.new:
            counts = np.array([self._count_new(gone) for gone in removed])
            self.model.combinations.add_new_fields(sums.T, counts)
        return unaccounted(sums.T).T

    def rows_without(self, removed: Sequence[Set[str]]) -> np.ndarray:
        """Return the evidence columns of the event without each of some sets of fields, shape ``(n, n_columns)``."""
        rows = np.array([self._sums(gone) for gone in removed])
        rows = np.column_stack([rows, self.pattern_shares(removed)])
        for place, gone in enumerate(removed):
            if self._is_entangled(gone):
                rows[place] = self._baseline.rows([without_fields(self.event, gone)])[0]
        return rows

    def _is_entangled(self, gone: Set[str]) -> bool:
        """Return whether taking these fields out changes what the others say."""
        fields = self.event.fields
        if self._odd or not KIND_FIELDS.isdisjoint(gone) or gone >= fields.keys():
            return True
        if "url.query" in gone and "url.original" in fields and "url.original" not in gone:
            return True
        return bool(self.event.message) and any(fields.get(name) == self.event.message for name in gone)

    def _count_new(self, gone: Set[str]) -> int:
        return sum(count for field, count in self.new.items() if field not in gone)

    def _sums(self, gone: Set[str]) -> list[float]:
        """Return all columns but the patterns', as :meth:`triage.features.kind.KindModel.row` computes them."""
        row: list[float] = []
        for ranked in self._ranked:
            worst = _first(ranked, gone)
            row += [worst[0], math.fsum(worst)] if worst else [0.0, 0.0]
        pairs = [one for one, a, b in self._pairs if a not in gone and b not in gone]
        row += [pairs[0], math.fsum(pairs[:TOP_PAIRS])] if pairs else [0.0, 0.0]
        names = tuple([name for name, field in self._names if field not in gone])
        together = self.model.sets.of(join_names(names)) * self.model.sets_scale
        row += [together, self.model.new_field * min(self._count_new(gone), MAX_NEW_FIELDS), self._new_kind]
        largest = math.fsum([one for one, field in self._largest if field not in gone])
        row.append(largest + 0.2 * math.fsum(pairs) + together)
        return row


def _form(value: Any) -> str:
    """Return :func:`triage.features.pattern.form_of` of a value; flagged events repeat theirs."""
    return _text_form(value) if type(value) is str and len(value) <= LONGEST_REMEMBERED else form_of(value)


@lru_cache(maxsize=4_096)
def _text_form(text: str) -> str:
    return form_of(text)


def _rank(each: Sequence[tuple[tuple[float, ...], str]]) -> list[list[tuple[float, str]]]:
    """Return per type of evidence what each cell gives and its field, largest first; nothing where all give none."""
    if not each:
        return [[] for _ in TYPES]
    fields = [field for _, field in each]
    columns = zip(*[evidence for evidence, _ in each], strict=True)
    return [
        sorted([one for one in zip(column, fields, strict=True) if one[0] > 0.0], key=_EVIDENCE, reverse=True)
        for column in columns
    ]


def _first(ranked: Sequence[tuple[float, str]], gone: Set[str]) -> list[float]:
    """Return the largest evidence that is left."""
    left = []
    for one, field in ranked:
        if field not in gone:
            left.append(one)
            if len(left) == TOP:
                break
    return left
