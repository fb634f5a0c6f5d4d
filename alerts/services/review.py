"""Review: what people (and scripts) decide about one alert.

Handed: an alert's id, what is to change, who asks, and the revision they were looking at. Hands on: the
changed alert. Every function is one transaction with one audit entry, and, for a person's change, an action that
:mod:`alerts.services.undo` can take back; a write that names an older revision changes nothing and raises
:class:`StaleAlertError` with the alert as it is now.
"""

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts.models import ActionKind, Alert, AlertStatus, AuditEntry, DecidedBy, ReviewAction, Verdict, VerdictValue
from alerts.services import actions, clusters
from alerts.services.actions import Actor, Change, ReviewError, State, actor_of
from triage.models import User

__all__ = ["AlreadyOpenError", "ReviewError", "StaleAlertError"]
MAX_NOTE_CHARACTERS = actions.MAX_NOTE_CHARACTERS
WITHDRAWN = "withdrawn"


class StaleAlertError(Exception):
    """Someone else changed the alert since; ``alert`` is how it is now. Nothing was changed."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(f"alert {alert.pk} has changed since (now revision {alert.revision})")
        self.alert = alert


class AlreadyOpenError(Exception):
    """The alert cannot be reopened: a newer alert with its fingerprint is open. Nothing was changed."""


def _locked(alert_id: int, expected_revision: int | None) -> Alert:
    """Return the alert, locked until the transaction ends; refuse when its revision has moved on."""
    alert = Alert.objects.select_for_update().get(pk=alert_id)
    if expected_revision is not None and alert.revision != expected_revision:
        raise StaleAlertError(alert)
    return alert


def _save(
    alert: Alert, before: State, *, actor: Actor, action: str, details: dict[str, Any], now: dt.datetime
) -> State:
    """Store a changed alert with its audit entry; return the columns that changed."""
    if actor.user is not None and alert.first_action_at is None:
        alert.first_action_at = now
    after = {name: value for name, value in actions.state_of(alert).items() if value != before[name]}
    alert.revision += 1
    fields = [name.removesuffix("_id") for name in after]
    alert.save(update_fields=[*fields, "revision", "updated_at"])
    AuditEntry.objects.create(actor=actor.name, actor_kind=actor.kind, action=action, alert=alert, details=details)
    return after


def _keep(alert: Alert, before: State, after: State, *, user: User, kind: str, value: str) -> ReviewAction:
    change = Change(alert.pk, before, after, alert.revision)
    return actions.keep(user=user, kind=kind, value=value, changes=[change])


def record_verdict(
    *,
    alert_id: int,
    value: str,
    note: str = "",
    user: User | None,
    expected_revision: int | None,
    decided_by: str = DecidedBy.PERSON,
    automation: str = "",
) -> Verdict:
    """Record a decision and close the alert; ``undetermined`` leaves it as it is.

    ``expected_revision`` is the revision the decider saw (None: do not compare). Raises
    :class:`StaleAlertError`, :class:`ReviewError`, or ``Alert.DoesNotExist``.
    """
    actions.check_verdict(value)
    note = actions.checked_note(note)
    actor = actor_of(user, decided_by, automation)
    now = timezone.now()
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        before = actions.state_of(alert)
        if value != VerdictValue.UNDETERMINED:
            alert.status = AlertStatus.CLOSED
            alert.decided_at = now if user is not None else alert.decided_at
        verdict = Verdict.objects.create(alert=alert, value=value, note=note, decided_by=actor.kind, user=actor.user)
        details = {"value": value, "verdict_id": verdict.pk}
        details |= {"status": [before["status"], alert.status], "note": bool(note)}
        after = _save(alert, before, actor=actor, action="verdict", details=details, now=now)
        if user is not None:
            change = Change(alert.pk, before, after, alert.revision, verdict.pk)
            actions.keep(user=user, kind=ActionKind.VERDICT, value=value, changes=[change])
            clusters.contradict(alert_ids=[alert.pk], value=value)
    return verdict


def assign(*, alert_id: int, assignee: User | None, user: User, expected_revision: int | None) -> Alert:
    """Give the alert to a person, or to nobody. Raises :class:`StaleAlertError`."""
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        before = actions.state_of(alert)
        details = {"from": alert.assignee.get_username() if alert.assignee else None}
        details |= {"to": assignee.get_username() if assignee else None}
        alert.assignee = assignee
        after = _save(alert, before, actor=actor_of(user), action="assign", details=details, now=timezone.now())
        _keep(alert, before, after, user=user, kind=ActionKind.ASSIGN, value=details["to"] or "")
    return alert


def escalate(*, alert_id: int, user: User, expected_revision: int | None, note: str = "") -> Alert:
    """Ask for somebody senior: the alert goes to the top of the queue and belongs to nobody.

    Raises :class:`ReviewError` for a closed or an escalated alert, and :class:`StaleAlertError`.
    """
    note = actions.checked_note(note)
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        if alert.status == AlertStatus.CLOSED:
            raise ReviewError("a closed alert cannot be escalated; reopen it first")
        if alert.escalated_at is not None:
            raise ReviewError("it is escalated already")
        before, now = actions.state_of(alert), timezone.now()
        details = {"from": alert.assignee.get_username() if alert.assignee else None, "note": note}
        alert.escalated_at, alert.escalated_by, alert.assignee = now, user, None
        if alert.status == AlertStatus.MUTED:
            alert.status, alert.mute_rule = AlertStatus.OPEN, None  # nobody senior would see it
        after = _save(alert, before, actor=actor_of(user), action="escalate", details=details, now=now)
        _keep(alert, before, after, user=user, kind=ActionKind.ESCALATE, value="")
    return alert


def withdraw_escalation(*, alert_id: int, user: User, expected_revision: int | None) -> Alert:
    """Take an escalation back. Raises :class:`ReviewError` when there is none, and :class:`StaleAlertError`."""
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        if alert.escalated_at is None:
            raise ReviewError("it is not escalated")
        before = actions.state_of(alert)
        alert.escalated_at, alert.escalated_by = None, None
        actor, now = actor_of(user), timezone.now()
        after = _save(alert, before, actor=actor, action="withdraw_escalation", details={}, now=now)
        _keep(alert, before, after, user=user, kind=ActionKind.ESCALATE, value=WITHDRAWN)
    return alert


def reopen(*, alert_id: int, user: User, expected_revision: int | None) -> Alert:
    """Open a closed alert again. Raises :class:`StaleAlertError` or :class:`AlreadyOpenError`."""
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        if alert.status != AlertStatus.CLOSED:
            return alert
        before = actions.state_of(alert)
        alert.status, alert.decided_at = AlertStatus.OPEN, None
        try:
            with transaction.atomic():
                alert.save(update_fields=["status"])
        except IntegrityError as error:
            raise AlreadyOpenError(f"a newer alert like alert {alert_id} is open; decide on that one") from error
        after = _save(alert, before, actor=actor_of(user), action="reopen", details={}, now=timezone.now())
        _keep(alert, before, after, user=user, kind=ActionKind.REOPEN, value="")
    return alert


def add_note(*, alert_id: int, text: str, user: User) -> AuditEntry:
    """Write a note into the alert's history. Changes nothing else, so no revision is compared."""
    text = actions.checked_note(text).strip()
    if not text:
        raise ReviewError("the note is empty")
    with transaction.atomic():
        alert = _locked(alert_id, None)
        Alert.objects.filter(pk=alert.pk, first_action_at=None).update(first_action_at=timezone.now())
        return AuditEntry.objects.create(
            actor=user.get_username(), actor_kind=DecidedBy.PERSON, action="note", alert=alert, details={"text": text}
        )
