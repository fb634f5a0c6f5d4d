"""Entities: whom and what alerts and events are about.

Handed: a kind (user, host, address, process) and a name. Hands on: its alerts, its risk by day, and, from a bounded
look at stored events, when it is usually seen, with whom and with what. Everything says how much it rests on. An open
blind audit counts as an alert but tells neither severity nor score.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, When
from django.db.models.functions import TruncDate
from django.utils import timezone

from alerts.models import Alert, AlertOrigin, AlertStatus, DecidedBy, Verdict, VerdictValue
from triage import ecs
from triage.conditions import Any, Condition, Match
from triage.models import Event
from triage.searching.results import search

#: Kind -> ECS fields that hold its name (the first is the alerts' column too), in the order of ``ecs.ENTITY_FIELDS``.
FIELDS: dict[str, tuple[str, ...]] = {
    "user": ("user.name",),
    "host": ("host.name",),
    "address": ("source.ip", "destination.ip"),
    "process": ("process.name",),
}
MAX_NAME = 255
PAGE = 50
MAX_ALERTS = 50
RISK_DAYS = 30
#: Events that activity is told from, and rows of each list of peers.
MAX_EVENTS, MAX_PEERS, SHOWN_EVENTS = 3000, 8, 20
PEERS = (
    ("user", "Users", "user_name"),
    ("host", "Hosts", "host_name"),
    ("address", "Source addresses", "source_ip"),
    ("address", "Destination addresses", "destination_ip"),
    ("process", "Processes", "process_name"),
    ("", "Actions", "event_action"),
)
#: What counts as risk on a day: severities from medium on, worst first.
RISK_LEVELS = ((4, "critical"), (3, "high"), (2, "medium"), (1, "low"), (0, "info"))
#: Open blind audits: neither severity nor score may be told.
BLIND = Q(origin=AlertOrigin.BLIND_AUDIT, status=AlertStatus.OPEN)


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity by kind and name."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """As events and alerts write it."""
        return f"{self.kind}:{self.name}"[:200]

    @property
    def about(self) -> Q:
        """The alerts that are about it, in whatever role."""
        column = ecs.COLUMNS[FIELDS[self.kind][0]]
        return Q(entity=self.key) | Q(**{column: self.name})

    @property
    def condition(self) -> Condition:
        """The events that name it."""
        found: tuple[Condition, ...] = tuple(Match(field, self.name) for field in FIELDS[self.kind])
        return found[0] if len(found) == 1 else Any(found)


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One entity of the list: its alerts, the open ones, and the worst of these (None: none that may be told)."""

    entity: Entity
    alerts: int
    open: int
    worst: int | None
    last_seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class RiskDay:
    """Alerts that came up on a day, by severity, worst first."""

    day: dt.date
    levels: list[tuple[str, int]]
    total: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One severity of one day in the drawing."""

    day: dt.date
    level: str
    count: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class EntityPage:
    """What an entity's page shows at once. Times are None while nothing of it is stored."""

    entity: Entity
    first_seen_at: dt.datetime | None
    last_seen_at: dt.datetime | None
    alerts: list[tuple[Alert, str]]
    total: int
    open: int
    risk: list[RiskDay]
    highest_day: int

    @property
    def bars(self) -> list["Bar"]:
        """The days as stacked bars, in units of the drawing (600 wide, 72 high)."""
        found: list[Bar] = []
        for nth, day in enumerate(self.risk):
            base = 71.0
            for level, count in reversed(day.levels):
                height = round(68 * count / self.highest_day, 1)
                base -= height
                found.append(Bar(day.day, level, count, 20 * nth + 2, round(base, 1), height))
        return found


@dataclass(frozen=True, slots=True)
class Peers:
    """What an entity is seen with: ``(name, events, first seen)``, most frequent first; ``more`` are not listed."""

    kind: str
    label: str
    rows: list[tuple[str, int, dt.datetime]]
    more: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What an entity does, from ``events`` of its newest events (``whole``: all that are stored).

    ``heat`` has seven rows (Monday first) of 24 hours UTC.
    """

    entity: Entity
    events: int
    whole: bool
    since: dt.datetime | None
    heat: list[list[int]]
    hottest: int
    peers: list[Peers]
    newest: list[Event]

    @property
    def hours(self) -> range:
        """The hours of a day."""
        return range(24)

    @property
    def days(self) -> list[tuple[str, list[int]]]:
        """The rows of the heat map with their names."""
        return list(zip(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), self.heat, strict=True))


def entity_of(kind: str, name: str) -> Entity | None:
    """Return an entity, or None for a kind or name that cannot be one."""
    if kind not in FIELDS or not name or len(name) > MAX_NAME or "\0" in name:
        return None
    return Entity(kind, name)


def read_key(key: str) -> Entity | None:
    """Return the entity of ``kind:name`` as alerts and events write it."""
    kind, _, name = key.partition(":")
    return entity_of(kind, name)


def _told(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Leave out open blind audits, whose severity must not be known."""
    return rows.exclude(BLIND)


def listed(*, search_for: str = "", kind: str = "", page: int = 1) -> tuple[list[EntityRow], bool]:
    """Return a page of the entities that have alerts, riskiest first, and whether there are more: one query."""
    rows = Alert.objects.exclude(entity="")
    if kind in FIELDS:
        rows = rows.filter(entity__startswith=f"{kind}:")
    if search_for:
        rows = rows.filter(entity__icontains=search_for)
    is_open = Q(status=AlertStatus.OPEN)
    told = is_open & ~Q(origin=AlertOrigin.BLIND_AUDIT)
    grouped = (
        rows.order_by()
        .values("entity")
        .annotate(
            n=Count("id"),
            n_open=Count("id", filter=is_open),
            worst=Max("severity_rank", filter=told),
            last=Max("last_seen_at"),
        )
    )
    start = (page - 1) * PAGE
    riskiest = grouped.order_by(F("worst").desc(nulls_last=True), "-n_open", "-last", "entity")
    found = list(riskiest[start : start + PAGE + 1])
    listed_rows = [
        EntityRow(known, row["n"], row["n_open"], row["worst"], row["last"])
        for row in found[:PAGE]
        if (known := read_key(row["entity"])) is not None
    ]
    return listed_rows, len(found) > PAGE


def entity_page(entity: Entity, now: dt.datetime | None = None) -> EntityPage:
    """Return an entity's page: six queries."""
    now = now or timezone.now()
    about = Alert.objects.filter(entity.about)
    facts = about.aggregate(
        n=Count("id"), n_open=Count("id", filter=Q(status=AlertStatus.OPEN)),
        first=Min("first_seen_at"), last=Max("last_seen_at"),
    )  # fmt: skip
    seen = Event.objects.filter(entity=entity.key).order_by("timestamp").values_list("timestamp", flat=True)
    firsts = [moment for moment in (facts["first"], seen.first()) if moment]
    lasts = [moment for moment in (facts["last"], seen.reverse().first()) if moment]
    # The place in the list must not tell an open blind audit's severity either.
    rank = Case(When(~BLIND, then=F("severity_rank"))).desc(nulls_last=True)
    newest = about.select_related("source", "assignee").order_by("-status", rank, "-last_seen_at", "-id")
    alerts = list(newest[:MAX_ALERTS])
    outcomes = _outcomes(alerts)
    risk = _risk(_told(about), now)
    return EntityPage(
        entity=entity,
        first_seen_at=min(firsts, default=None),
        last_seen_at=max(lasts, default=None),
        alerts=[(alert, outcomes.get(alert.pk, "")) for alert in alerts],
        total=facts["n"],
        open=facts["n_open"],
        risk=risk,
        highest_day=max((day.total for day in risk), default=0),
    )


def _outcomes(alerts: Sequence[Alert]) -> dict[int, str]:
    """Return alert -> what people decided last, in words."""
    rows = Verdict.standing.filter(alert__in=[alert.pk for alert in alerts], decided_by=DecidedBy.PERSON)
    words = dict(VerdictValue.choices)
    return {pk: str(words[value]) for pk, value in rows.order_by("id").values_list("alert_id", "value")}


def _risk(rows: QuerySet[Alert], now: dt.datetime) -> list[RiskDay]:
    """Return the last days, oldest first; a day without alerts is there too."""
    start = (now - dt.timedelta(days=RISK_DAYS - 1)).date()
    since = dt.datetime.combine(start, dt.time(), dt.UTC)
    by_day = rows.filter(last_seen_at__gte=since).order_by().annotate(day=TruncDate("last_seen_at", tzinfo=dt.UTC))
    cells = by_day.values_list("day", "severity_rank").annotate(n=Count("id"))
    counts = Counter({(day, rank): n for day, rank, n in cells})
    days = [start + dt.timedelta(days=n) for n in range(RISK_DAYS)]
    return [
        RiskDay(day, [(word, counts[day, rank]) for rank, word in RISK_LEVELS if counts[day, rank]],
                sum(counts[day, rank] for rank, _ in RISK_LEVELS))
        for day in days
    ]  # fmt: skip


def is_known(entity: Entity) -> bool:
    """Whether any alert or any of the events that one request may look at names it."""
    if Alert.objects.filter(entity.about).exists() or Event.objects.filter(entity=entity.key).exists():
        return True
    return bool(search(entity.condition, limit=1).events)


def activity(entity: Entity) -> Activity:
    """Return what an entity does, from a bounded look at its newest events."""
    events, whole = _newest(entity)
    heat = [[0] * 24 for _ in range(7)]
    for event in events:
        moment = event.timestamp.astimezone(dt.UTC)
        heat[moment.weekday()][moment.hour] += 1
    return Activity(
        entity=entity,
        events=len(events),
        whole=whole,
        since=min((event.timestamp for event in events), default=None),
        heat=heat,
        hottest=max(map(max, heat)),
        peers=[found for kind, label, column in PEERS if (found := _peers(entity, events, kind, label, column)).rows],
        newest=sorted(events, key=lambda event: (event.timestamp, event.pk), reverse=True)[:SHOWN_EVENTS],
    )


def _newest(entity: Entity) -> tuple[list[Event], bool]:
    """Return the newest events that name it, and whether these are all that are stored.

    A user is always the main entity of its events, which have an index; other kinds are searched for.
    """
    if entity.kind == "user" and len(f"user:{entity.name}") <= 200:
        rows = Event.objects.filter(entity=entity.key).order_by("-timestamp").defer("windows", "reasons")
        found = list(rows[: MAX_EVENTS + 1])
        return found[:MAX_EVENTS], len(found) <= MAX_EVENTS
    looked = search(entity.condition, limit=MAX_EVENTS)
    return looked.events, looked.next is None


def _peers(entity: Entity, events: Sequence[Event], kind: str, label: str, column: str) -> Peers:
    counts: Counter[str] = Counter()
    first: dict[str, dt.datetime] = {}
    for event in events:
        value = getattr(event, column)
        if value and not (kind == entity.kind and value.casefold() == entity.name.casefold()):
            counts[value] += 1
            first[value] = min(first.get(value, event.timestamp), event.timestamp)
    rows = [(value, n, first[value]) for value, n in counts.most_common(MAX_PEERS)]
    return Peers(kind, label, rows, len(counts) - len(rows))
