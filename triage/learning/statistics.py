"""Proportions with their uncertainty.

Handed: counts. Hands on: a :class:`~triage.contracts.Rate` with its 95 % Wilson interval (Wilson 1927).
"""

import math

from triage.contracts import Rate

Z95 = 1.959963984540054


def wilson(successes: int, n: int) -> Rate:
    """Return ``successes / n`` with its interval; raise ``ValueError`` unless ``0 <= successes <= n``, ``n > 0``.

    >>> rate = wilson(1, 10)
    >>> round(rate.low, 4), round(rate.high, 4)
    (0.0179, 0.4042)
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a proportion")
    share = successes / n
    centre = share + Z95**2 / (2 * n)
    spread = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n * n))
    width = 1 + Z95**2 / n
    low = 0.0 if successes == 0 else (centre - spread) / width
    high = 1.0 if successes == n else (centre + spread) / width
    return Rate(value=share, n=n, low=low, high=high)
