"""The second gate at work: look at the candidate in shadow, and act on what the gate says.

Handed: the figures of the shadow and people's verdicts. Hands on: a promotion, a rejection, or better words in the
ledger. Runs in the ``learn`` queue; any number of workers may judge at once, and one of them acts.
"""

import datetime as dt
import logging
from collections import defaultdict

import numpy as np

from triage import champion, hooks, learning, promotion, reading, shadow, shadow_figures, sliding, store
from triage.champion import Champion
from triage.contracts import ParsedEvent
from triage.learning import shadow_gate
from triage.learning.paired import Paired
from triage.learning.shadow_gate import LabelledPair, ShadowDecision
from triage.models import ModelStatus, ModelVersion, RawBatch, batch_and_position, event_id
from triage.registry.sealed import ArtefactError

logger = logging.getLogger(__name__)

SECONDS_PER_DAY = 86_400.0
#: The newest raw batches with a decided alert that both models score again.
MAX_BATCHES = 200


def days_in_shadow(row: ModelVersion, now: dt.datetime) -> float:
    """Return how long a candidate has run beside the champion."""
    return (now - row.trained_at).total_seconds() / SECONDS_PER_DAY


def is_running(now: dt.datetime) -> bool:
    """Return whether a candidate is in shadow and still has time, so that a nightly one need not displace it."""
    row = shadow.in_shadow()
    return row is not None and days_in_shadow(row, now) < shadow_gate.MAX_DAYS


def is_due(now: dt.datetime) -> bool:
    """Return whether the candidate in shadow is to be looked at: cheap enough to ask every few seconds."""
    row = shadow.in_shadow()
    if row is None:
        return False
    serving = champion.current()
    if serving is None:
        return True
    events, minutes = shadow_figures.size(row.pk, serving.model_id)
    if shadow_gate.is_over(events, budget=_budget(row), days=days_in_shadow(row, now)):
        return True
    looked = row.metrics.get("shadow") or {}
    before = looked.get("events", 0) if looked.get("champion") == serving.version else 0
    return minutes >= shadow_gate.MIN_MINUTES and events >= max(shadow_gate.MIN_EVENTS, 2 * before)


def _budget(row: ModelVersion) -> float:
    return float(row.metrics["alert_budget"])


def judge_shadow(now: dt.datetime) -> ShadowDecision | None:
    """Let the gate look at the candidate in shadow and act; None when there is nothing to look at yet."""
    row = shadow.in_shadow()
    if row is None or not is_due(now):
        return None
    serving = champion.current()
    if serving is None:
        _serve_at_last(row)
        return None
    try:
        labelled = labelled_since(row, serving)
    except ArtefactError as error:
        shadow.reject(row.pk, f"Refused in shadow: {error}.")
        return None
    decision = shadow_gate.judge_shadow(
        shadow_figures.seen(row.pk, serving.model_id),
        labelled,
        budget=_budget(row),
        days=days_in_shadow(row, now),
    )
    _act(row, serving, decision)
    return decision


def _serve_at_last(row: ModelVersion) -> None:
    """There is nothing to compare with any more: what the first gate let pass serves."""
    decision = learning.gate(row.metrics, beside=False)
    if decision.promote:
        _promote(row, decision.reason)
    else:
        shadow.reject(row.pk, decision.reason)


def _act(row: ModelVersion, serving: Champion, decision: ShadowDecision) -> None:
    """Write down what was seen, and reject or promote, unless somebody else has decided meanwhile."""
    shown = {**decision.figures, "verdict": decision.verdict, "champion": serving.version}
    words = f"{decision.reason} On held-back history: {row.metrics.get('gate', 'not measured')}."
    metrics = {**row.metrics, "shadow": shown}
    status = ModelStatus.REJECTED if decision.verdict == shadow_gate.REJECT else ModelStatus.CANDIDATE
    still = ModelVersion.objects.filter(pk=row.pk, status=ModelStatus.CANDIDATE)
    if still.update(metrics=metrics, decision=words, status=status) and decision.verdict == shadow_gate.PROMOTE:
        _promote(row, words)


def _promote(row: ModelVersion, words: str) -> None:
    before = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).values_list("version", flat=True).first()
    try:
        promotion.promote(row, by=hooks.GATE, words=words, expected=before or "", only_candidate=True)
    except (promotion.StaleChampionError, promotion.DecidedError) as error:
        logger.warning("the gate does not promote %s: %s", row.version, error)
    except ArtefactError as error:
        shadow.reject(row.pk, f"Refused when it was to be promoted: {error}.")


def labelled_since(row: ModelVersion, serving: Champion) -> LabelledPair:
    """Return what candidate and champion flag of the alerts people decided on whose events came after the training.

    Both score the raw records again. Raises :class:`~triage.registry.sealed.ArtefactError` when it is refused.
    """
    wanted: dict[int, dict[int, int]] = defaultdict(dict)
    for event, label in hooks.labels().items():
        batch_id, position = batch_and_position(event)
        wanted[batch_id][position] = label
    newest = sorted(wanted, reverse=True)[:MAX_BATCHES]
    events: list[ParsedEvent] = []
    identifiers: list[int] = []
    labels: list[int] = []
    for batch in store.stored_batches(RawBatch.objects.filter(pk__in=newest, received_at__gt=row.trained_at)):
        read = reading.read(batch)
        for position, label in sorted(wanted[batch.batch_id].items()):
            events.append(read[position])
            identifiers.append(event_id(batch.batch_id, position))
            labels.append(label)
    if not events:
        return LabelledPair()
    windows = sliding.of_events(identifiers)
    candidate = champion.under_policy(champion.load(row))
    ours = candidate.flag(candidate.detector.examine(events, windows))
    theirs = serving.flag(serving.detector.examine(events, windows))
    malicious = np.asarray(labels, dtype=bool)
    return LabelledPair(
        confirmed=_pair(ours[malicious], theirs[malicious]),
        false_alarms=_pair(ours[~malicious], theirs[~malicious]),
    )


def _pair(ours: np.ndarray, theirs: np.ndarray) -> Paired:
    return Paired(
        both=int((ours & theirs).sum()),
        only_first=int((ours & ~theirs).sum()),
        only_second=int((~ours & theirs).sum()),
        neither=int((~ours & ~theirs).sum()),
    )
