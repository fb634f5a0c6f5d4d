"""The alert budget: from what people wish to spend to a threshold, with a forecast of what it buys.

Handed: wishes. Hands on: a :class:`Forecast`, and, when a person applies it, an ``AlertPolicy`` row with its audit
entry; every worker takes the newest one up within seconds. The forecast rests on what the serving model said of the
last days, counted as alerts by the same fingerprint as grouping's.
"""

import datetime as dt
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from django.db import transaction
from django.utils import timezone

from alerts import grouping
from alerts.models import LABELS, AlertOrigin, AuditEntry, DecidedBy, Verdict
from alerts.services import audit
from alerts.services.grouping import flagged_event
from triage import documents
from triage.contracts import Rate
from triage.learning import budget
from triage.learning.budget import Decided, Estimate, Wishes
from triage.models import AlertPolicy, BatchStatus, Event, ModelStatus, ModelVersion, RawBatch, event_id

DAYS = 7
#: Events with larger p-values are not looked at: nobody wishes for a tenth of all events as alerts.
MAX_P = 0.1
#: The highest-scored events of a day that are looked at.
MAX_EVENTS_PER_DAY = 4_000
#: Below so many decided or timed alerts nothing is called measured.
MIN_DECIDED, MIN_TIMED = 10, 20
#: The part of a day that must be covered for the day to count as one.
WHOLE_DAY = dt.timedelta(hours=20)


class NoHistoryError(RuntimeError):
    """There is nothing to forecast from; the message says why."""


@dataclass(frozen=True, slots=True)
class History:
    """What the serving model said of whole days, newest last. ``cut`` is the score above which a day is complete."""

    model: ModelVersion
    days: list[list[float]]
    events: int
    p_values: list[tuple[float, float]]
    cut: float
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a threshold buys. None = not measured."""

    threshold: float
    alerts: Estimate
    binding: str
    wishes: Wishes
    precision: Rate | None
    recall: Estimate | None
    more: Estimate | None
    more_precision: Rate | None
    days: int
    events: int
    model: str


def history(now: dt.datetime | None = None) -> History:
    """Return the last days under the serving model; raise :class:`NoHistoryError` when there is less than one."""
    now = now or timezone.now()
    model = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    if model is None:
        raise NoHistoryError("no model serves yet: Winnow is still learning")
    days: list[list[float]] = []
    p_values: list[tuple[float, float]] = []
    events, cut = 0, 0.0
    for number in range(DAYS):
        end = now - dt.timedelta(days=number)
        batches = _batches(model, end - dt.timedelta(days=1), end)
        first = _first(model, batches)
        if first is None or end - first < WHOLE_DAY:
            break
        events += sum(count for _, count in batches)
        rows = _events(model, batches[0][0], batches[-1][0])
        if len(rows) == MAX_EVENTS_PER_DAY:
            cut = max(cut, rows[-1].score or 0.0)
        days.insert(0, _groups(rows))
        p_values += [(row.p_value, row.score) for row in rows if row.p_value is not None and row.score is not None]
    if not days:
        raise NoHistoryError(f"{model.version} has not served for a whole day yet; a forecast needs one")
    return History(model, days, events, p_values, cut, now - dt.timedelta(days=len(days)))


def _batches(model: ModelVersion, start: dt.datetime, end: dt.datetime) -> list[tuple[int, int]]:
    """Return ``(id, events)`` of the batches of a day that the model scored."""
    rows = RawBatch.objects.filter(received_at__gte=start, received_at__lt=end, status=BatchStatus.DONE)
    return list(rows.filter(model_version=model).order_by("id").values_list("pk", "event_count"))


def _first(model: ModelVersion, batches: Sequence[tuple[int, int]]) -> dt.datetime | None:
    """Return when the first of the batches was received."""
    if not batches:
        return None
    return RawBatch.objects.filter(pk=batches[0][0]).values_list("received_at", flat=True).first()


def _events(model: ModelVersion, first: int, last: int) -> list[Event]:
    rows = Event.objects.filter(pk__gte=event_id(first, 0), pk__lt=event_id(last + 1, 0), model_version=model)
    return list(rows.filter(p_value__lte=MAX_P).order_by("-score")[:MAX_EVENTS_PER_DAY])


def _groups(rows: Sequence[Event]) -> list[float]:
    """Return the highest score of every group that would be one alert."""
    documents.prefetch(rows)
    highest: dict[str, float] = defaultdict(float)
    for row in rows:
        key = grouping.fingerprint(flagged_event(row))
        highest[key] = max(highest[key], row.score or 0.0)
    return sorted(highest.values(), reverse=True)


def forecast(*, wishes: Wishes, found: History | None = None) -> Forecast:
    """Return the threshold that wishes lead to and what it buys; raise :class:`NoHistoryError` or ``ValueError``."""
    found = found or history()
    limits = wishes.limits()
    if wishes.false_discoveries is not None:
        chosen = budget.discovery_threshold(found.p_values, found.events, wishes.false_discoveries)
        if chosen is None:
            raise ValueError(f"no event is unusual enough for at most {wishes.false_discoveries:.0%} false discoveries")
        threshold, binding = chosen, "false discoveries"
    elif limits:
        binding = min(limits, key=lambda name: limits[name])
        threshold = max(budget.threshold_for(found.days, limits[binding]), found.cut)
    else:
        raise ValueError("say what may be spent: alerts, hours or USD a day")
    decided = decisions(found.since)
    estimate = budget.alerts_per_day(found.days, threshold)
    lower = max(budget.threshold_for(found.days, estimate.value + budget.MORE_ALERTS), found.cut)
    more = budget.alerts_per_day(found.days, lower)
    right = _enough(budget.precision(decided, threshold))
    return Forecast(
        threshold=threshold,
        alerts=estimate,
        binding=binding,
        wishes=wishes,
        precision=right,
        recall=budget.recall(right, estimate.value * len(found.days), audits(found.since)),
        more=replace(more, value=more.value - estimate.value) if lower < threshold else None,
        more_precision=budget.precision(decided, lower, threshold),
        days=len(found.days),
        events=found.events,
        model=found.model.version,
    )


def _enough(rate: Rate | None) -> Rate | None:
    return rate if rate is not None and rate.n >= MIN_DECIDED else None


def usual_minutes() -> Estimate | None:
    """Return how many minutes people took from taking an alert to its verdict: the median with its interval.

    None below twenty alerts. The interval is that of order statistics (binomial).
    """
    since = timezone.now() - dt.timedelta(days=30)
    rows = AuditEntry.objects.filter(
        created_at__gte=since, actor_kind=DecidedBy.PERSON, action__in=["assign", "verdict"]
    )
    taken: dict[tuple[int | None, str], dt.datetime] = {}
    found: list[float] = []
    for alert, actor, action, when in rows.order_by("id").values_list("alert_id", "actor", "action", "created_at"):
        if action == "assign":
            taken[alert, actor] = when
        elif (began := taken.pop((alert, actor), None)) is not None:
            found.append((when - began).total_seconds() / 60)
    if len(found) < MIN_TIMED:
        return None
    from scipy.stats import binom  # the web process starts without it

    found.sort()
    low, high = (int(place) for place in binom.ppf((0.025, 0.975), len(found), 0.5))
    return Estimate(statistics.median(found), found[low], found[min(high, len(found) - 1)], len(found), "median")


def decisions(since: dt.datetime) -> list[Decided]:
    """Return the flagged alerts since a time that people decided on."""
    rows = Verdict.standing.filter(decided_by=DecidedBy.PERSON, alert__origin=AlertOrigin.FLAGGED)
    rows = rows.filter(alert__last_seen_at__gte=since, alert__score__isnull=False).order_by("id")
    newest = {alert: (score, value) for alert, score, value in rows.values_list("alert_id", "alert__score", "value")}
    return [Decided(score or 0.0, LABELS[value] == 1) for score, value in newest.values() if value in LABELS]


def audits(since: dt.datetime) -> list[tuple[bool, float]]:
    """Return, per blind audit since a time that was decided, whether it was true and how likely it was drawn."""
    rows = Verdict.standing.filter(decided_by=DecidedBy.PERSON, alert__origin=AlertOrigin.BLIND_AUDIT)
    rows = rows.filter(alert__created_at__gte=since, alert__inclusion_probability__gt=0).order_by("id")
    names = ("alert_id", "alert__inclusion_probability", "value")
    newest = {alert: (chance, value) for alert, chance, value in rows.values_list(*names)}
    return [(LABELS[value] == 1, chance) for chance, value in newest.values() if value in LABELS]


def apply(*, found: Forecast, by: str) -> AlertPolicy:
    """Let a forecast's threshold count because a person says so; raise ``ValueError`` when its model is gone."""
    return _store(found, by, DecidedBy.PERSON)


def _store(found: Forecast, actor: str, kind: str) -> AlertPolicy:
    with transaction.atomic():
        model = ModelVersion.objects.filter(version=found.model, status=ModelStatus.CHAMPION).first()
        if model is None:
            raise ValueError(f"{found.model} no longer serves; look at the forecast again")
        row = AlertPolicy.objects.create(
            created_by=actor,
            wishes=asdict(found.wishes),
            model_version=model,
            threshold=found.threshold,
            forecast=asdict(found),
        )
        details = {"policy": row.pk, "model": model.version, "threshold": found.threshold, "wishes": row.wishes}
        audit.record(action="set_alert_budget", actor=actor, kind=kind, details=details)
    return row


def keep_up(now: dt.datetime | None = None) -> AlertPolicy | None:
    """Bring the threshold up to date with the standing wishes, once a day; return the new policy, or None.

    Nobody's wish, nothing to do: the share of events that the model was trained to flag holds.
    """
    now = now or timezone.now()
    last = AlertPolicy.objects.order_by("-id").first()
    if last is None:
        return None
    try:
        found = history(now)
    except NoHistoryError:
        return None
    if last.model_version_id == found.model.pk and now - last.created_at < dt.timedelta(hours=20):
        return None
    known = {name: last.wishes[name] for name in Wishes.__dataclass_fields__ if name in last.wishes}
    again = forecast(wishes=Wishes(**known), found=found)
    return _store(again, "budget", DecidedBy.AUTOMATION)
