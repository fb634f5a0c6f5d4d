"""What the ranking learns from and what it ranks, as facts without rows.

Handed: alerts, or nothing. Hands on: :class:`~triage.learning.ranking_facts.AlertFacts` and what people decided. Only
the newest verdict of a person counts (see :mod:`alerts.selectors.labels`); automation's own closures never do. Blind
audits are neither learned from nor ranked.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery

from alerts.models import Alert, AlertEvent, AlertOrigin, AlertStatus, DecidedBy, RankingModel, RankingStatus, Verdict
from alerts.selectors import labels
from triage.contracts import Reason
from triage.learning.ranking import Decided
from triage.learning.ranking_facts import AlertFacts

#: The newest verdicts that are learned from.
MAX_LABELS = 5_000
#: Rows per statement; below SQLite's limit of bound variables.
CHUNK = 500


def active() -> RankingModel | None:
    """Return the ranking that orders the queue now."""
    return RankingModel.objects.filter(status=RankingStatus.ACTIVE).first()


def newest() -> RankingModel | None:
    """Return the newest try, used or not."""
    return RankingModel.objects.defer("state").order_by("-id").first()


def newest_verdict_id() -> int:
    """Return the highest id of a person's verdict, 0 when there is none."""
    rows = Verdict.standing.filter(decided_by=DecidedBy.PERSON)
    return rows.order_by("-id").values_list("id", flat=True).first() or 0


def verdicts_after(verdict_id: int) -> int:
    """Return how many verdicts of people came after one."""
    return Verdict.standing.filter(decided_by=DecidedBy.PERSON, id__gt=verdict_id).count()


def withdrawn_after(moment: dt.datetime) -> bool:
    """Return whether a person has taken a verdict back since."""
    return Verdict.objects.filter(decided_by=DecidedBy.PERSON, withdrawn_at__gt=moment).exists()


def decided() -> list[Decided]:
    """Return the alerts people decided, the newest :data:`MAX_LABELS`, in the order of their decisions."""
    label_of = labels.alert_labels()
    rows = (
        Verdict.standing.filter(decided_by=DecidedBy.PERSON).order_by("id").values_list("alert_id", "id", "created_at")
    )
    newest_of = {alert: (number, moment) for alert, number, moment in rows if alert in label_of}
    chosen = sorted(newest_of, key=newest_of.__getitem__)[-MAX_LABELS:]
    known: dict[int, AlertFacts] = {}
    for start in range(0, len(chosen), CHUNK):
        part = with_reasons(Alert.objects.filter(pk__in=chosen[start : start + CHUNK]))
        known |= {alert.pk: facts(alert) for alert in part}
    moments = {alert: newest_of[alert][1].timestamp() for alert in chosen}
    return [Decided(known[alert], label_of[alert], moments[alert]) for alert in chosen if alert in known]


def with_reasons(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Add the reasons of each alert's strongest event as ``top_reasons``."""
    strongest = AlertEvent.objects.filter(alert=OuterRef("pk"), score__isnull=False).order_by("-score", "event_id")
    return rows.annotate(top_reasons=Subquery(strongest.values("reasons")[:1]))


def free(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """Lock rows for ranking. One that somebody changes at this moment is left out: its change ranks or closes it."""
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True, of=("self",))
    return rows


def rankable() -> QuerySet[Alert]:
    """Return the alerts a ranking may order."""
    return Alert.objects.filter(status=AlertStatus.OPEN, origin=AlertOrigin.FLAGGED)


def unsettled(ranking_id: int | None) -> QuerySet[Alert]:
    """Return the alerts that do not yet stand where a ranking (None: no ranking) puts them, the gravest first."""
    other = Q(ranking__isnull=False) if ranking_id is None else Q(ranking__isnull=True) | ~Q(ranking=ranking_id)
    return rankable().filter(other).order_by("-severity_rank", "-id")


def facts(alert: Alert) -> AlertFacts:
    """Return a row of :func:`with_reasons` as the ranking sees it."""
    kind = {name: str(alert.kind.get(name) or "") for name in ("template", "parser", "category", "action", "code")}
    return AlertFacts(
        fingerprint=alert.fingerprint,
        arrived_at=alert.created_at.timestamp(),
        seen_at=alert.first_seen_at.timestamp(),
        entity=alert.entity,
        source=str(alert.source_id),
        severity_rank=alert.severity_rank,
        score=alert.score,
        p_value=alert.p_value,
        event_count=alert.event_count,
        techniques=len(alert.techniques),
        reasons=tuple(_reasons(getattr(alert, "top_reasons", None) or [])),
        **kind,
    )


def _reasons(found: Any) -> Iterable[Reason]:
    """Return stored reasons; what has lost its shape is left out."""
    for one in found if isinstance(found, list) else []:
        if not isinstance(one, dict) or isinstance(one.get("contribution"), bool):
            continue
        fields, share = one.get("fields"), one.get("contribution")
        names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
        if isinstance(share, int | float):
            yield Reason(feature=str(one.get("feature", "")), text="", contribution=float(share), fields=names)
