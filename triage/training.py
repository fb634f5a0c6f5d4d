"""From history to a serving model: collect, train, store the artefact, let the gate decide.

Handed: the kept raw batches. Hands on: a :class:`~triage.models.ModelVersion`, promoted or rejected with
the gate's words. Runs in the ``learn`` queue, never in the path of an event.
"""

import datetime as dt
import logging
import secrets

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from triage import champion, learning, reading, store
from triage.contracts import ParsedEvent
from triage.models import LearnState, ModelStatus, ModelVersion, RawBatch
from triage.registry import artefact

logger = logging.getLogger(__name__)

#: The share of events that may be flagged is kept inside these bounds, whatever the daily budget says.
MIN_SHARE, MAX_SHARE = 0.0001, 0.02
SECONDS_PER_DAY = 86_400.0
#: How long to wait for more events after a first model failed or was refused.
RETRY_SECONDS = 60.0


class NotEnoughHistoryError(RuntimeError):
    """There are fewer events than a first model needs."""


def events_available() -> int:
    """Return how many stored events there are to learn from."""
    return RawBatch.objects.filter(event_count__gt=0).aggregate(total=Sum("event_count"))["total"] or 0


def first_model_is_due() -> bool:
    """Return whether there is no champion yet and enough has come in to learn from.

    After a try that failed or was refused, the next one waits: more events must come in first.
    """
    if ModelVersion.objects.filter(status=ModelStatus.CHAMPION).exists():
        return False
    just_now = timezone.now() - dt.timedelta(seconds=RETRY_SECONDS)
    if LearnState.objects.filter(phase__in=["failed", "refused"], changed_at__gt=just_now).exists():
        return False
    return events_available() >= settings.LEARN_MIN_EVENTS


def collect_events(max_events: int) -> list[ParsedEvent]:
    """Return the newest stored events, oldest first."""
    events: list[ParsedEvent] = []
    for batch_id in store.recent_batches(max_events):
        for batch in store.stored_batches(RawBatch.objects.filter(pk=batch_id)):
            events.extend(reading.read(batch))
    return events


def alert_share(events: list[ParsedEvent]) -> float:
    """Return the share of events to flag so that a day's events give a day's alert budget."""
    times = [event.timestamp for event in events]
    days = max((max(times) - min(times)) / SECONDS_PER_DAY, 1.0)
    share = settings.ALERT_BUDGET_PER_DAY / max(len(events) / days, 1.0)
    return min(max(share, MIN_SHARE), MAX_SHARE)


def say(phase: str, detail: str = "") -> None:
    """Tell the page what the learn queue is doing."""
    LearnState.objects.update_or_create(id=1, defaults={"phase": phase, "detail": detail[:200]})


def learn(reason: str) -> ModelVersion:
    """Train a candidate on recent history, register it, and promote it if the gate says so."""
    say("collecting", reason)
    try:
        events = collect_events(settings.LEARN_MAX_EVENTS)
        if len(events) < settings.LEARN_MIN_EVENTS:
            raise NotEnoughHistoryError(f"{len(events)} of {settings.LEARN_MIN_EVENTS} events")
        say("training", f"{len(events):,} events")
        candidate = learning.train(events, alert_budget=alert_share(events))
        model = register(candidate, reason)
        decide(model)
    except Exception as error:
        say("failed", f"{type(error).__name__}: {error}")
        raise
    say("refused" if model.status == ModelStatus.REJECTED else "idle", f"{model.version}: {model.decision}")
    return model


def register(candidate: learning.Candidate, reason: str) -> ModelVersion:
    """Write the artefact once and enter it in the ledger as a candidate."""
    now = timezone.now()
    version = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    manifest = {**candidate.manifest, "reason": reason, "created_at": now.isoformat()}
    sha256 = artefact.save(settings.MODELS_DIR, version, candidate.detector.state(), manifest)
    return ModelVersion.objects.create(
        version=version,
        detector=candidate.detector.name,
        artefact_sha256=sha256,
        manifest=manifest,
        metrics=candidate.metrics,
        trained_at=now,
    )


def decide(model: ModelVersion) -> None:
    """Let the gate compare a candidate with the champion, and act on what it says."""
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first()
    decision = learning.gate(model.metrics, None if serving is None else serving.metrics)
    model.decision = decision.reason
    if decision.promote:
        promote(model)
    else:
        model.status = ModelStatus.REJECTED
        model.save(update_fields=["status", "decision"])


def promote(model: ModelVersion) -> None:
    """Make a version the champion after opening its artefact once; the old champion is retired.

    Raises :class:`triage.registry.artefact.ArtefactError`, changing nothing, when it cannot be opened.
    """
    champion.load(model)
    with transaction.atomic():
        list(ModelVersion.objects.select_for_update().filter(status=ModelStatus.CHAMPION))
        ModelVersion.objects.filter(status=ModelStatus.CHAMPION).exclude(pk=model.pk).update(status=ModelStatus.RETIRED)
        model.status, model.promoted_at = ModelStatus.CHAMPION, timezone.now()
        model.save(update_fields=["status", "promoted_at", "decision"])
    champion.forget()


def rollback() -> ModelVersion | None:
    """Put the champion before the present one back; None when there is none to go back to."""
    previous = ModelVersion.objects.filter(status=ModelStatus.RETIRED, promoted_at__isnull=False)
    model = previous.order_by("-promoted_at").first()
    if model is not None:
        promote(model)
    return model
