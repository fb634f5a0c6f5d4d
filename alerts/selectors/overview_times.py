"""How long alerts wait for a person: time to first action and to verdict, by severity, owner and source.

Handed: a span. Hands on: medians and 90th percentiles of the alerts opened in it, each with its n. Percentiles are
those of what has happened; how many still wait stands beside them, because of a queue that nobody works on only the
fast answers are known. Muted alerts and blind audits are left out: nobody is waited for, or nothing may be told.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from alerts.models import Alert, AlertOrigin, AlertStatus, Severity
from alerts.selectors.overview import Span, queue_address
from triage.models import Source, User

#: Owners and sources shown, those with the most alerts first.
MAX_LINES = 8
SHARES = (0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds something took: median and 90th percentile of ``n``; None = not measured."""

    median: float | None
    p90: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Line:
    """One severity, owner or source: ``opened`` alerts of which ``untouched`` are open and wait for a first action."""

    key: str
    label: str
    opened: int
    untouched: int
    first_action: Took
    verdict: Took
    address: str


@dataclass(frozen=True, slots=True)
class Times:
    """All alerts of a span, and the same by severity, owner and source. ``longest`` scales the bars."""

    all: Line
    severities: list[Line]
    owners: list[Line]
    sources: list[Line]
    more_owners: int
    more_sources: int


@dataclass(frozen=True, slots=True)
class Group:
    """What one group of alerts took, before it has a name."""

    opened: int
    untouched: int
    first_action: Took
    verdict: Took


NOBODY = Group(0, 0, Took(None, None, 0), Took(None, None, 0))
#: (what it is grouped by, the value): ``("all", None)``, ``("severity", "high")``, ``("owner", 3)``, ``("source", 7)``.
Groups = dict[tuple[str, Any], Group]
#: Of one alert: whether it waits for a first action, and the seconds to it and to the verdict.
Figures = tuple[bool, float | None, float | None]


def times(span: Span) -> Times:
    """Return the figures: three queries, however many alerts there are."""
    groups = _in_database(span) if connection.vendor == "postgresql" else _in_memory(span)
    owners = _most(groups, "owner")
    sources = _most(groups, "source")
    names = dict(User.objects.filter(pk__in=[key for key, _ in owners if key]).values_list("pk", "username"))
    named = dict(Source.objects.filter(pk__in=[key for key, _ in sources]).values_list("pk", "name"))
    return Times(
        all=_line("", "All", groups.get(("all", None), NOBODY), queue_address(status="all")),
        severities=[
            _line(level, label, groups[("severity", level)], queue_address(status="all", severity=level))
            for level, label in reversed(Severity.choices)
            if ("severity", level) in groups
        ],
        owners=[_owner(key, names, group) for key, group in owners[:MAX_LINES]],
        sources=[
            _line(str(key), named.get(key, "deleted"), group, queue_address(status="all", source=key))
            for key, group in sources[:MAX_LINES]
        ],
        more_owners=max(len(owners) - MAX_LINES, 0),
        more_sources=max(len(sources) - MAX_LINES, 0),
    )


def _owner(key: int | None, names: dict[int, str], group: Group) -> Line:
    label = "nobody" if key is None else names.get(key, "deleted")
    address = queue_address(status="all", assignee="nobody" if key is None else key)
    return _line("" if key is None else str(key), label, group, address)


def _line(key: str, label: str, group: Group, address: str) -> Line:
    return Line(key, label, group.opened, group.untouched, group.first_action, group.verdict, address)


def _most(groups: Groups, kind: str) -> list[tuple[Any, Group]]:
    found = [(key, group) for (its_kind, key), group in groups.items() if its_kind == kind]
    return sorted(found, key=lambda item: (-item[1].opened, item[0] is None, item[0]))


#: Read once and narrow, because every grouping set sorts the rows anew.
_SQL = f"""
    WITH found AS MATERIALIZED (
        SELECT severity, assignee_id, source_id, status = %s AND first_action_at IS NULL AS untouched,
            DATE_PART('epoch', first_action_at - created_at) AS acted,
            DATE_PART('epoch', decided_at - created_at) AS decided
        FROM {Alert._meta.db_table}
        WHERE created_at >= %s AND created_at < %s AND origin = %s AND status <> %s
    )
    SELECT GROUPING(severity, assignee_id, source_id), severity, assignee_id, source_id, COUNT(*),
        COUNT(*) FILTER (WHERE untouched), COUNT(acted), COUNT(decided),
        PERCENTILE_DISC(ARRAY[{SHARES[0]}, {SHARES[1]}]) WITHIN GROUP (ORDER BY acted),
        PERCENTILE_DISC(ARRAY[{SHARES[0]}, {SHARES[1]}]) WITHIN GROUP (ORDER BY decided)
    FROM found
    GROUP BY GROUPING SETS ((), (severity), (assignee_id), (source_id))
"""  # noqa: S608 - a table's and two numbers' own names, nothing from outside
#: Bits of GROUPING(): a set bit is a column that was not grouped by.
_KINDS = {7: "all", 3: "severity", 5: "owner", 6: "source"}


def _in_database(span: Span) -> Groups:
    wanted = (str(AlertStatus.OPEN), span.start, span.end, str(AlertOrigin.FLAGGED), str(AlertStatus.MUTED))
    with connection.cursor() as cursor:
        cursor.execute(_SQL, wanted)
        rows = cursor.fetchall()
    found: Groups = {}
    for bits, severity, owner, source, opened, untouched, acted, decided, action, verdict in rows:
        if not opened:
            continue
        kind = _KINDS[bits]
        key = {"all": None, "severity": severity, "owner": owner, "source": source}[kind]
        found[kind, key] = Group(opened, untouched, _took(action, acted), _took(verdict, decided))
    return found


def _took(percentiles: list[float] | None, n: int) -> Took:
    return Took(percentiles[0], percentiles[1], n) if n and percentiles else Took(None, None, 0)


def _in_memory(span: Span) -> Groups:
    """Do the same where the database knows no percentiles."""
    rows = Alert.objects.filter(created_at__gte=span.start, created_at__lt=span.end, origin=AlertOrigin.FLAGGED)
    names = ("severity", "assignee_id", "source_id", "status", "created_at", "first_action_at", "decided_at")
    kept: dict[tuple[str, Any], list[Figures]] = defaultdict(list)
    for severity, owner, source, status, created, acted, decided in (
        rows.exclude(status=AlertStatus.MUTED).order_by().values_list(*names).iterator()
    ):
        untouched = status == AlertStatus.OPEN and acted is None
        figures = (untouched, _seconds(created, acted), _seconds(created, decided))
        for key in (("all", None), ("severity", severity), ("owner", owner), ("source", source)):
            kept[key].append(figures)
    return {key: _group(items) for key, items in kept.items()}


def _group(items: list[Figures]) -> Group:
    untouched, acted, decided = zip(*items, strict=True)
    return Group(len(items), sum(untouched), _of(acted), _of(decided))


def _seconds(start: dt.datetime, end: dt.datetime | None) -> float | None:
    return None if end is None else (end - start).total_seconds()


def _of(values: Iterable[float | None]) -> Took:
    known = sorted(value for value in values if value is not None)
    if not known:
        return Took(None, None, 0)
    median, p90 = (known[max(math.ceil(share * len(known)) - 1, 0)] for share in SHARES)
    return Took(median, p90, len(known))
