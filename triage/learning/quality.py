"""Are fewer alerts right than before? An exact test on people's verdicts.

Handed: counts of true positives among earlier and among recent verdicts. Hands on: a p-value that no single verdict
can make small.
"""

#: Verdicts of one window; windows do not overlap, so that each verdict is tested once.
WINDOW = 20
#: Verdicts of the past that a window is compared with, at least.
MIN_PAST = 50
#: With 200 verdicts a month there are ten windows, so a false alarm comes once in a hundred months.
ALARM_P = 0.001


def fall(past_true: int, past: int, recent_true: int, recent: int) -> float:
    """Return how likely so few of the recent verdicts are true positives if the past's share still holds.

    One verdict more is counted as true than there are, so that one that is flipped never decides.

    >>> round(fall(60, 100, 2, 20), 5), fall(60, 100, 12, 20) > 0.5
    (5e-05, True)
    """
    from scipy.stats import binom  # the web process starts without it

    return float(binom.cdf(recent_true + 1, recent, past_true / past))
