"""Alerts of one kind share an explanation: asked once, held against each alert's own evidence.

Handed: an alert and its evidence. Hands on: the answer that alerts of its kind share, or the right to ask for it. A row
is claimed before the model is asked, so that of many workers one asks; a claim of a worker that died runs out. A shared
answer ends after a time, when a person decides against it, and when asking again at random came out otherwise.
"""

import datetime as dt
import random
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from alerts.models import Alert, SharedAnswer
from triage.contracts import ExplanationAnswer, ExplanationRequest
from triage.explainers import clusters, grounding, prompting

_DICE = random.SystemRandom()
#: A claim outlives the longest chain of calls that one question may take.
LEASE_CALLS = 20


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to ask for a key's answer, until it runs out."""

    shared_id: int
    until: dt.datetime


def key(alert: Alert, request: ExplanationRequest, *, model: str, policy: str) -> str:
    """Return the key of the alerts that may share this one's answer, empty when none may or sharing is off."""
    if not settings.LLM_SHARE_HOURS:
        return ""
    return clusters.cluster_key(
        request,
        kind=alert.kind,
        events=alert.event_count,
        model=model,
        policy=policy,
        prompt_sha256=prompting.prompt_hash(),
        suspected=alert.injection_suspected,
    )


def find(key: str) -> SharedAnswer | None:
    """Return the answer of a key that still stands, None when there is none yet."""
    return _standing(key).filter(expires_at__gt=timezone.now()).first()


def fill(shared: SharedAnswer, request: ExplanationRequest) -> ExplanationAnswer | None:
    """Return a shared answer with an alert's own values; None when it does not fit."""
    return clusters.fill(shared.answer, request)


def claim(key: str) -> Lease | None:
    """Take the right to ask for a key's answer; None when another worker has it, or the answer is there."""
    now = timezone.now()
    until = now + dt.timedelta(seconds=60 + LEASE_CALLS * settings.LLM_TIMEOUT_SECONDS)
    _standing(key).filter(expires_at__lte=now).update(ended_at=now, ended_why="its time was over")
    left_behind = SharedAnswer.objects.filter(key=key, ended_at=None, answer={}, lease_until__lte=now)
    if left_behind.update(lease_until=until):
        return Lease(SharedAnswer.objects.get(key=key, ended_at=None).pk, until)
    try:
        with transaction.atomic():
            return Lease(SharedAnswer.objects.create(key=key, lease_until=until).pk, until)
    except IntegrityError:
        return None


def store(lease: Lease, *, request: ExplanationRequest, answer: ExplanationAnswer) -> SharedAnswer | None:
    """Let others share an answer; None when the claim ran out meanwhile, or it cannot be handed on.

    An answer that cannot be handed on gives its claim back.
    """
    held = clusters.slotted(request, answer)
    if not held:
        release(lease)
        return None
    kept = _claimed(lease).update(
        answer=held,
        model=answer.model[:120],
        prompt_version=answer.prompt_version[:32],
        lease_until=None,
        expires_at=timezone.now() + dt.timedelta(hours=settings.LLM_SHARE_HOURS),
    )
    return SharedAnswer.objects.get(pk=lease.shared_id) if kept else None


def release(lease: Lease) -> None:
    """Give a claim back: what was said is not to be shared."""
    _claimed(lease).delete()


def used(shared: SharedAnswer) -> None:
    """Count one more alert that took the answer over."""
    SharedAnswer.objects.filter(pk=shared.pk).update(used=F("used") + 1)


def should_recheck(shared: SharedAnswer, *, dice: random.Random = _DICE) -> bool:
    """Return whether this alert is asked about all the same, to learn how often the shared answer is wrong."""
    return shared.ended_at is None and dice.random() < settings.LLM_RECHECK_SHARE


def record_recheck(shared: SharedAnswer, *, changed: bool) -> None:
    """Count a recheck; a suggestion that came out otherwise ends the sharing."""
    SharedAnswer.objects.filter(pk=shared.pk).update(rechecked=F("rechecked") + 1, changed=F("changed") + int(changed))
    if changed:
        _end(Q(pk=shared.pk), "asked again, the model suggested otherwise")


def contradict(*, alert_ids: list[int], value: str) -> int:
    """End the shared answers of alerts that a person decided against; return how many ended.

    Against means: harmful where harmless was suggested, or the other way round.
    """
    if value in grounding.ATTACK:
        contrary = grounding.HARMLESS
    elif value in grounding.HARMLESS:
        contrary = grounding.ATTACK
    else:
        return 0
    against = SharedAnswer.objects.filter(
        ended_at=None, explanations__alert__in=alert_ids, explanations__suggested_verdict__in=contrary
    )
    return _end(Q(pk__in=list(against.values_list("pk", flat=True))), f"a person decided {value}")


def _end(which: Q, why: str) -> int:
    return SharedAnswer.objects.filter(which, ended_at=None).update(ended_at=timezone.now(), ended_why=why[:200])


def _standing(key: str) -> QuerySet[SharedAnswer]:
    return SharedAnswer.objects.filter(key=key, ended_at=None).exclude(answer={})


def _claimed(lease: Lease) -> QuerySet[SharedAnswer]:
    return SharedAnswer.objects.filter(pk=lease.shared_id, lease_until=lease.until, ended_at=None)
