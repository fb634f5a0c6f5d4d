"""What the champion found, added up per source: the raw material of drift.

Handed: the events of a pass and what the detector found in them. Hands on: one :class:`Tally` per source, stored
in the pass's own transaction. Counting happens once, where the evidence is at hand; judging happens elsewhere.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from triage.contracts import ParsedEvent, StoredBatch
from triage.detectors.base import P_EDGES, Examined
from triage.features.tokens import kind_of
from triage.models import ScoreTally

#: Kinds of events counted by name; the rest of a pass are counted together, so that no sender can grow the table.
MAX_KINDS = 64
MAX_KIND_NAME = 120
OTHER = "other"
#: A single event counts at most this much in a sum of evidence: one monster must not look like a drift.
MAX_EVIDENCE = 12.0

#: A batch, the place of its first event in the pass, and its events.
Part = tuple[StoredBatch, int, Sequence[ParsedEvent]]
Flags = np.ndarray | None


@dataclass(frozen=True, slots=True)
class Tally:
    """One source's part of a pass."""

    model_id: int
    source_id: int
    received_at: float
    events: int
    flagged: int
    p_counts: list[int]
    kinds: dict[str, int]
    evidence: dict[str, float]


def summarise(
    read: Iterable[tuple[StoredBatch, Sequence[ParsedEvent]]],
    model_id: int | None,
    found: Examined | None,
    flags: Flags,
) -> list[Tally]:
    """Return one tally per source; ``found`` and ``flags`` are of all events in order, None without a champion."""
    if model_id is None or found is None or flags is None:
        return []
    parts: dict[int, list[Part]] = {}
    start = 0
    for batch, events in read:
        if events:
            parts.setdefault(batch.source_id, []).append((batch, start, events))
        start += len(events)
    return [_tally(model_id, source, parts[source], found, flags) for source in sorted(parts)]


def _tally(model_id: int, source_id: int, parts: Sequence[Part], found: Examined, flags: np.ndarray) -> Tally:
    places = np.concatenate([np.arange(start, start + len(events)) for _, start, events in parts])
    classes = np.searchsorted(P_EDGES, found.p_values[places], side="left")
    sums = np.minimum(found.evidence[places], MAX_EVIDENCE).sum(axis=0)
    return Tally(
        model_id=model_id,
        source_id=source_id,
        received_at=max(batch.received_at for batch, _, _ in parts),
        events=len(places),
        flagged=int(flags[places].sum()),
        p_counts=np.bincount(classes, minlength=len(P_EDGES)).tolist(),
        kinds=count_kinds(event for _, _, events in parts for event in events),
        evidence=dict(zip(found.evidence_names, sums.round(4).tolist(), strict=True)),
    )


def count_kinds(events: Iterable[ParsedEvent]) -> dict[str, int]:
    """Return how many events there are of each kind, the most frequent by name."""
    counts = Counter(map(kind_of, events)).most_common()
    found = Counter({name_of(kind): count for kind, count in counts[:MAX_KINDS]})
    if rest := sum(count for _, count in counts[MAX_KINDS:]):
        found[OTHER] += rest
    return dict(found)


@lru_cache(maxsize=1024)
def name_of(kind: str) -> str:
    """Return a kind's name as it is stored: short, and without what a database refuses."""
    return "".join(char for char in kind if char.isprintable())[:MAX_KIND_NAME]


def insert(tallies: Sequence[Tally]) -> None:
    """Store tallies, inside the caller's transaction."""
    ScoreTally.objects.bulk_create(
        ScoreTally(
            source_id=tally.source_id,
            model_version_id=tally.model_id,
            received_at=dt.datetime.fromtimestamp(tally.received_at, dt.UTC),
            events=tally.events,
            flagged=tally.flagged,
            p_counts=tally.p_counts,
            kinds=tally.kinds,
            evidence=tally.evidence,
        )
        for tally in tallies
    )
