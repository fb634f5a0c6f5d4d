"""The canary's last two stages: an alert is opened for it and explained, and both are taken back.

Handed: runs that have come so far. Hands on: the time at which they came through, or what went wrong. Nothing else is
ever committed, so that no page, count, label, bill or notification knows of it (see :mod:`triage.canary`).
"""

from collections.abc import Callable

from django.db import DatabaseError

from alerts.models import Alert, AlertStatus, Explanation, ExplanationState
from alerts.services import explaining, grouping
from triage import canary
from triage.models import CanaryRun

NOTE = "the canary is explained from its evidence; no language model is asked"


def group() -> int:
    """Let every canary that waits for its alert have one; return how many."""
    return _each("stored_at", "grouped_at", "grouping", _opened)


def explain() -> int:
    """Let every canary that waits for its explanation have one; return how many."""
    return _each("grouped_at", "explained_at", "explaining", _explained)


def _each(done: str, to_do: str, name: str, stage: Callable[[CanaryRun], object]) -> int:
    runs = canary.waiting(done=done, to_do=to_do)
    for run in runs:
        try:
            with canary.rehearsed():
                stage(run)
        except DatabaseError:
            raise  # not the canary's: the task fails like any other and is tried again
        except Exception as error:  # whatever breaks here breaks for real alerts too, and must be told
            canary.failed(run, f"{name}: {type(error).__name__}: {error}")
            continue
        canary.passed(run, to_do)
    return len(runs)


def _opened(run: CanaryRun) -> Alert:
    """Open a run's alert as grouping does."""
    event = canary.restage(run)
    grouping.place([event])
    alert = Alert.objects.filter(alert_events__event_id=event.pk).first()
    if alert is None:
        raise canary.CanaryError("its event is in no alert")
    return alert


def _explained(run: CanaryRun) -> None:
    """Open a run's alert and explain it."""
    alert = _opened(run)
    Alert.objects.filter(pk=alert.pk).update(status=AlertStatus.OPEN)  # a mute rule may fit it
    if not explaining.explain_alert(alert_id=alert.pk, unasked=NOTE):
        raise canary.CanaryError("its alert could not be claimed")
    row = Explanation.objects.filter(alert=alert).first()
    alert.refresh_from_db()
    if row is None or not row.evidence or alert.explanation_state != ExplanationState.DONE:
        raise canary.CanaryError("its explanation is not there")
