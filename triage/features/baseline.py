"""The learned baseline: one model per kind of events, and one over everything for kinds never seen.

Handed: events in time order. Hands on: a matrix of evidence columns, shape ``(n_events, n_columns)``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from triage.contracts import ParsedEvent
from triage.features.batch import kind_rows
from triage.features.counting import TABLES
from triage.features.field import FieldModel
from triage.features.kind import COLUMNS, Cells, KindModel
from triage.features.mass import MassTable, pack, unpack
from triage.features.pattern import Combinations
from triage.features.tokens import cells, kind_of

#: Changes whenever the same events would give other columns.
FEATURE_SET = "evidence-3"
MIN_KIND_EVENTS = 40
MAX_KINDS = 400
EVERYTHING = ""
#: The model over everything only serves kinds never seen, so a sample is enough.
EVERYTHING_SAMPLE = 40_000
#: Events worked on at once, and how many with the same fields are many enough for columns to pay.
BLOCK, MANY = 8_192, 48


class Baseline:
    """What is usual, learned once and frozen."""

    def __init__(self, kinds: Mapping[str, KindModel], total: int, new_kind: float) -> None:
        self.kinds = dict(kinds)
        self.total = total
        #: Evidence of a kind never seen, in nats: how seldom one came on held-back events.
        self.new_kind = new_kind

    @classmethod
    def learn(cls, events: Sequence[ParsedEvent], later: Sequence[ParsedEvent]) -> "Baseline":
        """Learn from ``events``; damp what cries wolf on the ``later`` ones."""
        kinds = learn_kinds(events)
        step = -(-len(events) // EVERYTHING_SAMPLE)
        held_back = group(later)
        for kind, model in kinds.items():
            model.damp(held_back.get(kind, []) if kind else CellsOf(later[::step]))
        unseen = sum(len(found) for kind, found in held_back.items() if kind not in kinds)
        return cls(kinds, len(events), -math.log((unseen + 0.5) / (len(later) + 1)))

    def relearn(self, events: Sequence[ParsedEvent]) -> "Baseline":
        """Learn from ``events`` and damp them as this baseline is damped, which is measured where they end."""
        kinds = learn_kinds(events)
        for kind, model in kinds.items():
            if kind in self.kinds:
                model.damp_like(self.kinds[kind])
        return Baseline(kinds, len(events), self.new_kind)

    def model_of(self, event: ParsedEvent) -> tuple[KindModel, bool]:
        """Return the model an event is compared with, and whether its kind is new."""
        model = self.kinds.get(kind_of(event))
        return (self.kinds[EVERYTHING], True) if model is None else (model, False)

    def rows(self, events: Sequence[ParsedEvent]) -> np.ndarray:
        """Return the evidence columns, shape ``(n_events, len(COLUMNS))``."""
        parts = [self._block(events[i : i + BLOCK]) for i in range(0, len(events), BLOCK)]
        return np.concatenate(parts) if parts else np.empty((0, len(COLUMNS)))

    def _block(self, events: Sequence[ParsedEvent]) -> np.ndarray:
        """Return the evidence columns of a few events one by one, of many kind by kind."""
        found = np.empty((len(events), len(COLUMNS)))
        layouts: dict[tuple[str, ...], list[int]] = {}
        for place, event in enumerate(events):
            layouts.setdefault((kind_of(event), *event.fields), []).append(place)
        by_model: dict[str, list[tuple[tuple[str, ...], list[int]]]] = {}
        for (kind, *names), places in layouts.items():
            by_model.setdefault(kind if kind in self.kinds else EVERYTHING, []).append((tuple(names), places))
        for kind, parts in by_model.items():
            self._fill(found, events, kind, parts)
        return found

    def _fill(
        self,
        found: np.ndarray,
        events: Sequence[ParsedEvent],
        kind: str,
        layouts: list[tuple[tuple[str, ...], list[int]]],
    ) -> None:
        """Fill in the rows of events that are compared with one model."""
        model, new_kind = self.kinds[kind], self.new_kind if kind == EVERYTHING else 0.0
        many = [layout for layout in layouts if len(layout[1]) >= MANY]
        for _, places in layouts:
            if len(places) < MANY:
                for place in places:
                    found[place] = model.row(cells(events[place]), new_kind)
        if many:
            places = [place for _, part in many for place in part]
            found[places] = kind_rows(
                model, [(names, [events[place] for place in part]) for names, part in many], new_kind
            )

    def state(self) -> dict[str, Any]:
        """Return the baseline as a plain tree of flat arrays."""
        tables: list[MassTable] = []
        kinds: list[dict[str, Any]] = []
        grids: list[np.ndarray] = []
        scales: list[np.ndarray] = []
        for name, model in self.kinds.items():
            for field in model.fields.values():
                tables.extend(field.tables[table] for table in TABLES)
                grids.append(field.grid)
                scales.append(field.scale)
            tables.extend(model.pairs.values())
            tables.append(model.sets)
            kinds.append(describe(name, model))
        return {
            "feature_set": FEATURE_SET, "total": self.total, "new_kind": self.new_kind, "kinds": kinds,
            "tables": pack(tables), "grids": np.array(grids), "scales": np.array(scales),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Baseline":
        """Rebuild a baseline; raise ``ValueError`` for another feature set or a tree that does not fit."""
        if state["feature_set"] != FEATURE_SET:
            raise ValueError(f"feature set {state['feature_set']!r} is not {FEATURE_SET!r}")
        tables = iter(unpack(state["tables"]))
        grids, scales = iter(state["grids"]), iter(state["scales"])
        kinds: dict[str, KindModel] = {}
        for about in state["kinds"]:
            fields = {
                name: FieldModel({table: next(tables) for table in TABLES}, next(grids), next(scales))
                for name in about["fields"]
            }
            pairs = {(a, b): next(tables) for a, b in about["pairs"]}
            combinations = Combinations.from_state(about["combinations"])
            kinds[about["name"]] = KindModel(about["total"], fields, pairs, next(tables), combinations, about["scales"])
        return cls(kinds, int(state["total"]), float(state["new_kind"]))


def describe(name: str, model: KindModel) -> dict[str, Any]:
    """Return the names and numbers of a kind; its tables are stored apart, in the same order."""
    return {
        "name": name,
        "total": model.total,
        "fields": list(model.fields),
        "pairs": [list(pair) for pair in model.pairs],
        "combinations": model.combinations.state(),
        "scales": {
            "new_field": model.new_field,
            "sets": model.sets_scale,
            "pairs": [model.pair_scale[pair] for pair in model.pairs],
        },
    }


class CellsOf(Sequence[Cells]):
    """The cells of events, cut anew whenever they are asked for: together they take more memory than the events."""

    __slots__ = ("_events",)

    def __init__(self, events: Sequence[ParsedEvent]) -> None:
        self._events = events

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Cells]:
        return map(cells, self._events)

    @overload
    def __getitem__(self, place: int) -> Cells: ...
    @overload
    def __getitem__(self, place: slice) -> "CellsOf": ...
    def __getitem__(self, place: int | slice) -> "Cells | CellsOf":
        return CellsOf(self._events[place]) if isinstance(place, slice) else cells(self._events[place])


def group(events: Sequence[ParsedEvent]) -> dict[str, CellsOf]:
    """Return the cells of events by kind."""
    grouped: dict[str, list[ParsedEvent]] = {}
    for event in events:
        grouped.setdefault(kind_of(event), []).append(event)
    return {kind: CellsOf(part) for kind, part in grouped.items()}


def learn_kinds(events: Sequence[ParsedEvent]) -> dict[str, KindModel]:
    """Learn each common kind, and one model over everything."""
    grouped = group(events)
    large = sorted(grouped, key=lambda kind: (-len(grouped[kind]), kind))[:MAX_KINDS]
    kinds = {kind: learn_kind(grouped[kind]) for kind in large if len(grouped[kind]) >= MIN_KIND_EVENTS}
    step = -(-len(events) // EVERYTHING_SAMPLE)
    kinds[EVERYTHING] = learn_kind(CellsOf(events[::step]))
    return kinds


def learn_kind(events: Sequence[Cells]) -> KindModel:
    """Learn one kind."""
    values: dict[str, Counter[Any]] = {}
    for found in events:
        for name, value in found:
            counter = values.get(name)
            if counter is None:
                counter = values[name] = Counter()
            counter[type(value), value] += 1
    return KindModel.learn(events, values)
