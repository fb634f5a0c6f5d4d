"""The baseline of one kind of events: its fields, pairs of fields, and which fields come together.

Handed: events of one kind, as cells. Hands on: the evidence columns of an event (see :data:`COLUMNS`).
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from triage import ecs
from triage.features.columns import raw_table
from triage.features.field import ENTRY_BYTES, MAX_EVIDENCE, NOTHING, TYPES, FieldModel, weighed
from triage.features.mass import SEPARATOR, MassTable
from triage.features.memory import Memory
from triage.features.pairs import PAIR_SEPARATOR, PairTables
from triage.features.pattern import Combinations, form_of
from triage.features.tokens import pair_token

Cells = Sequence[tuple[str, Any]]
PairPlan = tuple[int, int, Callable[[str, float], float], float, float]

#: One evidence column per entry, all "higher = more unusual", in nats.
COLUMNS: tuple[str, ...] = (
    *(f"{name}_{how}" for name in TYPES for how in ("most", "top3")),
    "pair_most",
    "pair_top5",
    "fields_together",
    "new_field",
    "new_kind",
    "total",
    "pattern",
    "spelling",
)
#: Fields whose pairs mean something on any network come first; others follow by how varied they are.
PAIR_FIELDS = (
    "user.name", "host.name", "source.ip", "process.name", "process.parent.name", "event.action", "destination.ip",
    "http.request.method", "url.path", "destination.port", "event.outcome", "process.executable", "user.domain",
)  # fmt: skip
MAX_PAIR_FIELDS = 9
MAX_FIELDS = 300
PAIR_CAP = 6_000
#: What is remembered of combinations of pair tokens, and of sets of field names, over all kinds of a process.
PAIR_BYTES, NAME_BYTES = 12 << 20, 8 << 20
SETS_CAP = 500


_pairs: Memory[tuple["KindModel", tuple[str | None, ...]], tuple[float, float, float]] = Memory(PAIR_BYTES)
_names: Memory[tuple[str, ...], str] = Memory(NAME_BYTES)


class KindModel:
    """What is usual within one kind of events."""

    __slots__ = (
        "_pair_plan",
        "_pair_tables",
        "combinations",
        "fields",
        "new_field",
        "pair_names",
        "pair_scale",
        "pairs",
        "sets",
        "sets_scale",
        "total",
    )

    def __init__(
        self,
        total: int,
        fields: Mapping[str, FieldModel],
        pairs: Mapping[tuple[str, str], MassTable],
        sets: MassTable,
        combinations: Combinations,
        scales: Mapping[str, Any],
    ) -> None:
        self.total = total
        self.combinations = combinations
        self.fields = dict(fields)
        self.pairs = dict(pairs)
        self.pair_names = tuple(dict.fromkeys(name for pair in self.pairs for name in pair))
        self.sets = sets
        self._pair_plan: list[PairPlan] = []
        self._pair_tables: PairTables | None = None
        self.new_field = float(scales["new_field"])
        self.sets_scale = float(scales["sets"])
        self.pair_scale: dict[tuple[str, str], float] = dict(zip(self.pairs, scales["pairs"], strict=True))
        self._plan_pairs()

    @classmethod
    def learn(cls, events: Sequence[Cells], values: Mapping[str, Counter[Any]]) -> "KindModel":
        """Learn from the cells of events; ``values`` counts each field's values (with their type)."""
        names = sorted(values, key=lambda name: (-values[name].total(), name))[:MAX_FIELDS]
        fields = {name: FieldModel.learn(values[name]) for name in names}
        sets = MassTable.learn(Counter(fields_together(cells) for cells in events), cap=SETS_CAP)
        pairs = learn_pairs(events, choose_pairs(fields, len(events)))
        scales = {"new_field": math.log(len(events) + 1), "sets": 1.0, "pairs": [1.0] * len(pairs)}
        return cls(len(events), fields, pairs, sets, Combinations.learn(events), scales)

    def pair_evidence(self, cells: Cells) -> list[tuple[float, tuple[str, str], tuple[str, str]]]:
        """Return ``(evidence, fields, tokens)`` of each pair an event has."""
        if not self.pairs:
            return []
        found = dict(cells)
        tokens = {name: pair_token(found[name]) for name in self.pair_names if name in found}
        return [
            (
                min(MAX_EVIDENCE, table.of(f"{tokens[a]}{PAIR_SEPARATOR}{tokens[b]}") * self.pair_scale[a, b]),
                (a, b),
                (tokens[a], tokens[b]),
            )
            for (a, b), table in self.pairs.items()
            if a in tokens and b in tokens
        ]

    def _pair_columns(self, cells: Cells) -> tuple[float, float, float]:
        """Return the largest pair evidence, the sum of the five largest, and the sum of all."""
        if not self.pairs:
            return 0.0, 0.0, 0.0
        found = dict(cells)
        key = tuple([pair_token(found[name]) if name in found else None for name in self.pair_names])
        known = _pairs.get((self, key))
        if known is None:
            known = self._weigh_pairs(key)
            _pairs.keep((self, key), known, sum(map(sys.getsizeof, key), ENTRY_BYTES))
        return known

    def _weigh_pairs(self, tokens: tuple[str | None, ...]) -> tuple[float, float, float]:
        found = []
        for first, second, evidence, unseen, scale in self._pair_plan:
            a, b = tokens[first], tokens[second]
            if a is not None and b is not None:
                found.append(evidence(f"{a}{PAIR_SEPARATOR}{b}", unseen) * scale)
        if not found:
            return 0.0, 0.0, 0.0
        found = [min(MAX_EVIDENCE, one) for one in found]
        found.sort(reverse=True)
        return found[0], math.fsum(found[:5]), math.fsum(found)

    def rescale_pairs(self, scale: Mapping[tuple[str, str], float]) -> None:
        """Set the damping of each pair."""
        self.pair_scale = dict(scale)
        self._plan_pairs()

    def _plan_pairs(self) -> None:
        """Put ready what every event needs of every pair: places of its fields, look-up, evidence if unseen, scale."""
        place = {name: number for number, name in enumerate(self.pair_names)}
        self._pair_plan = [
            (place[a], place[b], table.evidence.get, table.unseen, self.pair_scale[a, b])
            for (a, b), table in self.pairs.items()
        ]
        self._pair_tables = None
        _pairs.forget()

    @property
    def pair_tables(self) -> PairTables:
        """The pairs as arrays, for many events at once; made when they are first needed."""
        if self._pair_tables is None:
            self._pair_tables = PairTables(self.pairs, self.pair_scale)
        return self._pair_tables

    def row(self, cells: Cells, new_kind: float) -> list[float]:
        """Return the evidence columns of one event; ``new_kind`` is the evidence of its kind being new."""
        known = self.fields
        each: list[tuple[float, ...]] = []
        largest: list[float] = []
        new_fields = 0
        forms: list[tuple[str, str]] = []
        for name, value in cells:
            model = known.get(name)
            if model is None:
                new_fields += 1
                continue
            evidence, most = weighed(model, value)
            forms.append((name, form_of(value)))
            if most > 0.0:
                each.append(evidence)
                largest.append(most)
        row: list[float] = []
        for column in zip(*(each or [NOTHING]), strict=True):
            worst = sorted(column, reverse=True)
            row.append(worst[0])
            row.append(math.fsum(worst[:3]))
        pair_most, top5, all_pairs = self._pair_columns(cells)
        together = self.sets.of(fields_together(cells)) * self.sets_scale
        row += [pair_most, top5]
        row += [together, self.new_field * min(new_fields, 3), new_kind]
        row.append(math.fsum(largest) + 0.2 * all_pairs + together)
        row += self.combinations.shares(forms, new_fields)
        return row

    def damp(self, events: Sequence[Cells]) -> None:
        """Scale down whatever cries wolf on held-back events: its 1 % tail may not exceed what 1 % means."""
        seen: dict[str, list[Any]] = {}
        new_fields = 0
        pairs: dict[tuple[str, str], list[float]] = {}
        sets: list[float] = []
        for cells in events:
            new_fields += any(name not in self.fields for name, _ in cells)
            sets.append(self.sets.of(fields_together(cells)))
            for name, value in cells:
                if name in self.fields:
                    seen.setdefault(name, []).append(value)
            for evidence, names, _ in self.pair_evidence(cells):
                pairs.setdefault(names, []).append(evidence)
        for name, values in seen.items():
            columns = raw_table(self.fields[name], values)
            self.fields[name].rescale(np.array([damping(columns[:, i]) for i in range(len(TYPES))]))
        self.rescale_pairs({names: damping(np.array(pairs.get(names, []))) for names in self.pairs})
        self.sets_scale = damping(np.array(sets))
        self.new_field = min(self.new_field, -math.log((new_fields + 0.5) / (len(events) + 1)))

    def damp_like(self, other: "KindModel") -> None:
        """Scale down what another model of this kind scales down; what it did not know stays as it is."""
        for name, model in self.fields.items():
            if name in other.fields:
                model.rescale(other.fields[name].scale)
        self.rescale_pairs({names: other.pair_scale.get(names, 1.0) for names in self.pairs})
        self.sets_scale = other.sets_scale
        self.new_field = min(self.new_field, other.new_field)


def damping(evidence: np.ndarray) -> float:
    """Return the factor that brings the 99th percentile of held-back evidence down to ln 100 (at most 1)."""
    if len(evidence) < 50:
        return 1.0
    high = float(np.sort(evidence)[int(0.99 * (len(evidence) - 1))])
    return min(1.0, math.log(100.0) / high) if high > 0 else 1.0


def fields_together(cells: Cells) -> str:
    """Return the set of field names of an event as one token."""
    return join_names(tuple([name for name, _ in cells]))


def join_names(names: tuple[str, ...]) -> str:
    """Return distinct names in order as one token."""
    known = _names.get(names)
    if known is None:
        known = ",".join(sorted(set(names)))[:1_000].replace(SEPARATOR, " ")
        _names.keep(names, known, sum(map(sys.getsizeof, names), ENTRY_BYTES + sys.getsizeof(known)))
    return known


def choose_pairs(fields: Mapping[str, FieldModel], total: int) -> list[tuple[str, str]]:
    """Choose the pairs worth counting: repeating fields present in many events, known entities first."""
    useful: dict[str, float] = {}
    for name, model in fields.items():
        if name in ecs.INSTANCE_FIELDS:
            continue
        table = model.tables["value"]
        repeats = 1 - table.dropped / max(1, table.total)
        if len(table.counts) >= 2 and repeats > 0.8 and table.total > 0.05 * total:
            share = np.array(sorted(table.counts.values()), dtype=float) / table.total
            useful[name] = float(-(share * np.log(share)).sum())
    ranked = sorted(useful, key=lambda name: (name not in PAIR_FIELDS, -min(useful[name], 4.0), name))
    return list(combinations(ranked[:MAX_PAIR_FIELDS], 2))


def learn_pairs(events: Sequence[Cells], chosen: Sequence[tuple[str, str]]) -> dict[tuple[str, str], MassTable]:
    """Count the chosen pairs."""
    counts: dict[tuple[str, str], Counter[str]] = {pair: Counter() for pair in chosen}
    names = sorted({name for pair in chosen for name in pair})
    for cells in events:
        found = dict(cells)
        tokens = {name: pair_token(found[name]) for name in names if name in found}
        for pair in chosen:
            if pair[0] in tokens and pair[1] in tokens:
                counts[pair][f"{tokens[pair[0]]}{PAIR_SEPARATOR}{tokens[pair[1]]}"] += 1
    return {pair: MassTable.learn(counts[pair], cap=PAIR_CAP) for pair in chosen}
