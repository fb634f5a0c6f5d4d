"""The queue: which alerts match a filter, in priority order, page by page.

Handed: a :class:`QueueFilter` and a cursor. Hands on: a page of alerts, and what has arrived since. Order: place, then
severity, last seen and id, all descending. An alert's place is its P(worth an analyst's time); what was not ranked
stands above all that was, so it is never buried, and what a person escalated above that; while nothing is ranked or
escalated all places are equal and severity decides. The cursor is the order key of the last row, so rows that arrive
meanwhile never shift a page (one that is ranked anew meanwhile may move past the cursor).
"""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from alerts.models import Alert
from alerts.selectors.queue_filter import FilterError, QueueFilter, matching

__all__ = ["FilterError", "QueueFilter", "QueuePage", "arrivals", "arrived", "matching", "newest_id", "page"]

PAGE_SIZE = 50
ORDER = ("-place", "-severity_rank", "-last_seen_at", "-id")
#: Places above those of the ranking: what was escalated.
HIGHEST_PLACE = 2.0


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of alerts, and the cursor of the next one (empty at the end)."""

    alerts: list[Alert]
    next_cursor: str


def shown(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Add what a row shows; a ranking's state is large and nothing of it is shown."""
    return rows.select_related("source", "assignee", "ranking").defer("ranking__state", "ranking__report")


def page(wanted: QueueFilter, *, cursor: str = "", size: int = PAGE_SIZE, without: int = 0) -> QueuePage:
    """Return one page in priority order, leaving one alert out (``without``): one query.

    Raises :class:`FilterError` for a broken cursor.
    """
    rows = shown(matching(wanted).exclude(pk=without))
    if cursor:
        rows = rows.filter(after(cursor))
    found = list(rows.order_by(*ORDER)[: size + 1])
    more = len(found) > size
    return QueuePage(alerts=found[:size], next_cursor=cursor_of(found[size - 1]) if more else "")


def cursor_of(alert: Alert) -> str:
    """Return the cursor that continues after an alert."""
    return f"{alert.place!r}~{alert.severity_rank}~{alert.last_seen_at.astimezone(dt.UTC).isoformat()}~{alert.pk}"


def after(cursor: str) -> Q:
    """Return what stands below a cursor; raise :class:`FilterError` for one that is broken."""
    try:
        place_text, rank_text, seen_text, id_text = cursor.split("~")
        place, rank, identifier = float(place_text), int(rank_text), int(id_text)
        seen = dt.datetime.fromisoformat(seen_text)
    except ValueError as error:
        raise FilterError("cursor: not one that this list handed out") from error
    if seen.tzinfo is None or not (0 <= place <= HIGHEST_PLACE and 0 <= rank < 2**15 and 0 <= identifier < 2**63):
        raise FilterError("cursor: not one that this list handed out")
    later = (
        Q(severity_rank__lt=rank)
        | Q(severity_rank=rank, last_seen_at__lt=seen)
        | Q(severity_rank=rank, last_seen_at=seen, id__lt=identifier)
    )
    return Q(place__lt=place) | (Q(place=place) & later)


def newest_id() -> int:
    """Return the highest alert id, 0 when there is none: the mark that "new" is counted from."""
    return Alert.objects.order_by("-id").values_list("id", flat=True).first() or 0


def arrived(wanted: QueueFilter, after_id: int) -> int:
    """Return how many matching alerts have come since: one query."""
    return matching(wanted).filter(id__gt=after_id).count()


def arrivals(wanted: QueueFilter, after_id: int, up_to_id: int) -> list[Alert]:
    """Return matching alerts with ``after_id < id <= up_to_id``, highest priority first: one query."""
    rows = shown(matching(wanted).filter(id__gt=after_id, id__lte=up_to_id))
    return list(rows.order_by(*ORDER))
