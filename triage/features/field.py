"""The baseline of one field within one kind of events.

Handed: the field's values with their counts. Hands on: for any value, its evidence of each type (rare value,
strange outline, strange word, strange character, extreme size, strange order of words), in nats, zero or
more, and how it compares with what was learned.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from triage.features.counting import TABLES, VALUE_TOKEN, count_values
from triage.features.mass import MassTable
from triage.features.memory import Memory
from triage.features.tokens import (
    LONGEST_REMEMBERED,
    as_number,
    bucket,
    characters,
    collapsed,
    mask,
    on_log_scale,
    sequences,
    shape,
    without_repeats,
    words,
)

#: The types of evidence a single value can give, in the order of the evidence tuples.
TYPES = ("value", "shape", "word", "character", "size", "order")
NOTHING = (0.0,) * len(TYPES)
CAPS = {"value": 4_000, "shape": 500, "word": 4_000, "character": 200, "order": 6_000}
#: What is remembered over all fields of a process, in bytes, whatever a sender does. It changes the speed, never
#: the result.
VALUE_BYTES, MASKED_BYTES, FORM_BYTES = 24 << 20, 16 << 20, 24 << 20
#: What a remembered entry takes beside its texts.
ENTRY_BYTES = 600
MAX_EVIDENCE = 25.0
GRID = np.array([0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0])

#: What the evidence of a text rests on: its mask, its collapsed outline, its length.
Form = tuple[str, str, int]
#: Scaled evidence, one number per type, and the largest of it.
Weighed = tuple[tuple[float, ...], float]
_values: Memory[tuple["FieldModel", type, Any], Weighed] = Memory(VALUE_BYTES)
_masked: Memory[tuple["FieldModel", str], tuple[float, float, float, float]] = Memory(MASKED_BYTES)
_forms: Memory[tuple["FieldModel", Form], Weighed] = Memory(FORM_BYTES)


class FieldModel:
    """What is usual for one field. ``scale`` damps a type of evidence that cries wolf on held-back events."""

    __slots__ = ("_marks", "grid", "scale", "tables", "total")

    def __init__(self, tables: Mapping[str, MassTable], grid: np.ndarray, scale: np.ndarray) -> None:
        self.tables = dict(tables)
        self.grid = grid
        self.scale = scale
        self.total = self.tables["value"].total
        low, first, p10, *_, p90, p99, _, high = grid.tolist()
        self._marks = (low, first, p99, high, max(p90 - p10, 0.25))

    @classmethod
    def learn(cls, values: Mapping[Any, int]) -> "FieldModel":
        """Learn from values with their counts."""
        counts, sizes, times = count_values(values)
        order = np.argsort(sizes, kind="stable")
        share = np.cumsum(times[order])
        places = np.searchsorted(share, GRID * share[-1], side="left").clip(max=len(order) - 1)
        tables = {name: MassTable.learn(counts[name], cap=CAPS[name]) for name in TABLES}
        return cls(tables, sizes[order][places], np.ones(len(TYPES)))

    def rescale(self, scale: np.ndarray) -> None:
        """Set the damping of each type of evidence, shape ``(len(TYPES),)``."""
        self.scale = scale
        forget()

    def evidence(self, value: Any) -> tuple[float, ...]:
        """Return the scaled evidence of a value, one number per type."""
        return weighed(self, value)[0]

    def raw(self, value: Any) -> tuple[float, ...]:
        """Return the evidence of a value before scaling."""
        number = as_number(value)
        if number is not None:
            rare = self.tables["value"].of(bucket(number))
            return rare, 0.0, 0.0, 0.0, self.size_evidence(on_log_scale(number)), 0.0
        text = str(value)
        return self.raw_form(mask(text), collapsed(text), len(text))

    def raw_form(self, masked: str, outline: str, length: int) -> tuple[float, ...]:
        """Return the evidence of a text before scaling; of a text, only its form matters."""
        rare, word, character, order = _masked_evidence(self, masked)
        strange = self.tables["shape"].of(without_repeats(outline))
        return rare, strange, word, character, self.size_evidence(on_log_scale(length)), order

    def form(self, form: Form) -> Weighed:
        """Return the scaled evidence of a text's form and the largest of it."""
        known = _forms.get((self, form))
        if known is None:
            evidence = self.scaled(self.raw_form(*form))
            known = evidence, max(evidence)
            _forms.keep((self, form), known, ENTRY_BYTES + sys.getsizeof(form[0]) + sys.getsizeof(form[1]))
        return known

    def scaled(self, raw: Sequence[float]) -> tuple[float, ...]:
        """Return raw evidence as it counts."""
        return tuple([min(MAX_EVIDENCE, one * scale) for one, scale in zip(raw, self.scale.tolist(), strict=True)])

    def masked_evidence(self, masked: str) -> tuple[float, float, float, float]:
        """Return the evidence of a masked text's value, words, characters and order of words."""
        parts = words(masked)
        table = self.tables["word"]
        known, unseen = table.evidence.get, table.unseen
        worst = sorted([known(token, unseen) for token in set(parts)], reverse=True)[:3]
        table = self.tables["character"]
        known, unseen = table.evidence.get, table.unseen
        strange = [known(token, unseen) for token in characters(masked)]
        table = self.tables["order"]
        known, unseen = table.evidence.get, table.unseen
        order = [known(token, unseen) for token in sequences(parts)]
        return (
            self.tables["value"].of(masked[:VALUE_TOKEN]),
            math.fsum(worst),
            max(strange, default=0.0),
            math.fsum(order) / len(order) * min(1.0, len(order) / 4) if order else 0.0,
        )

    @property
    def usual_sizes(self) -> tuple[float, float]:
        """The 1st and the 99th percentile of the learned sizes, on the log scale."""
        return self._marks[1], self._marks[2]

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


def forget() -> None:
    """Forget every weighed value and form."""
    _values.forget()
    _masked.forget()
    _forms.forget()


def weighed(model: FieldModel, value: Any) -> Weighed:
    """Return the scaled evidence of a value and the largest of it."""
    key = (model, type(value), value)
    known = _values.get(key)
    if known is None:
        evidence = model.scaled(model.raw(value))
        known = evidence, max(evidence)
        if type(value) is not str or len(value) <= LONGEST_REMEMBERED:
            _values.keep(key, known, ENTRY_BYTES + sys.getsizeof(value))
    return known


def _masked_evidence(model: FieldModel, masked: str) -> tuple[float, float, float, float]:
    known = _masked.get((model, masked))
    if known is None:
        known = model.masked_evidence(masked)
        _masked.keep((model, masked), known, ENTRY_BYTES + sys.getsizeof(masked))
    return known


def analyse(value: Any) -> dict[str, list[str]]:
    """Return the tokens of a value for each table; numbers have only a value token."""
    number = as_number(value)
    if number is not None:
        return {"value": [bucket(number)], "shape": [], "word": [], "character": [], "order": []}
    text = str(value)
    masked = mask(text)
    parts = words(masked)
    return {
        "value": [masked[:VALUE_TOKEN]],
        "shape": [shape(text)],
        "word": list(dict.fromkeys(parts)),
        "character": list(characters(masked)),
        "order": sequences(parts),
    }
