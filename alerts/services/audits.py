"""Blind audits: events that were not flagged, drawn at random for people to judge.

Handed: the clock. Hands on: alerts of origin ``blind_audit``, each with the probability with which its event was drawn.
Whoever judges one sees neither score nor explanation until the verdict is in. Without them nobody can say what the
detector misses.
"""

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from alerts import grouping
from alerts.models import Alert, AlertEvent, AlertOrigin
from alerts.services import audit
from alerts.services.grouping import flagged_event
from triage.models import BatchStatus, Event, ModelStatus, ModelVersion, RawBatch, event_id

AUTOMATION = "blind audit"
#: Events with p-values up to this are near to being flagged; half of the audits are drawn from them.
NEAR_P = 0.05
#: A day with fewer events is not audited, and one audit a day is not drawn twice.
MIN_EVENTS, PAUSE = 1_000, dt.timedelta(hours=20)
#: Near events looked at, and tries to hit an event of the rest.
MAX_NEAR, TRIES_EACH = 100_000, 40

Drawn = list[tuple[int, float]]


def draw(now: dt.datetime | None = None) -> int:
    """Open the day's blind audits; return how many. 0 when they are switched off, drawn already, or too few came in."""
    now = now or timezone.now()
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    lately = Alert.objects.filter(origin=AlertOrigin.BLIND_AUDIT, created_at__gt=now - PAUSE)
    if serving is None or not settings.BLIND_AUDITS_PER_DAY or lately.exists():
        return 0
    rows = RawBatch.objects.filter(received_at__gte=now - dt.timedelta(days=1), status=BatchStatus.DONE)
    batches = list(rows.filter(model_version=serving).order_by("id").values_list("pk", "event_count", "flagged_count"))
    total = sum(events for _, events, _ in batches)
    if total < MIN_EVENTS:
        return 0
    near = near_ids(serving, batches[0][0], batches[-1][0])
    wanted = settings.BLIND_AUDITS_PER_DAY
    some = min(wanted // 2, len(near))
    drawn: Drawn = [(pk, some / len(near)) for pk in secrets.SystemRandom().sample(near, some)]
    others = total - sum(flagged for _, _, flagged in batches) - len(near)
    drawn += draw_others([(pk, events) for pk, events, _ in batches], set(near), wanted - some, others)
    return sum(_open(identifier, chance) for identifier, chance in drawn)


def near_ids(serving: ModelVersion, first: int, last: int) -> list[int]:
    """Return the ids of unflagged events that were nearly flagged."""
    rows = Event.objects.filter(pk__gte=event_id(first, 0), pk__lt=event_id(last + 1, 0), model_version=serving)
    return list(rows.filter(flagged=False, p_value__lte=NEAR_P).values_list("pk", flat=True)[:MAX_NEAR])


def draw_others(batches: list[tuple[int, int]], near: set[int], wanted: int, others: int) -> Drawn:
    """Return unflagged events that are not near, every one as likely as any other: ``(id, probability)``."""
    chance = secrets.SystemRandom()
    weights = [events for _, events in batches]
    found: set[int] = set()
    for _ in range(wanted * TRIES_EACH):
        if len(found) >= min(wanted, others):
            break
        ((batch, events),) = chance.choices(batches, weights)
        identifier = event_id(batch, chance.randrange(events))
        if identifier not in near and Event.objects.filter(pk=identifier, flagged=False).exists():
            found.add(identifier)
    return [(identifier, min(1.0, wanted / others)) for identifier in sorted(found)]


def _open(identifier: int, chance: float) -> bool:
    """Open one audit; False when its event is in an alert by now."""
    event = Event.objects.get(pk=identifier)
    with transaction.atomic():
        if AlertEvent.objects.filter(event_id=identifier).exists():
            return False
        alert = Alert.objects.create(
            fingerprint=hashlib.sha256(f"blind audit {identifier}".encode()).hexdigest(),
            origin=AlertOrigin.BLIND_AUDIT,
            inclusion_probability=chance,
            title=grouping.title(flagged_event(event)),
            entity=event.entity,
            source_id=event.source_id,
            host_name=event.host_name,
            user_name=event.user_name,
            source_ip=event.source_ip,
            process_name=event.process_name,
            template=grouping.template(flagged_event(event)),
            model_version_id=event.model_version_id,
            score=event.score,
            p_value=event.p_value,
            event_count=1,
            first_seen_at=event.timestamp,
            last_seen_at=event.timestamp,
        )
        AlertEvent.objects.create(
            alert=alert, event_id=event.pk, timestamp=event.timestamp, score=event.score, p_value=event.p_value,
            model_version_id=event.model_version_id,
        )  # fmt: skip
        # Nothing about the score: who judges it may read this.
        audit.record_automation(action="alert.opened", automation=AUTOMATION, alert=alert, details={"events": 1})
    return True
