"""Similar past alerts with what became of them: of the same kind, and of the same entity.

Handed: an alert. Hands on: counts and the newest few, for reading, never for scoring: what was decided on another alert
is not decided on this one. Only standing verdicts of people count. Blind audits are left out, and while the alert
itself is one that nobody has decided, nothing is told: it would say what others thought. Five queries at most.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from alerts.models import Alert, AlertOrigin, DecidedBy, Verdict, VerdictValue
from alerts.selectors.alert import is_blind

DAYS = 30
#: Alerts that are counted; more are told as "at least".
MAX_COUNTED = 1000
SHOWN = 5
#: Verdict -> what it is called in a count, in this order.
OUTCOMES: dict[str, str] = {
    VerdictValue.TP_IMPACT: "true positive",
    VerdictValue.TP_NO_IMPACT: "true positive",
    VerdictValue.BENIGN_TP: "benign",
    VerdictValue.FP_LOGIC: "false positive",
    VerdictValue.FP_DATA: "false positive",
    VerdictValue.DUPLICATE: "duplicate",
    VerdictValue.UNDETERMINED: "undetermined",
}
UNDECIDED = "undecided"
_ORDER = (*dict.fromkeys(OUTCOMES.values()), UNDECIDED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many ended so."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The newest standing verdict of a person on one alert."""

    words: str
    name: str
    by: str
    at: dt.datetime
    note: str


@dataclass(frozen=True, slots=True)
class Past:
    """One similar alert; ``decision`` is None while nobody has decided."""

    alert: Alert
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Group:
    """Similar alerts for one reason; ``more`` tells that there are more than were counted."""

    total: int
    more: bool
    outcomes: list[Outcome]
    newest: list[Past]

    @property
    def decided(self) -> int:
        """How many of them a person has decided on."""
        return sum(one.count for one in self.outcomes if one.name != UNDECIDED)


@dataclass(frozen=True, slots=True)
class Similar:
    """Alerts like one alert in :data:`DAYS` days; a group is None where there is nothing to compare by.

    The days are the last ones, and of an older alert those before its last event, which ``until`` then names.
    """

    alert: Alert
    hidden: bool
    until: dt.datetime | None = None
    days: int = DAYS
    kind: Group | None = None
    entity: Group | None = None


def similar(alert: Alert) -> Similar:
    """Return what is known of alerts like this one."""
    if is_blind(alert):
        return Similar(alert, hidden=True)
    span, now = dt.timedelta(days=DAYS), timezone.now()
    until = alert.last_seen_at if alert.last_seen_at < now - span else None
    rows = Alert.objects.filter(last_seen_at__gte=(until or now) - span)
    rows = rows.filter(last_seen_at__lte=until) if until else rows
    rows = rows.exclude(pk=alert.pk).exclude(origin=AlertOrigin.BLIND_AUDIT)
    same_kind = rows.filter(template=alert.template) if alert.template else None
    same_entity = rows.filter(entity=alert.entity) if alert.entity else None
    if same_entity is not None and alert.template:
        same_entity = same_entity.exclude(template=alert.template)
    groups = (same_kind, same_entity)
    counted = [_counted(group) if group is not None else None for group in groups]
    newest = [pk for found in counted if found for pk, _ in found[:SHOWN]]
    shown = Alert.objects.only("title", "entity", "severity", "status", "last_seen_at", "event_count").in_bulk(newest)
    decisions = _decisions(newest)
    kind, entity = (_group(found, shown, decisions) if found is not None else None for found in counted)
    return Similar(alert, hidden=False, until=until, kind=kind, entity=entity)


def _counted(alerts: QuerySet[Alert]) -> list[tuple[int, str | None]]:
    """Return number and newest standing verdict of each alert, newest first, at most one more than are counted."""
    standing = Verdict.standing.filter(alert=OuterRef("pk"), decided_by=DecidedBy.PERSON).order_by("-id")
    rows = alerts.order_by("-last_seen_at", "-id").annotate(outcome=Subquery(standing.values("value")[:1]))
    return list(rows.values_list("pk", "outcome")[: MAX_COUNTED + 1])


def _decisions(alert_ids: list[int]) -> dict[int, Decision]:
    rows = Verdict.standing.filter(alert__in=alert_ids, decided_by=DecidedBy.PERSON).select_related("user")
    found: dict[int, Decision] = {}
    for row in rows.order_by("-id"):
        by = row.user.get_username() if row.user else ""
        name = OUTCOMES.get(row.value, row.value)
        decision = Decision(row.get_value_display(), name, by, row.created_at, row.note)
        found.setdefault(row.alert_id, decision)
    return found


def _group(found: list[tuple[int, str | None]], shown: dict[int, Alert], decisions: dict[int, Decision]) -> Group:
    counted = found[:MAX_COUNTED]
    newest = [Past(shown[pk], decisions.get(pk)) for pk, _ in counted[:SHOWN] if pk in shown]
    return Group(len(counted), len(found) > MAX_COUNTED, list(_outcomes(counted)), newest)


def _outcomes(counted: list[tuple[int, str | None]]) -> Iterator[Outcome]:
    numbers = Counter(UNDECIDED if value is None else OUTCOMES.get(value, value) for _, value in counted)
    for name in _ORDER:
        if numbers[name]:
            yield Outcome(name, numbers[name])
