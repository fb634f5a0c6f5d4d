"""Template filters: log text, sentences of explainers, ages, p-values, evidence.

Handed: values of the selectors. Hands on: plain text; escaping stays with the template engine.
"""

import datetime as dt
import math
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils import timezone

from alerts.models import Alert
from alerts.selectors.alert import is_blind
from alerts.selectors.spending import dollars
from alerts.text import defanged, elided, visible
from triage import ecs
from triage.contracts import Rate

register = template.Library()

#: Kinds of entities that have a page.
ENTITY_KINDS = frozenset(kind for _, kind in ecs.ENTITY_FIELDS)
#: Sentences of explanations are capped at 600 characters where they are made.
MAX_SENTENCE = 1000


@register.filter
def blind(alert: Alert) -> bool:
    """Whether score and explanation of an alert are hidden from its reviewer."""
    return is_blind(alert)


@register.filter
def log(text: object) -> str:
    """Return log text with its invisible characters spelled out."""
    return visible("" if text is None else text)


@register.filter
def line(text: object) -> str:
    """Return log text as one line of at most 400 characters."""
    return visible(" ".join(str("" if text is None else text)[:2000].split()), 400)


@register.filter
def told(text: object) -> str:
    """Return an explainer's sentence as one line that nothing opens; what is too long is cut with a note."""
    return defanged(visible(" ".join(str("" if text is None else text)[:4000].split()), MAX_SENTENCE))


@register.filter
def usd(amount: float | None) -> str:
    """Return US dollars with as many digits as they need; unknown is ``not measured``."""
    return "not measured" if amount is None or not math.isfinite(amount) else dollars(amount)


@register.filter
def took(milliseconds: int | None) -> str:
    """Return a duration for reading: ``840 ms``, ``12.4 s``; unknown is ``not measured``."""
    if milliseconds is None:
        return "not measured"
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


@register.filter
def elide(text: object, limit: int = 60) -> str:
    """Return log text with its middle left out beyond ``limit`` characters."""
    return elided("" if text is None else text, int(limit))


@register.filter
def entity_kind(entity: str) -> str:
    """Return the kind of an entity: the part before the colon."""
    return entity.partition(":")[0]


@register.filter
def entity_name(entity: str) -> str:
    """Return the name of an entity: the part after the colon."""
    return entity.partition(":")[2]


@register.filter
def age(moment: dt.datetime | None) -> str:
    """Return how long ago a moment was, short: ``now``, ``12 s``, ``4 min``, ``3 h``, ``5 d``."""
    if moment is None:
        return "never"
    seconds = (timezone.now() - moment).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


@register.filter
def utc(moment: dt.datetime | None) -> str:
    """Return the exact time in UTC."""
    return "never" if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


@register.filter
def clock(moment: dt.datetime) -> str:
    """Return the time of day in UTC with milliseconds left out."""
    return f"{moment.astimezone(dt.UTC):%H:%M:%S}"


@register.filter
def p_value(value: float | None) -> str:
    """Return a p-value for reading: ``0.031``, ``0.0004``, ``<0.0001``."""
    if value is None or not math.isfinite(value):
        return ""
    if value < 0.0001:
        return "<0.0001"
    return f"{value:.4f}" if value < 0.001 else f"{value:.3f}"


@register.filter
def chance(value: float | None) -> str:
    """Return a probability for reading, never as certainty: ``0.83``, ``<0.01``, ``>0.99``."""
    if value is None or not math.isfinite(value):
        return ""
    if value < 0.005:
        return "<0.01"
    return f"{value:.2f}" if value < 0.995 else ">0.99"


@register.filter
def one_in(value: float | None) -> str:
    """Return a p-value as ``1 in 2,500``."""
    if value is None or not math.isfinite(value) or value <= 0:
        return "rarer than anything seen in calibration"
    return f"1 in {max(1, round(1 / value)):,} ordinary events"


@register.filter
def surprise(value: float | None) -> float:
    """Return the bar of a p-value, 0 to 100: each factor of ten is a quarter."""
    if value is None or not math.isfinite(value):
        return 0.0
    return round(min(100.0, 25 * -math.log10(max(value, 1e-9))), 1) if value < 1 else 0.0


@register.filter
def number(value: float | None, digits: int = 3) -> str:
    """Return a number for a table; unknown is ``not measured``."""
    if value is None:
        return "not measured"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{int(digits)}f}"


@register.filter
def share(percent: float | None) -> str:
    """Return a percentage for a table: never 100 % while something is missing, never 0 % while something is there.

    >>> share(99.98), share(100.0), share(0.004), share(0.0), share(12.34), share(129.4)
    ('>99.9 %', '100 %', '<0.1 %', '0 %', '12.3 %', '129 %')
    """
    if percent is None:
        return "not measured"
    if percent == 0.0 or percent >= 100.0:
        return f"{percent:.0f} %"
    if percent > 99.9:
        return ">99.9 %"
    return "<0.1 %" if percent < 0.1 else f"{percent:.1f} %"


@register.filter
def percent(ratio: float | None) -> float | None:
    """Return a ratio as a percentage, None as None."""
    return None if ratio is None else 100 * ratio


@register.filter
def rate(measured: Rate | None) -> str:
    """Return a rate with its 95 % interval and n; unknown is ``not measured``.

    >>> rate(None), rate(Rate(value=0.5, n=8, low=0.2152, high=0.7848))
    ('not measured', '50.0 % (21.5 – 78.5, n = 8)')
    """
    if measured is None:
        return "not measured"
    return f"{share(100 * measured.value)} ({100 * measured.low:.1f} – {100 * measured.high:.1f}, n = {measured.n:,})"


@register.filter
def words(name: str) -> str:
    """Return a code name as words."""
    return str(name).replace("_", " ")


@register.filter
def severity_word(rank: int) -> str:
    """Return the severity of a rank, 0 (info) to 4 (critical)."""
    return ecs.SEVERITIES[rank]


@register.filter
def entity_url(key: str) -> str:
    """Return the address of the page of ``kind:name``; empty for what has none."""
    kind, _, name = str(key).partition(":")
    if kind not in ENTITY_KINDS or not name:
        return ""
    return f"{reverse('entity', args=[kind])}?{urlencode({'name': name})}"


@register.simple_tag
def shade(value: int, highest: int) -> int:
    """Return how dark a cell of a heat map is, 0 (nothing) to 4."""
    return 0 if not value or not highest else max(1, math.ceil(4 * value / highest))


@register.filter
def plural_kind(kind: str) -> str:
    """Return the plural of a kind of entity.

    >>> plural_kind("address"), plural_kind("user")
    ('addresses', 'users')
    """
    return f"{kind}{'es' if kind.endswith('s') else 's'}"


@register.filter
def quoted(text: object) -> str:
    """Return a text as one value of the event search."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
