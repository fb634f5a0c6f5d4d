"""What the ranking looks at in an alert, as a row of numbers.

Handed: an :class:`AlertFacts`, and what people judged before. Hands on: float64 rows of shape ``(n, n_columns)`` whose
columns have names. Nothing of a row comes from after the moment it is made for: what was judged before an alert is
counted from verdicts decided strictly earlier.

Columns of one alert
--------------------
``score``, ``scored``, ``surprise`` (``-ln p``), ``events`` (``ln(1 + n)``), ``severity`` (0 to 4), ``techniques``,
``hour_sin`` and ``hour_cos`` (UTC), ``entity``; ``reason:GROUP``, the contributions of its reasons by group;
``field:N``, the same by a hash of the fields they rest on; ``NAME=VALUE``, one for each frequent value of parser,
category, action, code, source and kind of entity among the alerts that were learned; then for fingerprint, template and
entity ``judged:KEY`` (``ln(1 + n)`` earlier verdicts) and ``true:KEY`` (by how much their share of true ones
differs from that of all earlier verdicts, shrunk towards 0 while they are few).
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from triage.contracts import Reason

#: Kinds of evidence a detector gives as reasons; any other is ``other``.
REASON_GROUPS = (
    "value", "word", "character", "order", "shape", "size", "pair", "pattern",
    "new_field", "new_kind", "fields_together", "total", "other",
)  # fmt: skip
FIELD_COLUMNS = 16
MAX_REASONS, MAX_FIELDS = 5, 8
#: A value becomes a column when so many of the learned alerts have it, the most frequent first.
MIN_FREQUENT, MAX_FREQUENT = 5, 24
NUMBERS = ("score", "scored", "surprise", "events", "severity", "techniques", "hour_sin", "hour_cos", "entity")
KEYS = ("fingerprint", "template", "entity")
#: Earlier verdicts that a share must outweigh: one verdict alone moves it by a third of the way.
PRIOR = 2.0
#: Bounds of what a row may hold, so that no strange number drowns the others.
MAX_NUMBER, MAX_SURPRISE = 1e6, 50.0
Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """One alert as the ranking sees it. Times are seconds since 1970 UTC.

    ``seen_at`` is when its first event happened, ``arrived_at`` when it came into the queue. ``template`` is the
    fingerprint without the entity. ``reasons`` are those of its strongest event.
    """

    fingerprint: str
    arrived_at: float
    seen_at: float
    template: str = ""
    entity: str = ""
    source: str = ""
    parser: str = ""
    category: str = ""
    action: str = ""
    code: str = ""
    severity_rank: int = 1
    score: float | None = None
    p_value: float | None = None
    event_count: int = 1
    techniques: int = 0
    reasons: tuple[Reason, ...] = field(default_factory=tuple)


def short(text: str) -> str:
    """Return 16 hex digits that stand for a text: what a state keeps instead of names.

    >>> short("user:alice") == short("user:alice"), len(short(""))
    (True, 16)
    """
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def named(facts: AlertFacts) -> list[tuple[str, str]]:
    """Return what of an alert may become a column of its own: names and values, empty ones left out."""
    pairs = (
        ("parser", facts.parser),
        ("category", facts.category),
        ("action", facts.action),
        ("code", facts.code),
        ("source", facts.source),
        ("kind", facts.entity.partition(":")[0] if ":" in facts.entity else ""),
    )
    return [(name, value[:120]) for name, value in pairs if value]


def vocabulary_of(alerts: Iterable[AlertFacts]) -> list[str]:
    """Return the ``name=value`` columns of the alerts that are learned, in a settled order."""
    counts = Counter(f"{name}={value}" for facts in alerts for name, value in named(facts))
    frequent = [(-count, token) for token, count in counts.items() if count >= MIN_FREQUENT]
    return [token for _, token in sorted(frequent)[:MAX_FREQUENT]]


def columns(vocabulary: Sequence[str]) -> list[str]:
    """Return the name of every column."""
    own = [f"reason:{group}" for group in REASON_GROUPS] + [f"field:{number}" for number in range(FIELD_COLUMNS)]
    judged = [name for key in KEYS for name in (f"judged:{key}", f"true:{key}")]
    return [*NUMBERS, *own, *vocabulary, *judged]


def row(facts: AlertFacts, vocabulary: Mapping[str, int]) -> list[float]:
    """Return an alert's own columns, without what was judged before; ``vocabulary`` is column -> place."""
    tokens = [0.0] * len(vocabulary)
    for name, value in named(facts):
        place = vocabulary.get(f"{name}={value}")
        if place is not None:
            tokens[place] = 1.0
    return [*_numbers(facts), *_reasons(facts.reasons[:MAX_REASONS]), *tokens]


def _numbers(facts: AlertFacts) -> list[float]:
    score, angle = _bounded(facts.score), 2 * math.pi * (facts.seen_at % 86_400) / 86_400
    return [
        score,
        float(facts.score is not None),
        surprise(facts.p_value),
        math.log1p(max(0, facts.event_count)),
        float(facts.severity_rank),
        math.log1p(max(0, facts.techniques)),
        math.sin(angle),
        math.cos(angle),
        float(bool(facts.entity)),
    ]


def _bounded(number: float | None) -> float:
    if number is None or not math.isfinite(number):
        return 0.0
    return max(-MAX_NUMBER, min(MAX_NUMBER, number))


def surprise(p_value: float | None) -> float:
    """Return ``-ln p`` between 0 and :data:`MAX_SURPRISE`; 0 when there is none.

    >>> round(surprise(0.001), 3), surprise(0.0), surprise(None)
    (6.908, 50.0, 0.0)
    """
    if p_value is None or not p_value <= 1.0:
        return 0.0
    return min(MAX_SURPRISE, -math.log(p_value)) if p_value > 0 else MAX_SURPRISE


def _reasons(reasons: Sequence[Reason]) -> list[float]:
    groups, fields = dict.fromkeys(REASON_GROUPS, 0.0), [0.0] * FIELD_COLUMNS
    for reason in reasons:
        share = min(1.0, max(0.0, _bounded(reason.contribution)))
        groups[reason.feature if reason.feature in groups else "other"] += share
        for name in reason.fields[:MAX_FIELDS]:
            fields[int(short(name[:120]), 16) % FIELD_COLUMNS] += share
    return [*groups.values(), *fields]


def keys(facts: AlertFacts) -> tuple[str, ...]:
    """Return what earlier verdicts are remembered by, one per :data:`KEYS`; an empty one remembers nothing."""
    return tuple(f"{key}:{value}" if (value := getattr(facts, key)) else "" for key in KEYS)


class Judged:
    """How many alerts of each fingerprint, template and entity were judged, and how many of them were true."""

    def __init__(self, counts: Counts | None = None, n: int = 0, positive: int = 0) -> None:
        self.counts: Counts = counts or {}
        self.n, self.positive = n, positive

    def add(self, facts: AlertFacts, label: int) -> None:
        """Remember one verdict: 1 worth an analyst's time, 0 not."""
        self.n, self.positive = self.n + 1, self.positive + label
        for key in filter(None, keys(facts)):
            n, positive = self.counts.get(short(key), (0, 0))
            self.counts[short(key)] = (n + 1, positive + label)

    def row(self, facts: AlertFacts) -> list[float]:
        """Return the ``judged`` and ``true`` columns of one alert."""
        base = (self.positive + 1) / (self.n + 2)
        found = []
        for key in keys(facts):
            n, positive = self.counts.get(short(key), (0, 0)) if key else (0, 0)
            found += [math.log1p(n), (positive - n * base) / (n + PRIOR)]
        return found


def judged_before(
    alerts: Sequence[AlertFacts], moments: Sequence[float], judged: Iterable[tuple[AlertFacts, int, float]]
) -> np.ndarray:
    """Return the ``judged`` and ``true`` columns of alerts, each from the verdicts decided before its moment.

    ``judged`` holds ``(facts, label, decided_at)``. A verdict decided at the very moment does not count.
    """
    waiting = sorted(judged, key=lambda one: one[2])
    memory, done = Judged(), 0
    found = np.zeros((len(alerts), 2 * len(KEYS)))
    for place in sorted(range(len(alerts)), key=moments.__getitem__):
        while done < len(waiting) and waiting[done][2] < moments[place]:
            memory.add(waiting[done][0], waiting[done][1])
            done += 1
        found[place] = memory.row(alerts[place])
    return found


def own_rows(alerts: Sequence[AlertFacts], vocabulary: Sequence[str]) -> np.ndarray:
    """Return the own columns of alerts, shape ``(n, len(columns) - 2 * len(KEYS))``."""
    places = {token: place for place, token in enumerate(vocabulary)}
    width = len(columns(vocabulary)) - 2 * len(KEYS)
    return np.array([row(facts, places) for facts in alerts], dtype=np.float64).reshape(len(alerts), width)
