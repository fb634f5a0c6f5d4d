"""The queue as groups: alerts of one kind together, within them by entity.

Handed: a :class:`QueueFilter`, by what to group, and a cursor. Hands on: a page of groups in the order of their most
urgent alert, each with counts over all its alerts (not the page) and that alert itself. Three queries: a walk down the
queue that meets each group at its most urgent alert, the counts of the groups it met, and those alerts. Only when very
many alerts of few kinds stand first is a fourth one needed. The cursor is that of the last group's alert
(:mod:`alerts.selectors.queue`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Case, Count, F, Max, Q, QuerySet, Sum, When, Window
from django.db.models.functions import RowNumber

from alerts.models import Alert
from alerts.selectors.queue import ORDER, after, cursor_of, shown
from alerts.selectors.queue_filter import FilterError, QueueFilter, matching

GROUPS = 50
BY = ("template", "entity")
#: Alerts that are walked through before all of them are ranked within their groups: nearly always enough for a page.
WALK = 2_000


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that are alike. ``top`` is the most urgent of them; ``query`` asks the queue for them alone."""

    key: str
    top: Alert
    alerts: int
    events: int
    entities: int
    severity_rank: int
    query: str

    @property
    def more(self) -> int:
        """How many alerts there are beside the one that stands for the group."""
        return self.alerts - 1


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of groups, and the cursor of the next one (empty at the end)."""

    groups: list[Group]
    next_cursor: str


def page(
    wanted: QueueFilter, *, by: str = "template", cursor: str = "", size: int = GROUPS, without: int = 0
) -> GroupPage:
    """Return one page of groups, leaving one alert out (``without``).

    Raises :class:`FilterError` for a broken cursor or an unknown ``by``.
    """
    if by not in BY:
        raise FilterError(f"by: one of {', '.join(BY)}")
    rows = matching(wanted).exclude(pk=without)
    met = _met(rows, by, cursor, size + 1)
    tops = dict(list(met.items())[:size])
    alerts, counts = shown(Alert.objects.filter(pk__in=tops.values())).in_bulk(), _counts(rows, by, list(tops))
    # What was decided between the queries is gone.
    groups = [
        Group(key, alerts[pk], *counts[key], query=wanted.query(**{by: key}))
        for key, pk in tops.items()
        if pk in alerts and key in counts
    ]
    return GroupPage(groups, cursor_of(groups[-1].top) if groups and len(met) > size else "")


def _keyed(rows: QuerySet[Alert], by: str) -> Any:
    """Add the group's key; an alert whose kind is not known is a kind of its own."""
    if by == "entity":
        return rows.annotate(key=F("entity"))
    return rows.annotate(key=Case(When(template="", then=F("fingerprint")), default=F("template")))


def _met(rows: QuerySet[Alert], by: str, cursor: str, size: int) -> dict[str, int]:
    """Return the groups in order, by key the number of their most urgent alert; beyond a cursor those not yet met."""
    ahead = _keyed(rows, by)
    if cursor:
        beyond = after(cursor)
        ahead = ahead.filter(beyond).exclude(key__in=_keyed(rows.exclude(beyond), by).order_by().values("key"))
    walked = list(ahead.order_by(*ORDER).values_list("pk", "key")[:WALK])
    met = _firsts(walked, size)
    if len(met) == size or len(walked) < WALK:
        return met
    order = [F(name.removeprefix("-")).desc() for name in ORDER]
    ranked = ahead.annotate(nth=Window(RowNumber(), partition_by=[F("key")], order_by=order)).filter(nth=1)
    return _firsts(ranked.order_by(*ORDER).values_list("pk", "key")[:size], size)


def _firsts(pairs: Iterable[tuple[int, str]], size: int) -> dict[str, int]:
    met: dict[str, int] = {}
    for pk, key in pairs:
        if key not in met:
            if len(met) == size:
                break
            met[key] = pk
    return met


def _counts(rows: QuerySet[Alert], by: str, keys: list[str]) -> dict[str, tuple[int, int, int, int]]:
    """Return alerts, events, entities and highest severity by key.

    Counted by entity first and these then summed: a database sorts every alert to count distinct entities directly.
    """
    if not keys:
        return {}
    asked = Q(entity__in=keys) if by == "entity" else Q(template__in=keys) | Q(template="", fingerprint__in=keys)
    pairs = _keyed(rows.filter(asked), by).order_by().values("key", "entity").annotate(
        n=Count("id"), its_events=Sum("event_count"), its_rank=Max("severity_rank")
    )  # fmt: skip
    inner, values = pairs.query.sql_with_params()
    summed = 'SELECT "key", SUM("n"), SUM("its_events"), COUNT(*), MAX("its_rank")'
    with connection.cursor() as link:
        link.execute(f'{summed} FROM ({inner}) AS pairs GROUP BY "key"', values)
        found = link.fetchall()
    return {key: (int(n), int(events), int(entities), int(rank)) for key, n, events, entities, rank in found}
