"""What usually comes together in an event of one kind, as a few directions in the space of its tokens.

Handed: the tokens of learned events. Hands on: for any event the share of its weight that the usual combinations cannot
account for, between 0 and 1, twice: of words (whole values, words, words with their neighbours) and of letters (each
four in a row), each with its field. It is the residual of a truncated singular value decomposition of the tf-idf matrix
(Deerwester et al. 1990; the squared prediction error of Jackson and Mudholkar 1979): an event of common tokens in a
combination that never came is odd, one with a rare token in its usual company is less so. Words need many events before
they repeat; letters of names never seen are known from the names that were.

A token counts once however often it stands in a field. What a field's value contributes is a row of whole numbers, so
that the sum over an event is exact, in any order and company.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD

from triage.features.counting import VALUE_TOKEN
from triage.features.mass import SEPARATOR
from triage.features.memory import Memory
from triage.features.tokens import as_number, bucket, mask, sequences, words

#: Tokens of a kind that are known, the most frequent first, and events they are learned from.
MAX_TOKENS, SAMPLE = 6_000, 8_000
#: Contributions are whole multiples of 1 / UNIT; the sums of an event stay far below 2**53.
UNIT = float(1 << 20)
#: Letters in a row, and characters of a form they are taken from.
RUN, MAX_LETTERS = 4, 200
PART_BYTES, ENTRY_BYTES = 16 << 20, 650
#: Field and form (a masked text, or a number's bucket) -> what it contributes.
_parts: Memory[tuple["Combinations", str, str], np.ndarray] = Memory(PART_BYTES)


def form_of(value: Any) -> str:
    """Return what of a value counts: a text's mask, a number's bucket.

    >>> form_of("Session 4711"), form_of(491)
    ('session #', '~8.5')
    """
    number = as_number(value)
    return mask(str(value)) if number is None else bucket(number)


def tokens_of(name: str, form: str) -> set[str]:
    """Return the words of a field's form: the whole, its words, and its words with their neighbours."""
    parts = words(form)
    found = {f"{name} {part}" for part in parts}
    found.update([f"{name} {run}" for run in sequences(parts)])
    found.add(f"{name}={form[:VALUE_TOKEN]}".replace(SEPARATOR, " "))
    return found


def letters_of(name: str, form: str) -> set[str]:
    """Return each four letters in a row of a field's form, its ends marked by spaces; none of a single letter.

    >>> sorted(letters_of("user", "eve"))
    [' eveuser', 'eve user']
    """
    text = f" {form[:MAX_LETTERS]} ".replace(SEPARATOR, " ")
    return {text[i : i + RUN] + name for i in range(len(text) - RUN + 1)}


@dataclass(frozen=True, slots=True)
class View:
    """How an event is cut into tokens, and how many directions describe them.

    More directions describe a kind's noise as well.
    """

    cut: Callable[[str, str], set[str]]
    directions: int


WORDS = View(tokens_of, directions=8)
LETTERS = View(letters_of, directions=16)
VIEWS = (WORDS, LETTERS)
#: What a form contributes: per view its place along each direction and its weight.
WIDTH = sum(view.directions + 1 for view in VIEWS)

Cells = Sequence[tuple[str, Any]]


class Pattern:
    """The usual combinations of one kind in one view.

    ``rows`` has per known token its weighted place along each direction and, last, its squared weight, in units, shape
    ``(n_tokens, directions + 1)``; ``unseen`` is the squared weight of a token that was never seen, ``new_field`` that
    of a field that was never seen: of as many unseen tokens as a field has on average.
    """

    __slots__ = ("index", "new_field", "rows", "unseen", "view")

    def __init__(self, view: View, tokens: Sequence[str], rows: np.ndarray, unseen: float, new_field: float) -> None:
        self.view = view
        self.index = {token: place for place, token in enumerate(tokens)}
        self.rows = rows
        self.unseen, self.new_field = unseen, new_field

    @classmethod
    def learn(cls, view: View, events: Sequence[Cells]) -> "Pattern":
        """Learn from the cells of events; with too few tokens to combine, nothing is ever odd."""
        step = max(1, -(-len(events) // SAMPLE))
        sample = events[::step]
        tokens, found = _tokenise(view, sample)
        counts = np.bincount(np.concatenate([*found, np.zeros(0, dtype=np.int32)]), minlength=len(tokens))
        ranked = sorted(range(len(tokens)), key=lambda number: (-counts[number], tokens[number]))[:MAX_TOKENS]
        idf = np.array([_idf(len(found), int(counts[number])) for number in ranked])
        directions = _directions(view.directions, found, ranked, idf)
        empty = np.zeros((0, view.directions + 1))
        rows = np.column_stack([directions * idf[:, None], np.square(idf)]) if ranked else empty
        unseen = float(np.rint(_idf(len(found), 0) ** 2 * UNIT))
        per_field = sum(map(len, found)) / max(1, sum(map(len, sample)))
        known = [tokens[number] for number in ranked]
        # Zero is added because a negative zero would come back from the artefact as another one.
        return cls(view, known, np.rint(rows * UNIT) + 0.0, unseen, float(np.rint(unseen * per_field)))

    def part(self, name: str, form: str) -> np.ndarray:
        """Return what one field's form contributes, shape ``(directions + 1,)``, whole numbers."""
        tokens, index = self.view.cut(name, form), self.index
        places = [index[token] for token in tokens if token in index]
        found: np.ndarray = np.add.reduce(self.rows[places], axis=0)
        found[-1] += self.unseen * (len(tokens) - len(places))
        return found

    def state(self) -> dict[str, Any]:
        """Return the pattern as a plain tree; token texts as one array of bytes."""
        text = "".join(token + SEPARATOR for token in self.index)
        return {
            "tokens": np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).copy(),
            "rows": self.rows.astype(np.int32),
            "unseen": self.unseen,
            "new_field": self.new_field,
        }

    @classmethod
    def from_state(cls, view: View, state: Mapping[str, Any]) -> "Pattern":
        """Rebuild a pattern; raise ``ValueError`` when its arrays do not fit together."""
        tokens = state["tokens"].tobytes().decode("utf-8", "surrogatepass").split(SEPARATOR)[:-1]
        rows = state["rows"].astype(float)
        if rows.shape != (len(tokens), view.directions + 1):
            raise ValueError(f"a pattern has {len(tokens)} tokens and rows of shape {rows.shape}")
        return cls(view, tokens, rows, float(state["unseen"]), float(state["new_field"]))


class Combinations:
    """The patterns of one kind, one per view; what a form contributes to all of them is one row, shape ``(WIDTH,)``."""

    __slots__ = ("_new_field", "patterns")

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)
        self._new_field = np.concatenate([[0.0] * one.view.directions + [one.new_field] for one in self.patterns])

    @classmethod
    def learn(cls, events: Sequence[Cells]) -> "Combinations":
        """Learn from the cells of events."""
        return cls([Pattern.learn(view, events) for view in VIEWS])

    def part(self, name: str, form: str) -> np.ndarray:
        """Return what one field's form contributes, whole numbers."""
        known = _parts.get((self, name, form))
        if known is None:
            known = np.concatenate([pattern.part(name, form) for pattern in self.patterns])
            _parts.keep((self, name, form), known, ENTRY_BYTES + sys.getsizeof(form))
        return known

    def parts(self, name: str, forms: Sequence[str]) -> np.ndarray:
        """Return what forms of one field contribute, shape ``(WIDTH, n_forms)``."""
        return np.array([self.part(name, form) for form in forms]).T

    def add_new_fields(self, sums: np.ndarray, counts: np.ndarray) -> None:
        """Add the weight of fields never seen to sums of the shape ``(WIDTH, n)``, given their number per event."""
        for place in np.flatnonzero(self._new_field).tolist():
            sums[place] += self._new_field[place] * counts

    def shares(self, forms: Sequence[tuple[str, str]], new_fields: int) -> list[float]:
        """Return per view what is unaccounted for in an event of these fields and forms, and of fields never seen."""
        sums = np.zeros((WIDTH, 1))
        for name, form in forms:
            sums[:, 0] += self.part(name, form)
        self.add_new_fields(sums, np.array([new_fields]))
        return [float(share) for share in unaccounted(sums)[:, 0]]

    def state(self) -> list[dict[str, Any]]:
        """Return the patterns as a plain tree."""
        return [pattern.state() for pattern in self.patterns]

    @classmethod
    def from_state(cls, state: Sequence[Mapping[str, Any]]) -> "Combinations":
        """Rebuild the patterns; raise ``ValueError`` when they are not of these views."""
        return cls([Pattern.from_state(view, one) for view, one in zip(VIEWS, state, strict=True)])


def unaccounted(sums: np.ndarray) -> np.ndarray:
    """Return per view the share of the weight of events that no direction accounts for, shape ``(len(VIEWS), n)``.

    ``sums`` are the summed contributions, shape ``(WIDTH, n)``; an event without weight has none.
    """
    found, start = np.empty((len(VIEWS), sums.shape[1])), 0
    for place, view in enumerate(VIEWS):
        found[place] = _left_over(sums[start : start + view.directions + 1])
        start += view.directions + 1
    return found


def _left_over(sums: np.ndarray) -> np.ndarray:
    """Return the share of the weight, which is the last row, that the directions above it leave over."""
    explained = np.zeros(sums.shape[1])
    for column in sums[:-1]:
        along = column / UNIT
        explained += along * along
    weight = sums[-1] / UNIT
    share = 1.0 - explained / np.maximum(weight, 1.0)
    return np.asarray(np.where(weight > 0.0, np.clip(share, 0.0, 1.0), 0.0))


def _idf(events: int, seen: int) -> float:
    return math.log((events + 1) / (seen + 1)) + 1.0


def _tokenise(view: View, events: Sequence[Cells]) -> tuple[list[str], list[np.ndarray]]:
    """Return the distinct tokens, and per event the numbers of its own; a form that repeats is cut once."""
    index: defaultdict[str, int] = defaultdict()
    index.default_factory = index.__len__
    known: dict[tuple[str, str], np.ndarray] = {}
    found = []
    for cells in events:
        parts = [np.zeros(0, dtype=np.int32)]
        for name, value in cells:
            form = form_of(value)
            part = known.get((name, form))
            if part is None:
                # In a fixed order: that of a set differs from process to process.
                cut = [index[token] for token in sorted(view.cut(name, form))]
                part = known[name, form] = np.array(cut, dtype=np.int32)
            parts.append(part)
        found.append(np.unique(np.concatenate(parts)))
    return list(index), found


def _directions(wanted: int, events: Sequence[np.ndarray], ranked: Sequence[int], idf: np.ndarray) -> np.ndarray:
    """Return the directions of the weighted, length-normalised events, shape ``(len(ranked), wanted)``."""
    directions = np.zeros((len(ranked), wanted))
    width = min(wanted, len(ranked) - 1, len(events) - 1)
    if width < 1:
        return directions
    place = np.full(max(int(numbers.max(initial=0)) for numbers in events) + 1, -1, dtype=np.int32)
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
