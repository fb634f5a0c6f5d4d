"""What usually comes together in an event of one kind, as a few directions in the space of its tokens.

Handed: the tokens of learned events (whole values, words, words with their neighbours, each with its field). Hands on:
for any event the share of its weight that the usual combinations cannot account for, between 0 and 1. It is the
residual of a truncated singular value decomposition of the tf-idf matrix (Deerwester et al. 1990; the squared
prediction error of Jackson and Mudholkar 1979): an event of common tokens in a combination that never came is odd,
one with a rare token in its usual company is less so.

A token counts once however often it stands in a field. What a field's value contributes is a row of whole numbers, so
that the sum over an event is exact, in any order and company.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD

from triage.features.counting import VALUE_TOKEN
from triage.features.mass import SEPARATOR
from triage.features.memory import Memory
from triage.features.tokens import as_number, bucket, mask, sequences, words

#: Directions kept; more describe a kind's noise as well.
DIRECTIONS = 8
#: Tokens of a kind that are known, the most frequent first, and events they are learned from.
MAX_TOKENS, SAMPLE = 6_000, 8_000
#: Contributions are whole multiples of 1 / UNIT; the sums of an event stay far below 2**53.
UNIT = float(1 << 20)
#: A field never seen counts as this many tokens never seen.
NEW_FIELD_TOKENS = 4
PART_BYTES, ENTRY_BYTES = 12 << 20, 500
#: Field and form (a masked text, or a number's bucket) -> what it contributes.
_parts: Memory[tuple["Pattern", str, str], np.ndarray] = Memory(PART_BYTES)


def form_of(value: Any) -> str:
    """Return what of a value counts: a text's mask, a number's bucket.

    >>> form_of("Session 4711"), form_of(491)
    ('session #', '~8.5')
    """
    number = as_number(value)
    return mask(str(value)) if number is None else bucket(number)


def tokens_of(name: str, form: str) -> set[str]:
    """Return the tokens of a field's form: the whole, its words, and its words with their neighbours."""
    parts = words(form)
    found = {f"{name} {part}" for part in parts}
    found.update([f"{name} {run}" for run in sequences(parts)])
    found.add(f"{name}={form[:VALUE_TOKEN]}".replace(SEPARATOR, " "))
    return found


class Pattern:
    """The usual combinations of one kind.

    ``rows`` has per known token its weighted place along each direction and, last, its squared weight, in units, shape
    ``(n_tokens, DIRECTIONS + 1)``; ``unseen`` is the squared weight of a token that was never seen.
    """

    __slots__ = ("index", "rows", "unseen")

    def __init__(self, tokens: Sequence[str], rows: np.ndarray, unseen: float) -> None:
        self.index = {token: place for place, token in enumerate(tokens)}
        self.rows = rows
        self.unseen = unseen

    @classmethod
    def learn(cls, events: Sequence[Sequence[tuple[str, Any]]]) -> "Pattern":
        """Learn from the cells of events; with too few tokens to combine, nothing is ever odd."""
        step = max(1, -(-len(events) // SAMPLE))
        tokens, found = _tokenise(events[::step])
        counts = np.bincount(np.concatenate([*found, np.zeros(0, dtype=np.intp)]), minlength=len(tokens))
        ranked = sorted(range(len(tokens)), key=lambda number: (-counts[number], tokens[number]))[:MAX_TOKENS]
        idf = np.array([_idf(len(found), int(counts[number])) for number in ranked])
        directions = _directions(found, ranked, idf)
        rows = np.column_stack([directions * idf[:, None], np.square(idf)]) if ranked else np.zeros((0, DIRECTIONS + 1))
        unseen = float(np.rint(_idf(len(found), 0) ** 2 * UNIT))
        return cls([tokens[number] for number in ranked], np.rint(rows * UNIT), unseen)

    def part(self, name: str, form: str) -> np.ndarray:
        """Return what one field's form contributes, shape ``(DIRECTIONS + 1,)``, whole numbers."""
        known = _parts.get((self, name, form))
        if known is None:
            tokens = tokens_of(name, form)
            places = [place for place in map(self.index.get, tokens) if place is not None]
            known = self.rows[places].sum(axis=0)
            known[-1] += self.unseen * (len(tokens) - len(places))
            _parts.keep((self, name, form), known, ENTRY_BYTES + sys.getsizeof(form))
        return known

    def parts(self, name: str, forms: Sequence[str]) -> np.ndarray:
        """Return what forms of one field contribute, shape ``(DIRECTIONS + 1, n_forms)``."""
        return np.array([self.part(name, form) for form in forms]).T

    def share(self, forms: Sequence[tuple[str, str]], new_fields: int) -> float:
        """Return what is unaccounted for in an event of these fields and forms, and of fields never seen."""
        sums = np.zeros(DIRECTIONS + 1)
        for name, form in forms:
            sums += self.part(name, form)
        sums[-1] += self.new_fields(new_fields)
        return float(unaccounted(sums[:, None])[0])

    def new_fields(self, count: Any) -> Any:
        """Return the weight of fields never seen, a number or an array of them."""
        return self.unseen * NEW_FIELD_TOKENS * count

    def state(self) -> dict[str, Any]:
        """Return the pattern as a plain tree; token texts as one array of bytes."""
        text = "".join(token + SEPARATOR for token in self.index)
        return {
            "tokens": np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).copy(),
            "rows": self.rows.astype(np.int32),
            "unseen": self.unseen,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Pattern":
        """Rebuild a pattern; raise ``ValueError`` when its arrays do not fit together."""
        tokens = state["tokens"].tobytes().decode("utf-8", "surrogatepass").split(SEPARATOR)[:-1]
        rows = state["rows"].astype(float)
        if rows.shape != (len(tokens), DIRECTIONS + 1):
            raise ValueError(f"a pattern has {len(tokens)} tokens and rows of shape {rows.shape}")
        return cls(tokens, rows, float(state["unseen"]))


def unaccounted(sums: np.ndarray) -> np.ndarray:
    """Return the share of the weight of events that no direction accounts for.

    ``sums`` are the summed contributions, shape ``(DIRECTIONS + 1, n)``; an event without weight has none.
    """
    explained = np.zeros(sums.shape[1])
    for column in sums[:-1]:
        along = column / UNIT
        explained += along * along
    weight = sums[-1] / UNIT
    share = 1.0 - explained / np.maximum(weight, 1.0)
    return np.asarray(np.where(weight > 0.0, np.clip(share, 0.0, 1.0), 0.0))


def _idf(events: int, seen: int) -> float:
    return math.log((events + 1) / (seen + 1)) + 1.0


def _tokenise(events: Sequence[Sequence[tuple[str, Any]]]) -> tuple[list[str], list[np.ndarray]]:
    """Return the distinct tokens, and per event the numbers of its own; a form that repeats is cut once."""
    index: defaultdict[str, int] = defaultdict()
    index.default_factory = index.__len__
    known: dict[tuple[str, str], np.ndarray] = {}
    found = []
    for cells in events:
        parts = [np.zeros(0, dtype=np.intp)]
        for name, value in cells:
            form = form_of(value)
            part = known.get((name, form))
            if part is None:
                # In a fixed order: that of a set differs from process to process.
                cut = [index[token] for token in sorted(tokens_of(name, form))]
                part = known[name, form] = np.array(cut, dtype=np.intp)
            parts.append(part)
        found.append(np.unique(np.concatenate(parts)))
    return list(index), found


def _directions(events: Sequence[np.ndarray], ranked: Sequence[int], idf: np.ndarray) -> np.ndarray:
    """Return the directions of the weighted, length-normalised events, shape ``(len(ranked), DIRECTIONS)``."""
    directions = np.zeros((len(ranked), DIRECTIONS))
    width = min(DIRECTIONS, len(ranked) - 1, len(events) - 1)
    if width < 1:
        return directions
    place = np.full(max(int(numbers.max(initial=0)) for numbers in events) + 1, -1)
    place[np.array(ranked)] = np.arange(len(ranked))
    places = [np.sort(found[found >= 0]) for found in (place[numbers] for numbers in events)]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in places])])
    lengths = np.array([math.sqrt(math.fsum(np.square(idf[row]).tolist())) or 1.0 for row in places])
    columns = np.concatenate(places)
    weights = idf[columns] / np.repeat(lengths, np.diff(offsets))
    matrix = csr_matrix((weights, columns, offsets), shape=(len(events), len(ranked)))
    with np.errstate(divide="ignore", invalid="ignore"):  # the share of a variance of zero, which nobody reads
        directions[:, :width] = TruncatedSVD(width, random_state=0).fit(matrix).components_.T
    return directions
