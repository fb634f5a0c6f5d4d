"""Sums that do not depend on the order of their terms, for many rows at once.

Handed: terms, zero or more each. Hands on: per row the exact sum, rounded once, as ``math.fsum`` gives it. The
rounding error of every addition is kept (Knuth's two-sum) and added at the end; within the bounds below, those
errors add up without any error of their own. What lies outside is marked, and summed one by one.
"""

import math

import numpy as np

#: While terms are zero or at least this, totals at most :data:`LARGE` and terms fewer than 8,192, every error is a
#: multiple of 2**-82 and all of them together stay below 2**-29: 53 bits hold that exactly.
TINY = 2.0**-30
LARGE = 4_096.0


class ExactSum:
    """One running sum per row, shape ``(n,)``. What is ``odd`` may be wrong in its last digit."""

    __slots__ = ("error", "odd", "total")

    def __init__(self, rows: int) -> None:
        self.total = np.zeros(rows)
        self.error = np.zeros(rows)
        self.odd = np.zeros(rows, dtype=bool)

    def add(self, terms: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Add one term to each row, or to the given distinct rows."""
        places = slice(None) if rows is None else rows
        self.total[places], self.error[places] = two_sum(self.total[places], self.error[places], terms)
        odd = too_small(terms)
        if odd.any():
            self.odd[places] |= odd

    def rounded(self) -> np.ndarray:
        """Return the sums."""
        self.odd |= self.total > LARGE
        return np.asarray(self.total + self.error)


def two_sum(total: np.ndarray, error: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum and the error after adding ``terms``; neither argument is changed."""
    grown = total + terms
    added = grown - total
    lost = grown - added
    np.subtract(total, lost, out=lost)
    np.subtract(terms, added, out=added)
    lost += added
    lost += error
    return grown, lost


def too_small(terms: np.ndarray) -> np.ndarray:
    """Return which terms are so small that a sum with them may not be exact."""
    return np.asarray((terms < TINY) & (terms > 0.0))


def exact_sum(terms: np.ndarray) -> np.ndarray:
    """Return the sum of each column of ``terms``, shape ``(n_terms, n)``."""
    running = ExactSum(terms.shape[1])
    for row in terms:
        running.add(row)
    found = running.rounded()
    for place in np.flatnonzero(running.odd).tolist():
        found[place] = math.fsum(terms[:, place].tolist())
    return found
