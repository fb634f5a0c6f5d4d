"""Evidence of pairs of values for many events at once: numbered tokens and flat tables.

Handed: the learned tables of a kind's pairs, and per event the number of each field's token. Hands on: the pair
columns, equal to those :meth:`triage.features.kind.KindModel.row` computes one by one.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from triage.features.exact import exact_sum
from triage.features.field import MAX_EVIDENCE
from triage.features.mass import MassTable

#: What a token is numbered when the event lacks the field, or when no table knows it.
ABSENT, UNKNOWN = 0, 1
#: Separates the two tokens of a pair.
PAIR_SEPARATOR = "\x1e"
#: A table is laid out whole while it has at most this many cells, or this many per entry; else it is searched.
SMALL_TABLE, CELLS_PER_ENTRY = 256, 4
BLOCK = 1_024

Pairs = Mapping[tuple[str, str], MassTable]


class PairTables:
    """The pair tables of one kind as arrays. Memory stays in proportion to the learned entries."""

    __slots__ = ("_dense", "_offsets", "_places", "_searched", "_widths", "names", "numbers")

    def __init__(self, pairs: Pairs, scales: Mapping[tuple[str, str], float]) -> None:
        self.names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
        self.numbers: dict[str, dict[str, int]] = {name: {} for name in self.names}
        entries = {pair: self._number(pair, table) for pair, table in pairs.items()}
        place = {name: i for i, name in enumerate(self.names)}
        dense: list[np.ndarray] = []
        places: list[tuple[int, int]] = []
        widths: list[int] = []
        self._searched: list[tuple[int, int, int, np.ndarray, np.ndarray, float]] = []
        for (a, b), table in pairs.items():
            height, width = len(self.numbers[a]) + 2, len(self.numbers[b]) + 2
            keys, values = _entries(entries[a, b], table, width, scales[a, b])
            unseen = min(MAX_EVIDENCE, table.unseen * scales[a, b])
            if height * width <= max(SMALL_TABLE, CELLS_PER_ENTRY * len(keys)):
                dense.append(_lay_out(height, width, keys, values, unseen))
                places.append((place[a], place[b]))
                widths.append(width)
            else:
                order = np.argsort(keys)
                self._searched.append((place[a], place[b], width, keys[order], values[order], unseen))
        self._dense = np.concatenate(dense) if dense else np.empty(0)
        sizes = np.array([len(table) for table in dense], dtype=np.intp)
        self._offsets = (np.cumsum(sizes) - sizes)[:, None]
        self._places = np.array(places, dtype=np.intp).reshape(-1, 2).T
        self._widths = np.array(widths, dtype=np.intp)[:, None]

    def _number(self, pair: tuple[str, str], table: MassTable) -> list[tuple[int, int]]:
        """Number the tokens of a table; return its entries as pairs of numbers, in the table's order."""
        first, second = self.numbers[pair[0]], self.numbers[pair[1]]
        found = []
        for entry in table.counts:
            a, _, b = entry.partition(PAIR_SEPARATOR)
            found.append((first.setdefault(a, len(first) + 2), second.setdefault(b, len(second) + 2)))
        return found

    def number(self, name: str, tokens: Sequence[str]) -> np.ndarray:
        """Return the numbers of a field's tokens."""
        known = self.numbers[name].get
        return np.array([known(token, UNKNOWN) for token in tokens], dtype=np.intp)

    def columns(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the largest pair evidence, the sum of the five largest, and the sum of all, per event.

        ``numbers`` has the shape ``(n_names, n_events)``.
        """
        parts = [self._block(numbers[:, i : i + BLOCK]) for i in range(0, numbers.shape[1], BLOCK)]
        most, top5, everything = (np.concatenate(part) for part in zip(*parts, strict=True))
        return most, top5, everything

    def _block(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        evidence = self._evidence(numbers)
        worst = np.sort(evidence, axis=0)[-5:]
        return worst[-1], exact_sum(worst), exact_sum(evidence)

    def _evidence(self, numbers: np.ndarray) -> np.ndarray:
        """Return the evidence of each pair, shape ``(n_pairs, n_events)``; 0 where a field is absent."""
        first, second = self._places
        found = self._dense.take(numbers[first] * self._widths + numbers[second] + self._offsets)
        if not self._searched:
            return np.asarray(found)
        return np.concatenate([found, [_search(numbers, *one) for one in self._searched]])


def _entries(
    numbered: list[tuple[int, int]], table: MassTable, width: int, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of a table's entries and their evidence."""
    both = np.array(numbered, dtype=np.intp).reshape(-1, 2)
    values = [min(MAX_EVIDENCE, table.evidence[entry] * scale) for entry in table.counts]
    # No combination has the key -1: with it no table is empty.
    return np.append(both[:, 0] * width + both[:, 1], -1), np.array([*values, 0.0])


def _lay_out(height: int, width: int, keys: np.ndarray, values: np.ndarray, unseen: float) -> np.ndarray:
    """Return a table with a cell for every combination, flattened."""
    table = np.full((height, width), unseen)
    table[ABSENT, :] = table[:, ABSENT] = 0.0
    flat = table.ravel()
    flat[keys[:-1]] = values[:-1]
    return flat


def _search(
    numbers: np.ndarray, first: int, second: int, width: int, keys: np.ndarray, values: np.ndarray, unseen: float
) -> np.ndarray:
    """Look combinations up among sorted keys."""
    a, b = numbers[first], numbers[second]
    wanted = a * width + b
    at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    found = np.where(keys[at] == wanted, values[at], unseen)
    return np.where((a == ABSENT) | (b == ABSENT), 0.0, found)
