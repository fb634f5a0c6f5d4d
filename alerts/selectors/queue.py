"""The queue: which alerts match a filter, in priority order, page by page.

Handed: a :class:`QueueFilter` and a cursor. Hands on: a page of alerts, counts over the whole result (not
the page) and what has arrived since. Order: place, then severity, last seen and id, all descending. An alert's place
is its P(worth an analyst's time); what was not ranked has the highest place there is, so it is never buried, and while
nothing is ranked all places are equal and severity decides. The cursor is the order key of the last row, so rows that
arrive meanwhile never shift a page (one that is ranked anew meanwhile may move past the cursor).
"""

import datetime as dt
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.http import QueryDict

from alerts.models import Alert, AlertOrigin, AlertStatus, Severity
from triage.models import Source

PAGE_SIZE = 50
MAX_SEARCH_CHARACTERS = 200
ORDER = ("-place", "-severity_rank", "-last_seen_at", "-id")
STATUSES = (AlertStatus.OPEN.value, AlertStatus.CLOSED.value, "all")


class FilterError(ValueError):
    """A filter parameter has a value that means nothing; the message names the parameter."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What of the queue to show. ``source`` is a source's id, 0 for every source."""

    status: str = AlertStatus.OPEN.value
    severity: str = ""
    source: int = 0
    search: str = ""

    @classmethod
    def read(cls, parameters: QueryDict) -> "QueueFilter":
        """Read ``status``, ``severity``, ``source`` and ``q`` of a query string; raise :class:`FilterError`."""
        status = parameters.get("status", "") or AlertStatus.OPEN.value
        severity = parameters.get("severity", "")
        source = parameters.get("source", "") or "0"
        if status not in STATUSES:
            raise FilterError(f"status: one of {', '.join(STATUSES)}")
        if severity and severity not in Severity.values:
            raise FilterError(f"severity: one of {', '.join(Severity.values)}")
        if not (source.isascii() and source.isdigit() and len(source) <= 15):
            raise FilterError("source: the number of a source")
        search = parameters.get("q", "").replace("\0", "").strip()[:MAX_SEARCH_CHARACTERS]
        return cls(status=status, severity=severity, source=int(source), search=search)

    def query(self, **changes: str | int) -> str:
        """Return the query string of this filter with some parts changed; defaults are left out."""
        other = replace(self, **changes)  # type: ignore[arg-type]  # keyword names are checked by replace()
        pairs = {"status": other.status, "severity": other.severity, "source": other.source, "q": other.search}
        defaults = {"status": AlertStatus.OPEN.value, "severity": "", "source": 0, "q": ""}
        return urlencode({key: value for key, value in pairs.items() if value != defaults[key]})

    @property
    def narrowed(self) -> bool:
        """Whether anything beyond the default is asked for."""
        return self != QueueFilter()


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of alerts, and the cursor of the next one (empty at the end)."""

    alerts: list[Alert]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One choice of a filter: its value, its label, how many alerts it would show, whether it is chosen."""

    value: str
    label: str
    count: int
    chosen: bool
    query: str


@dataclass(frozen=True, slots=True)
class Facets:
    """Every choice with its count over the whole result of the other filters."""

    statuses: list[Facet]
    severities: list[Facet]
    sources: list[Facet]
    total: int


def _searched(search: str) -> QuerySet[Alert]:
    rows = Alert.objects.all()
    if not search:
        return rows
    columns = ("title", "entity", "host_name", "user_name", "source_ip")
    matches = Q()
    for column in columns:
        matches |= Q(**{f"{column}__icontains": search})
    return rows.filter(matches)


def matching(wanted: QueueFilter) -> QuerySet[Alert]:
    """Return the alerts a filter asks for, unordered."""
    rows = _searched(wanted.search)
    if wanted.status != "all":
        rows = rows.filter(status=wanted.status)
    if wanted.severity:
        # A severity on a blind-audit alert would say what the reviewer must not know.
        rows = rows.filter(severity=wanted.severity).exclude(origin=AlertOrigin.BLIND_AUDIT, status="open")
    if wanted.source:
        rows = rows.filter(source_id=wanted.source)
    return rows


def _shown(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Add what a row shows; a ranking's state is large and nothing of it is shown."""
    return rows.select_related("source", "assignee", "ranking").defer("ranking__state", "ranking__report")


def page(wanted: QueueFilter, *, cursor: str = "", size: int = PAGE_SIZE) -> QueuePage:
    """Return one page in priority order: one query. Raises :class:`FilterError` for a broken cursor."""
    rows = _shown(matching(wanted))
    if cursor:
        rows = rows.filter(_after(cursor))
    found = list(rows.order_by(*ORDER)[: size + 1])
    more = len(found) > size
    return QueuePage(alerts=found[:size], next_cursor=cursor_of(found[size - 1]) if more else "")


def cursor_of(alert: Alert) -> str:
    """Return the cursor that continues after an alert."""
    return f"{alert.place!r}~{alert.severity_rank}~{alert.last_seen_at.astimezone(dt.UTC).isoformat()}~{alert.pk}"


def _after(cursor: str) -> Q:
    try:
        place_text, rank_text, seen_text, id_text = cursor.split("~")
        place, rank, identifier = float(place_text), int(rank_text), int(id_text)
        seen = dt.datetime.fromisoformat(seen_text)
    except ValueError as error:
        raise FilterError("cursor: not one that this list handed out") from error
    if seen.tzinfo is None or not (0 <= place <= 1 and 0 <= rank < 2**15 and 0 <= identifier < 2**63):
        raise FilterError("cursor: not one that this list handed out")
    later = (
        Q(severity_rank__lt=rank)
        | Q(severity_rank=rank, last_seen_at__lt=seen)
        | Q(severity_rank=rank, last_seen_at=seen, id__lt=identifier)
    )
    return Q(place__lt=place) | (Q(place=place) & later)


def facets(wanted: QueueFilter) -> Facets:
    """Return every filter choice with its count: two queries."""
    rows = _searched(wanted.search).order_by().values_list("status", "severity", "source_id")
    groups = list(rows.annotate(n=Count("id")))

    def count(status: str = wanted.status, severity: str = wanted.severity, source: int = wanted.source) -> int:
        return sum(
            n
            for its_status, its_severity, its_source, n in groups
            if status in ("all", its_status) and severity in ("", its_severity) and source in (0, its_source)
        )

    statuses = [
        Facet(value, value.capitalize(), count(status=value), wanted.status == value, wanted.query(status=value))
        for value in STATUSES
    ]
    severities = [
        Facet(value, label, count(severity=value), wanted.severity == value,
              wanted.query(severity="" if wanted.severity == value else value))
        for value, label in reversed(Severity.choices)
    ]  # fmt: skip
    sources = [
        Facet(str(pk), name, count(source=pk), wanted.source == pk,
              wanted.query(source=0 if wanted.source == pk else pk))
        for pk, name in Source.objects.values_list("pk", "name")
    ]  # fmt: skip
    return Facets(statuses=statuses, severities=severities, sources=sources, total=count())


def newest_id() -> int:
    """Return the highest alert id, 0 when there is none: the mark that "new" is counted from."""
    return Alert.objects.order_by("-id").values_list("id", flat=True).first() or 0


def arrived(wanted: QueueFilter, after_id: int) -> int:
    """Return how many matching alerts have come since: one query."""
    return matching(wanted).filter(id__gt=after_id).count()


def arrivals(wanted: QueueFilter, after_id: int, up_to_id: int) -> list[Alert]:
    """Return matching alerts with ``after_id < id <= up_to_id``, highest priority first: one query."""
    rows = _shown(matching(wanted).filter(id__gt=after_id, id__lte=up_to_id))
    return list(rows.order_by(*ORDER))
