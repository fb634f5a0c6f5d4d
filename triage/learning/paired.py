"""Two models on the same events: the difference of their rates, with its uncertainty.

Handed: counts of events by which of the two flagged them. Hands on: differences with intervals, and p-values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from triage.contracts import Rate

#: Fewer blocks than this say nothing about how much events of one block resemble each other.
MIN_BLOCKS = 8
#: Events of one block, how many only the first model flagged, how many only the second.
Block = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Paired:
    """Events by which of two models flagged them."""

    both: int = 0
    only_first: int = 0
    only_second: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        """All events."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def first(self) -> int:
        """Events the first model flagged."""
        return self.both + self.only_first

    @property
    def second(self) -> int:
        """Events the second model flagged."""
        return self.both + self.only_second


@dataclass(frozen=True, slots=True)
class Difference:
    """The first model's rate minus the second's, with its interval."""

    value: float
    low: float
    high: float


def z_for(confidence: float) -> float:
    """Return the two-sided normal quantile.

    >>> round(z_for(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson_at(successes: float, n: float, z: float) -> tuple[float, float]:
    """Return Wilson's interval (1927) of a proportion; counts may be fractions of events."""
    share = successes / n
    centre, width = share + z * z / (2 * n), 1 + z * z / n
    spread = z * math.sqrt(max(0.0, share * (1 - share)) / n + z * z / (4 * n * n))
    low = 0.0 if successes <= 0 else (centre - spread) / width
    high = 1.0 if successes >= n else (centre + spread) / width
    return low, high


def rate_at(successes: int, n: int, *, z: float, effect: float = 1.0) -> Rate:
    """Return a proportion with its interval, as if there were ``n / effect`` independent events."""
    low, high = wilson_at(successes / effect, n / effect, z)
    return Rate(value=successes / n, n=n, low=low, high=high)


def difference(pair: Paired, *, z: float, effect: float = 1.0) -> Difference:
    """Return the difference of two paired rates (Newcombe 1998, Statistics in Medicine 17:2635, method 10).

    ``effect`` divides the counts (Kish's design effect) when events come in bursts. Raises ``ValueError`` without
    events.

    >>> found = difference(Paired(36, 12, 2, 0), z=1.959964)
    >>> round(found.value, 3), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0569, 0.3404)
    """
    if pair.n <= 0:
        raise ValueError("no events to compare")
    a, b, c, d = (count / effect for count in (pair.both, pair.only_first, pair.only_second, pair.neither))
    n = a + b + c + d
    first, second = (a + b) / n, (a + c) / n
    low_1, high_1 = wilson_at(a + b, n, z)
    low_2, high_2 = wilson_at(a + c, n, z)
    phi = _correlation(a, b, c, d)
    below = _joined(first - low_1, high_2 - second, phi)
    above = _joined(second - low_2, high_1 - first, phi)
    value = (b - c) / n
    return Difference(value=value, low=max(-1.0, value - below), high=min(1.0, value + above))


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _correlation(a: float, b: float, c: float, d: float) -> float:
    """Return the correlation of two paired answers, with method 10's correction towards none."""
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins <= 0:
        return 0.0
    product, half = a * d - b * c, (a + b + c + d) / 2
    return (product if product < 0 else max(0.0, product - half)) / math.sqrt(margins)


def design_effect(blocks: Sequence[Block]) -> float:
    """Return how many times fewer independent events there are than events, because they come in bursts; at least 1.

    The variance of the difference between blocks (a ratio estimate, Cochran 1977, 6.13), over the one that independent
    events would have (Kish 1965). 1 with fewer than :data:`MIN_BLOCKS` blocks.
    """
    used = [block for block in blocks if block[0] > 0]
    n = sum(block[0] for block in used)
    differing = sum(block[1] + block[2] for block in used)
    if len(used) < MIN_BLOCKS or differing == 0:
        return 1.0
    net = sum(block[1] - block[2] for block in used)
    rest = sum((only_first - only_second - net / n * size) ** 2 for size, only_first, only_second in used)
    clustered = len(used) / (len(used) - 1) * rest
    independent = differing - net * net / n
    return max(1.0, clustered / independent) if independent > 0 else 1.0


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value that both models are right equally often (McNemar 1947, as a sign test).

    >>> mcnemar_exact(0, 0), mcnemar_exact(6, 0), mcnemar_exact(1, 9)
    (1.0, 0.03125, 0.021484375)
    """
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << n))
