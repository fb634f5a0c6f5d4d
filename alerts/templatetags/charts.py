"""Template filters of charts and of the overview: short numbers and durations.

Handed: numbers. Hands on: plain text; unknown is ``not measured``, never 0.
"""

import math

from django import template

from triage.contracts import Rate

register = template.Library()


@register.filter
def brief(value: float | None) -> str:
    """Return a number with the digits that matter.

    >>> brief(None), brief(0), brief(1234.5), brief(12.345), brief(0.00123456), brief(3)
    ('not measured', '0', '1,234', '12.3', '0.00123', '3')
    """
    if value is None:
        return "not measured"
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


@register.filter
def large(value: float | None) -> str:
    """Return a count that may be in the millions, short.

    >>> large(None), large(9_999), large(12_345), large(1_234_567), large(2e9)
    ('not measured', '9,999', '12.3 k', '1.23 M', '2 G')
    """
    if value is None:
        return "not measured"
    for least, size, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{value / size:.3g} {unit}"
    return f"{value:,.0f}"


@register.filter
def lasting(seconds: float | None) -> str:
    """Return how long something took, with two digits.

    >>> [lasting(s) for s in (None, 0.4, 42, 90, 5400, 200_000)]
    ['not measured', 'under 1 s', '42 s', '1.5 min', '1.5 h', '2.3 d']
    """
    if seconds is None:
        return "not measured"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            found = seconds / size
            return f"{found:.0f} {unit}" if found >= 10 else f"{found:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"


@register.filter
def width(rate: Rate) -> str:
    """Return the width of a rate's interval in percent, for a mark that stays visible.

    >>> width(Rate(value=0.5, n=8, low=0.25, high=0.75)), width(Rate(value=1.0, n=10**9, low=1.0, high=1.0))
    ('50.0', '0.5')
    """
    return f"{max(100 * (rate.high - rate.low), 0.5):.1f}"


@register.filter
def fine(rate: Rate | None) -> str:
    """Return a small rate with enough digits to tell its interval's edges apart.

    >>> fine(Rate(value=0.0017, n=362_296, low=0.00159, high=0.00187)), fine(None)
    ('0.170 % (0.159 – 0.187, n = 362,296)', 'not measured')
    >>> fine(Rate(value=0.5, n=8, low=0.2152, high=0.7848))
    '50 % (22 – 78, n = 8)'
    """
    if rate is None:
        return "not measured"
    low, high = 100 * rate.low, 100 * rate.high
    digits = 0 if high - low >= 10 else min(max(1 - math.floor(math.log10(max(high - low, 1e-6))), 0), 6)
    value = f"{100 * rate.value:.{digits}f}"
    return f"{value} % ({low:.{digits}f} – {high:.{digits}f}, n = {rate.n:,})"
