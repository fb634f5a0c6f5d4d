"""Review: what people (and scripts) decide about alerts.

Handed: an alert's id, what is to change, who asks, and the revision they were looking at. Hands on: the
changed alert. Every function is one transaction with one audit entry per alert; a write that names an
older revision changes nothing and raises :class:`StaleAlertError` with the alert as it is now.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from alerts.models import Alert, AlertStatus, AuditEntry, DecidedBy, Verdict, VerdictValue
from alerts.services import clusters
from triage.models import User

MAX_NOTE_CHARACTERS = 10_000
MAX_BULK = 10_000
#: Rows per statement in a bulk decision; below SQLite's limit of bound variables.
CHUNK = 500


class ReviewError(ValueError):
    """The request makes no sense (unknown verdict, note too long); nothing was changed."""


class StaleAlertError(Exception):
    """Someone else changed the alert since; ``alert`` is how it is now. Nothing was changed."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(f"alert {alert.pk} has changed since (now revision {alert.revision})")
        self.alert = alert


class AlreadyOpenError(Exception):
    """The alert cannot be reopened: a newer alert with its fingerprint is open. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What a bulk decision did: ids decided, and ids skipped with the reason."""

    decided: tuple[int, ...]
    skipped: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides: a person with a user row, or a named automation without one."""

    name: str
    kind: str
    user: User | None


def _actor(user: User | None, decided_by: str, automation: str) -> Actor:
    if decided_by == DecidedBy.PERSON:
        if user is None:
            raise ReviewError("a person's decision needs the person")
        return Actor(name=user.get_username(), kind=DecidedBy.PERSON, user=user)
    if decided_by != DecidedBy.AUTOMATION or user is not None or not automation:
        raise ReviewError("an automation's decision needs the automation's name and no person")
    return Actor(name=automation[:150], kind=DecidedBy.AUTOMATION, user=None)


def _check(value: str, note: str) -> str:
    """Return the note without NULs; raise :class:`ReviewError` for an unknown verdict or a long note."""
    if value not in VerdictValue.values:
        raise ReviewError(f"unknown verdict {value[:40]!r}; one of {', '.join(VerdictValue.values)}")
    return _check_note(note)


def _check_note(note: str) -> str:
    if len(note) > MAX_NOTE_CHARACTERS:
        raise ReviewError(f"the note has {len(note)} characters; at most {MAX_NOTE_CHARACTERS}")
    return note.replace("\0", "")


def _locked(alert_id: int, expected_revision: int | None) -> Alert:
    """Return the alert, locked until the transaction ends; refuse when its revision has moved on."""
    alert = Alert.objects.select_for_update().get(pk=alert_id)
    if expected_revision is not None and alert.revision != expected_revision:
        raise StaleAlertError(alert)
    return alert


def _save(alert: Alert, fields: list[str], *, actor: Actor, action: str, details: dict[str, Any]) -> Alert:
    alert.revision += 1
    alert.save(update_fields=[*fields, "revision", "updated_at"])
    AuditEntry.objects.create(actor=actor.name, actor_kind=actor.kind, action=action, alert=alert, details=details)
    return alert


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
    note = _check(value, note)
    actor = _actor(user, decided_by, automation)
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        before = alert.status
        if value != VerdictValue.UNDETERMINED:
            alert.status = AlertStatus.CLOSED
        verdict = Verdict.objects.create(alert=alert, value=value, note=note, decided_by=actor.kind, user=actor.user)
        details = {"value": value, "verdict_id": verdict.pk, "status": [before, alert.status], "note": bool(note)}
        _save(alert, ["status"], actor=actor, action="verdict", details=details)
        if user is not None:
            clusters.contradict(alert_ids=[alert.pk], value=value)
    return verdict


def record_verdicts(
    *,
    alert_ids: Iterable[int],
    value: str,
    note: str = "",
    user: User | None,
    decided_by: str = DecidedBy.PERSON,
    automation: str = "",
) -> BulkResult:
    """Record one decision for many open alerts in one transaction; closed and unknown ones are skipped.

    At most 10,000 ids; more raise :class:`ReviewError` rather than being cut off silently.
    """
    note = _check(value, note)
    actor = _actor(user, decided_by, automation)
    wanted = list(dict.fromkeys(alert_ids))
    if len(wanted) > MAX_BULK:
        raise ReviewError(f"{len(wanted)} alerts in one request; at most {MAX_BULK}")
    decided: list[int] = []
    skipped: list[tuple[int, str]] = []
    with transaction.atomic():
        for start in range(0, len(wanted), CHUNK):
            _decide_chunk(wanted[start : start + CHUNK], value, note, actor, decided, skipped)
    return BulkResult(decided=tuple(decided), skipped=tuple(skipped))


def _decide_chunk(
    ids: list[int], value: str, note: str, actor: Actor, decided: list[int], skipped: list[tuple[int, str]]
) -> None:
    statuses = dict(Alert.objects.select_for_update().filter(pk__in=ids).values_list("pk", "status"))
    for identifier in ids:
        if statuses.get(identifier) == AlertStatus.OPEN:
            decided.append(identifier)
        else:
            skipped.append((identifier, "no such alert" if identifier not in statuses else "already closed"))
    taken = [identifier for identifier in ids if statuses.get(identifier) == AlertStatus.OPEN]
    status = AlertStatus.OPEN if value == VerdictValue.UNDETERMINED else AlertStatus.CLOSED
    Verdict.objects.bulk_create(
        Verdict(alert_id=pk, value=value, note=note, decided_by=actor.kind, user=actor.user) for pk in taken
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(
            alert_id=pk,
            actor=actor.name,
            actor_kind=actor.kind,
            action="verdict",
            details={"value": value, "status": ["open", status], "note": bool(note), "bulk": True},
        )
        for pk in taken
    )
    Alert.objects.filter(pk__in=taken).update(status=status, revision=F("revision") + 1, updated_at=timezone.now())
    if actor.user is not None:
        clusters.contradict(alert_ids=taken, value=value)


def assign(*, alert_id: int, assignee: User | None, user: User, expected_revision: int | None) -> Alert:
    """Give the alert to a person, or to nobody. Raises :class:`StaleAlertError`."""
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        before = alert.assignee.get_username() if alert.assignee else None
        alert.assignee = assignee
        details = {"from": before, "to": assignee.get_username() if assignee else None}
        return _save(alert, ["assignee"], actor=_actor(user, DecidedBy.PERSON, ""), action="assign", details=details)


def reopen(*, alert_id: int, user: User, expected_revision: int | None) -> Alert:
    """Open a closed alert again. Raises :class:`StaleAlertError` or :class:`AlreadyOpenError`."""
    with transaction.atomic():
        alert = _locked(alert_id, expected_revision)
        if alert.status != AlertStatus.CLOSED:
            return alert
        alert.status = AlertStatus.OPEN
        try:
            with transaction.atomic():
                alert.save(update_fields=["status"])
        except IntegrityError as error:
            raise AlreadyOpenError(f"a newer alert like alert {alert_id} is open; decide on that one") from error
        return _save(alert, ["status"], actor=_actor(user, DecidedBy.PERSON, ""), action="reopen", details={})


def add_note(*, alert_id: int, text: str, user: User) -> AuditEntry:
    """Write a note into the alert's history. Changes nothing else, so no revision is compared."""
    text = _check_note(text).strip()
    if not text:
        raise ReviewError("the note is empty")
    with transaction.atomic():
        alert = _locked(alert_id, None)
        return AuditEntry.objects.create(
            actor=user.get_username(), actor_kind=DecidedBy.PERSON, action="note", alert=alert, details={"text": text}
        )
