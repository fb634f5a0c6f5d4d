"""How rare is a token? A capped table of counts, read as tail probabilities.

Handed: tokens with their counts. Hands on: evidence, ``-ln p``, where p is the share of learned occurrences
that fell on tokens at most this frequent. A token never seen has p = (singletons + 0.5) / (n + 1), the
Good-Turing estimate of meeting something new (Good 1953). A field whose values are all different therefore
has p near 1 for every value: identifiers, record numbers and times neutralise themselves.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from triage.features.tokens import UNIT_SEPARATOR

SEPARATOR = UNIT_SEPARATOR


class MassTable:
    """Counts of tokens with a cap; what the cap dropped is counted as seen once."""

    __slots__ = ("counts", "dropped", "evidence", "total", "unseen")

    def __init__(self, counts: Mapping[str, int], *, total: int, dropped: int) -> None:
        self.counts = dict(counts)
        self.total = total
        self.dropped = dropped
        self.unseen = 0.0
        self.evidence: dict[str, float] = {}
        self._weigh()

    @classmethod
    def learn(cls, counts: Mapping[str, int], *, cap: int) -> "MassTable":
        """Keep the ``cap`` most frequent tokens that were seen more than once, in a fixed order."""
        total = sum(counts.values())
        repeated = sorted(((token, n) for token, n in counts.items() if n > 1), key=lambda pair: (-pair[1], pair[0]))
        kept = dict(repeated[:cap])
        return cls(kept, total=total, dropped=total - sum(kept.values()))

    def _weigh(self) -> None:
        """Turn counts into evidence: the mass of everything at most as frequent."""
        at_most = float(self.dropped)
        self.unseen = -math.log(min(1.0, (at_most + 0.5) / (self.total + 1)))
        by_count: dict[int, int] = {}
        for count in self.counts.values():
            by_count[count] = by_count.get(count, 0) + count
        weight: dict[int, float] = {}
        for count in sorted(by_count):
            at_most += by_count[count]
            weight[count] = -math.log(min(1.0, (at_most + 0.5) / (self.total + 1)))
        self.evidence = {token: weight[count] for token, count in self.counts.items()}

    def of(self, token: str) -> float:
        """Return the evidence of one token, in nats."""
        return self.evidence.get(token, self.unseen)


def pack(tables: Iterable[MassTable]) -> dict[str, Any]:
    """Return tables as a few flat arrays: the artefact must not hold a node per token."""
    tables = list(tables)
    text = "".join(token + SEPARATOR for table in tables for token in table.counts)
    return {
        "tokens": np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).copy(),
        "counts": np.array([count for table in tables for count in table.counts.values()], dtype=np.int64),
        "sizes": np.array([len(table.counts) for table in tables], dtype=np.int64),
        "totals": np.array([table.total for table in tables], dtype=np.int64),
        "dropped": np.array([table.dropped for table in tables], dtype=np.int64),
    }


def unpack(state: Mapping[str, Any]) -> list[MassTable]:
    """Return the tables that :func:`pack` packed; raise ``ValueError`` when the arrays do not fit together."""
    tokens = state["tokens"].tobytes().decode("utf-8", "surrogatepass").split(SEPARATOR)[:-1]
    counts = state["counts"].tolist()
    sizes = state["sizes"].tolist()
    if len(tokens) != len(counts) or sum(sizes) != len(counts) or min(sizes, default=0) < 0:
        raise ValueError("the token tables do not fit their counts")
    tables, start = [], 0
    for size, total, dropped in zip(sizes, state["totals"].tolist(), state["dropped"].tolist(), strict=True):
        part = dict(zip(tokens[start : start + size], counts[start : start + size], strict=True))
        tables.append(MassTable(part, total=total, dropped=dropped))
        start += size
    return tables
