"""The overview's first look: the span it is about, what is open and for how long, what needs somebody now.

Handed: the name of a span. Hands on: small values for templates. Unknown is None, never 0. Every count has the address
of the list behind it. Blind audits are counted as hidden, as the queue shows them: nothing else may be told of them.
"""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Case, Count, Func, IntegerField, Min, Value, When
from django.utils import timezone

from alerts.models import Alert, AlertOrigin, AlertStatus, Severity

HIDDEN = "blind"
#: Highest first, as the queue lists them.
LEVELS = (*(level for level, _ in reversed(Severity.choices)), HIDDEN)
#: Upper ends of the classes of age, and their words; the last one has no end.
AGES: tuple[tuple[dt.timedelta | None, str], ...] = (
    (dt.timedelta(hours=1), "under 1 h"),
    (dt.timedelta(hours=4), "1 to 4 h"),
    (dt.timedelta(hours=24), "4 to 24 h"),
    (dt.timedelta(days=7), "1 to 7 d"),
    (None, "over 7 d"),
)


@dataclass(frozen=True, slots=True)
class Span:
    """The time a page is about: whole minutes up to and with this one, in steps of some minutes."""

    name: str
    words: str
    steps: int
    step_minutes: int
    end: dt.datetime

    @property
    def start(self) -> dt.datetime:
        """Its first moment."""
        return self.end - dt.timedelta(minutes=self.steps * self.step_minutes)

    @property
    def step_words(self) -> str:
        """A step in words: ``30 min``, ``2 h``."""
        return f"{self.step_minutes} min" if self.step_minutes < 60 else f"{self.step_minutes // 60} h"

    @property
    def moments(self) -> list[int]:
        """The first second of every step."""
        first = int(self.start.timestamp())
        return [first + 60 * self.step_minutes * number for number in range(self.steps)]


#: Name, words, steps, minutes of a step.
SPANS = (
    ("24h", "last 24 hours", 48, 30),
    ("7d", "last 7 days", 84, 120),
    ("30d", "last 30 days", 60, 720),
)


class SpanError(ValueError):
    """A span that is not offered; the message names those that are."""


def span_of(name: str, now: dt.datetime | None = None) -> Span:
    """Return a span by name, the first one for an empty name; it ends with the minute under way."""
    end = (now or timezone.now()).replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    for offered, words, steps, minutes in SPANS:
        if name in ("", offered):
            return Span(offered, words, steps, minutes, end)
    raise SpanError(f"range: one of {', '.join(offered for offered, *_ in SPANS)}")


class Epoch(Func):
    """Whole seconds since 1970 UTC of a moment, rounded down."""

    output_field = IntegerField()
    template = "CAST(FLOOR(EXTRACT(EPOCH FROM %(expressions)s)) AS bigint)"

    def as_sqlite(self, compiler, connection, **context):  # type: ignore[no-untyped-def]  # Django's own signature
        """SQLite keeps moments as text."""
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, **context)


def queue_address(**wanted: str | int) -> str:
    """Return the address of the queue with a filter; what is empty is left out."""
    query = urlencode({name: value for name, value in wanted.items() if value not in ("", 0)})
    return f"/?{query}" if query else "/"


@dataclass(frozen=True, slots=True)
class Cell:
    """Open alerts of one severity and one class of age. ``shade`` is 0 to 4, by how many there are."""

    count: int
    shade: int


@dataclass(frozen=True, slots=True)
class Line:
    """Open alerts of one severity, by age; ``oldest_at`` is None without any."""

    level: str
    count: int
    cells: list[Cell]
    oldest_at: dt.datetime | None
    address: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is open. ``oldest`` is the id of the alert that has waited longest, None when nothing is open.

    ``grave`` counts critical and high ones; ``columns`` are the sums over all severities, by age.
    """

    lines: list[Line]
    ages: list[str]
    total: int
    grave: int
    oldest: int | None
    oldest_at: dt.datetime | None
    columns: list[int]


def waiting(now: dt.datetime | None = None) -> Waiting:
    """Return the open alerts by severity and age: one query, over the open ones alone."""
    now = now or timezone.now()
    level = Case(When(origin=AlertOrigin.BLIND_AUDIT, then=Value(HIDDEN)), default="severity")
    older = [(number, now - end) for number, (end, _) in enumerate(AGES) if end is not None]
    ages = [When(created_at__gt=moment, then=Value(number)) for number, moment in older]
    rows = (
        Alert.objects.filter(status=AlertStatus.OPEN)
        .order_by()
        .annotate(level=level, age=Case(*ages, default=Value(len(AGES) - 1), output_field=IntegerField()))
        .values_list("level", "age")
        .annotate(n=Count("pk"), first=Min("created_at"), number=Min("pk"))
    )
    counts: dict[tuple[str, int], int] = {}
    oldest: dict[str, tuple[dt.datetime, int]] = {}
    for name, age, n, first, number in rows:
        counts[name, age] = n
        oldest[name] = min((first, number), oldest.get(name, (first, number)))
    return _waiting(counts, oldest)


def _waiting(counts: dict[tuple[str, int], int], oldest: dict[str, tuple[dt.datetime, int]]) -> Waiting:
    oldest_at, number = min(oldest.values(), default=(None, None))
    most = max(counts.values(), default=0)
    lines = [_line(level, counts, most, oldest.get(level, (None, 0))[0]) for level in LEVELS]
    return Waiting(
        lines=[line for line in lines if line.level != HIDDEN or line.count],
        ages=[words for _, words in AGES],
        total=sum(counts.values()),
        grave=sum(line.count for line in lines if line.level in (Severity.CRITICAL, Severity.HIGH)),
        oldest=number,
        oldest_at=oldest_at,
        columns=[sum(line.cells[place].count for line in lines) for place in range(len(AGES))],
    )


def _line(level: str, counts: dict[tuple[str, int], int], most: int, oldest_at: dt.datetime | None) -> Line:
    cells = [Cell(n, shade(n, most)) for n in (counts.get((level, number), 0) for number in range(len(AGES)))]
    address = queue_address(mark="blind") if level == HIDDEN else queue_address(severity=level)
    return Line(level, sum(cell.count for cell in cells), cells, oldest_at, address)


def shade(count: int, most: int) -> int:
    """Return how dark a cell is, 0 (nothing) to 4, each step twice the square root of the one before.

    >>> [shade(n, 100) for n in (0, 1, 10, 40, 100)]
    [0, 1, 2, 3, 4]
    """
    if count <= 0 or most <= 0:
        return 0
    return max(1, min(4, int(4 * (count / most) ** 0.5 + 0.9)))
