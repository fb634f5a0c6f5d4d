"""The baseline of one field within one kind of events.

Handed: the field's values with their counts. Hands on: for any value, its evidence of each type (rare value,
strange outline, strange word, strange character, extreme size, strange order of words), in nats, zero or
more, and how it compares with what was learned.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from triage.features.mass import MassTable
from triage.features.tokens import as_number, bucket, characters, mask, shape, words

#: The types of evidence a single value can give, in the order of the evidence tuples.
TYPES = ("value", "shape", "word", "character", "size", "order")
NOTHING = (0.0,) * len(TYPES)
TABLES = ("value", "shape", "word", "character", "order")
CAPS = {"value": 4_000, "shape": 500, "word": 4_000, "character": 200, "order": 6_000}
#: Values kept ready per field; the cache changes the speed, never the result.
CACHE_SIZE = 20_000
MAX_EVIDENCE = 25.0
GRID = np.array([0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0])


def size_of(value: Any) -> float:
    """Return the number a value is, or the length of its text, on a log scale."""
    number = as_number(value)
    size = len(str(value)) if number is None else number
    return math.copysign(math.log1p(abs(size)), size)


class FieldModel:
    """What is usual for one field. ``scale`` damps a type of evidence that cries wolf on held-back events."""

    __slots__ = ("_cache", "_marks", "grid", "scale", "tables", "total")

    def __init__(self, tables: Mapping[str, MassTable], grid: np.ndarray, scale: np.ndarray) -> None:
        self.tables = dict(tables)
        self.grid = grid
        self.scale = scale
        self.total = self.tables["value"].total
        low, first, p10, *_, p90, p99, _, high = grid.tolist()
        self._marks = (low, first, p99, high, max(p90 - p10, 0.25))
        self._cache: dict[Any, tuple[float, ...]] = {}

    @classmethod
    def learn(cls, values: Mapping[Any, int]) -> "FieldModel":
        """Learn from values with their counts."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in TABLES}
        sizes: list[float] = []
        weights: list[int] = []
        for (_, value), n in values.items():
            sizes.append(size_of(value))
            weights.append(n)
            for name, tokens in analyse(value).items():
                for token in tokens:
                    counts[name][token] += n
        order = np.argsort(np.array(sizes), kind="stable")
        share = np.cumsum(np.array(weights, dtype=float)[order])
        places = np.searchsorted(share, GRID * share[-1], side="left").clip(max=len(order) - 1)
        tables = {name: MassTable.learn(counts[name], cap=CAPS[name]) for name in TABLES}
        return cls(tables, np.array(sizes)[order][places], np.ones(len(TYPES)))

    def rescale(self, scale: np.ndarray) -> None:
        """Set the damping of each type of evidence, shape ``(len(TYPES),)``."""
        self.scale = scale
        self._cache.clear()

    def evidence(self, value: Any) -> tuple[float, ...]:
        """Return the scaled evidence of a value, one number per type."""
        key = (type(value), value)
        known = self._cache.get(key)
        if known is None:
            known = tuple(
                min(MAX_EVIDENCE, raw * scale) for raw, scale in zip(self.raw(value), self.scale.tolist(), strict=True)
            )
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[key] = known
        return known

    def raw(self, value: Any) -> tuple[float, ...]:
        """Return the evidence of a value before scaling."""
        found = analyse(value)
        tables = self.tables
        rare = tables["value"].of(found["value"][0])
        if not found["shape"]:
            return rare, 0.0, 0.0, 0.0, self.size_evidence(size_of(value)), 0.0
        table = tables["word"]
        known, unseen = table.evidence.get, table.unseen
        worst = sorted((known(token, unseen) for token in found["word"]), reverse=True)[:3]
        table = tables["character"]
        known, unseen = table.evidence.get, table.unseen
        strange = [known(token, unseen) for token in found["character"]]
        table = tables["order"]
        known, unseen = table.evidence.get, table.unseen
        order = [known(token, unseen) for token in found["order"]]
        return (
            rare,
            tables["shape"].of(found["shape"][0]),
            math.fsum(worst),
            max(strange, default=0.0),
            self.size_evidence(size_of(value)),
            math.fsum(order) / len(order) * min(1.0, len(order) / 4) if order else 0.0,
        )

    def size_evidence(self, size: float) -> float:
        """Return how far a size lies in or beyond the upper or lower tail of the learned sizes."""
        low, first, p99, high, spread = self._marks
        if first <= size <= p99:
            return 0.0
        if size > high:
            return float(5.0 + 2.0 * (size - high) / spread)
        if size < low:
            return float(4.0 + 2.0 * (low - size) / spread)
        return 3.0 if size > p99 else 2.0


def analyse(value: Any) -> dict[str, list[str]]:
    """Return the tokens of a value for each table; numbers have only a value token."""
    number = as_number(value)
    if number is not None:
        return {"value": [bucket(number)], "shape": [], "word": [], "character": [], "order": []}
    text = str(value)
    masked = mask(text)
    parts = words(masked)
    distinct = list(dict.fromkeys(parts))
    order = [f"{a} {b} {c}" for a, b, c in zip(["^", *parts], [*parts, "$"], [*parts[1:], "$", "$"], strict=False)]
    return {
        "value": [masked[:200]],
        "shape": [shape(text)],
        "word": distinct,
        "character": list(characters(masked)),
        "order": order,
    }
