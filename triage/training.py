"""From history to a candidate: collect, train, store the artefact, let the first gate decide.

Handed: the kept raw batches. Hands on: a :class:`~triage.models.ModelVersion`: promoted while nothing else serves, left
to run in shadow beside the champion, or rejected, with the gate's words. Runs in the ``learn`` queue, never in the path
of an event.
"""

import datetime as dt
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from triage import champion, hooks, learning, promotion, reading, shadow_figures, sliding, store
from triage.contracts import ParsedEvent
from triage.learning.training import Progress
from triage.models import AlertPolicy, Event, LearnState, ModelStatus, ModelVersion, RawBatch, event_id
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


@dataclass(frozen=True, slots=True)
class History:
    """Stored events, oldest first; which of them are suspects; what happened around each, shape ``(n, 9)``."""

    events: list[ParsedEvent]
    suspects: list[bool]
    windows: np.ndarray


def collect_history(max_events: int, progress: Progress | None = None) -> History:
    """Return the newest stored events; ``progress`` is told about once a second."""
    events: list[ParsedEvent] = []
    suspects: list[bool] = []
    windows = [sliding.numbers_of([])]
    told = time.monotonic()
    chosen = store.recent_batches(max_events)
    doubtful = suspects_among(chosen)
    for number, batch_id in enumerate(chosen, start=1):
        for batch in store.stored_batches(RawBatch.objects.filter(pk=batch_id)):
            found = reading.read(batch)
            events.extend(found)
            suspects.extend(event_id(batch_id, position) in doubtful for position in range(len(found)))
            windows.append(sliding.of_batch(batch_id, len(found)))
        if progress is not None and time.monotonic() - told >= 1.0:
            told = time.monotonic()
            progress("collecting", f"step 1 of 4: {len(events):,} events, {number:,} of {len(chosen):,} batches read")
    return History(events, suspects, np.concatenate(windows))


def suspects_among(batch_ids: Sequence[int]) -> set[int]:
    """Return the ids of events of these batches that were flagged and that nobody has found harmless since.

    Learning from them would make an attacker who repeats himself usual.
    """
    cleared, found = hooks.cleared(), set[int]()
    for batch_id in batch_ids:
        rows = Event.objects.filter(pk__gte=event_id(batch_id, 0), pk__lt=event_id(batch_id + 1, 0), flagged=True)
        found.update(rows.values_list("pk", flat=True))
    return found - cleared


def alerts_per_day() -> float:
    """Return how many alerts a day people can take: the scarcest of their newest wishes, else the setting."""
    policy = AlertPolicy.objects.order_by("-id").first()
    wishes = {} if policy is None else policy.wishes
    found = [float(wishes["alerts_per_day"])] if wishes.get("alerts_per_day") else []
    if wishes.get("hours_per_day") and wishes.get("minutes_per_alert"):
        found.append(60.0 * wishes["hours_per_day"] / wishes["minutes_per_alert"])
    if wishes.get("usd_per_day") and wishes.get("usd_per_alert"):
        found.append(wishes["usd_per_day"] / wishes["usd_per_alert"])
    return min(found, default=float(settings.ALERT_BUDGET_PER_DAY))


def alert_share(events: list[ParsedEvent]) -> float:
    """Return the share of events to flag so that a day's events give a day's alert budget."""
    times = [event.timestamp for event in events]
    days = max((max(times) - min(times)) / SECONDS_PER_DAY, 1.0)
    share = alerts_per_day() / max(len(events) / days, 1.0)
    return min(max(share, MIN_SHARE), MAX_SHARE)


def say(phase: str, detail: str = "") -> None:
    """Tell the pages what the learn queue is doing."""
    LearnState.objects.update_or_create(id=1, defaults={"phase": phase, "detail": detail[:200]})


def learn(reason: str, progress: Progress | None = None, *, learn_flagged: bool = False) -> ModelVersion:
    """Train a candidate on recent history, register it, and let the first gate decide what becomes of it.

    What was flagged before and not found harmless is left out, unless a person says ``learn_flagged``.
    The pages see every phase; ``progress`` hears of it too.
    """

    def tell(phase: str, detail: str = "") -> None:
        say(phase, detail)
        if progress is not None:
            progress(phase, detail)

    tell("collecting", f"step 1 of 4: {reason}")
    try:
        history = collect_history(settings.LEARN_MAX_EVENTS, tell)
        events = history.events
        if len(events) < settings.LEARN_MIN_EVENTS:
            raise NotEnoughHistoryError(f"{len(events)} of {settings.LEARN_MIN_EVENTS} events")
        candidate = learning.train(
            events,
            detector_name=settings.DETECTOR,
            alert_budget=alert_share(events),
            suspects=None if learn_flagged else history.suspects,
            windows=history.windows,
            progress=tell,
        )
        tell("storing", "step 4 of 4: writes the artefact and asks the gate")
        model = register(candidate, reason)
        follow_up(model)
    except Exception as error:
        say("failed", f"{type(error).__name__}: {error}")
        raise
    say("refused" if model.status == ModelStatus.REJECTED else "idle", f"{model.version}: {model.decision}")
    return model


def register(candidate: learning.Candidate, reason: str) -> ModelVersion:
    """Write the artefact once and enter it in the ledger with what the first gate says of it, all in one row.

    A worker that dies right after leaves a candidate that runs in shadow, or serves as soon as somebody looks.
    """
    now = timezone.now()
    version = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    labels = learning.describe_labels(hooks.labels())
    manifest = {**candidate.manifest, "label_set": labels, "reason": reason, "created_at": now.isoformat()}
    sha256 = artefact.save(settings.MODELS_DIR, version, candidate.detector.state(), manifest)
    champion.forget()
    serving = champion.current()
    decision = learning.gate(candidate.metrics, beside=serving is not None)
    words = decision.reason
    if decision.promote and serving is not None:
        words = f"In shadow beside {serving.version}. On held-back history: {words}."
    return ModelVersion.objects.create(
        version=version,
        detector=candidate.detector.name,
        artefact_sha256=sha256,
        manifest=manifest,
        metrics={**candidate.metrics, "gate": decision.reason},
        status=ModelStatus.CANDIDATE if decision.promote else ModelStatus.REJECTED,
        decision=words,
        trained_at=now,
    )


def follow_up(model: ModelVersion) -> None:
    """Promote a candidate at once where nothing serves; otherwise it takes the place of the one in shadow."""
    if model.status != ModelStatus.CANDIDATE:
        return
    in_ledger = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).values_list("version", flat=True).first()
    if champion.current() is None:
        _promote_first(model, in_ledger or "")
    promotion.supersede(model)
    shadow_figures.forget_decided()


def _promote_first(model: ModelVersion, in_ledger: str) -> None:
    """Promote where nothing serves; when another version was promoted meanwhile, this one stays a candidate."""
    try:
        promotion.promote(model, by=hooks.GATE, words=model.decision, expected=in_ledger, only_candidate=True)
    except promotion.StaleChampionError as error:
        logger.warning("%s is not promoted as the first model: %s", model.version, error)
