"""Undo: take back what a person did last, whole, and leave alone what somebody has changed since.

Handed: a person and, if they say which, one of their last ten actions. Hands on: what was taken back, and what was not
with the reason for each. One transaction: status, assignee, escalation and stamps are as they were, verdicts are
withdrawn (they stay as history), each alert has an audit entry. What has gone out of the house cannot be taken back:
shared answers that a verdict ended stay ended, and a model trained meanwhile keeps what it learned until the next one.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from alerts.models import (
    ActionKind,
    Alert,
    AlertStatus,
    AuditEntry,
    DecidedBy,
    MuteRule,
    ReviewAction,
    ReviewedAlert,
    Verdict,
)
from alerts.services import actions, muting
from alerts.services.actions import STATE, TELLING, State
from triage.models import User

#: How many of their last actions a person may take back.
LAST = 10
#: How often it is tried again after grouping opened an alert that stands in the way.
ATTEMPTS = 3
CHUNK = 500
NEWER_OPEN = "a newer alert like it is open"
CHANGED = "changed since"


class NothingToUndoError(Exception):
    """There is no action to take back; the message says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: the action, its alerts' revisions (before, after) by number, and those left alone."""

    action: ReviewAction
    revisions: dict[int, tuple[int, int]]
    skipped: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """One alert of the action: how it was, what the action made of it, and how it is now."""

    pk: int
    fingerprint: str
    revision: int
    now: State
    left_at: int
    before: State
    after: State | None
    verdict_id: int | None


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The alerts of an action: those to restore, and those to leave alone."""

    restored: list[_Item]
    skipped: list[tuple[int, str]]


def last_actions(user: User) -> list[ReviewAction]:
    """Return a person's last ten actions, newest first."""
    return list(ReviewAction.objects.filter(user=user).order_by("-id")[:LAST])


def last_on(*, alert_id: int, user: User) -> int:
    """Return the number of the person's newest standing action on one alert, 0 when it is not of their last ten."""
    newest = [row.pk for row in last_actions(user) if row.undone_at is None]
    rows = ReviewedAlert.objects.filter(action__in=newest, alert=alert_id)
    return rows.order_by("-action_id").values_list("action_id", flat=True).first() or 0


def undo(*, user: User, action_id: int | None = None) -> Undone:
    """Take back the newest action of the person's last ten that still stands, or the one that is named.

    Raises :class:`NothingToUndoError`.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _undo(user, action_id)
        except IntegrityError:  # an alert was opened between looking and writing; look again
            continue
    return _undo(user, action_id)


def _undo(user: User, action_id: int | None) -> Undone:
    now = timezone.now()
    with transaction.atomic():
        action = _chosen(user, action_id)
        found = _sort(_items(action), action)
        _restore(found.restored, user, action, now)
        if action.kind == ActionKind.MUTE:
            # Without this the rule would hide the next of them.
            MuteRule.objects.filter(pk=int(action.value), ended_at=None).update(ended_at=now, ended_by=user)
        action.undone_at = now
        action.save(update_fields=["undone_at"])
    if action.kind == ActionKind.MUTE:
        muting.bring_back_rest(action=action, user=user)
    revisions = {item.pk: (item.revision, item.revision + 1) for item in found.restored}
    return Undone(action, revisions, tuple(found.skipped))


def _chosen(user: User, action_id: int | None) -> ReviewAction:
    """Return the action to take back, locked."""
    rows = ReviewAction.objects.select_for_update().filter(user=user, pk__in=[row.pk for row in last_actions(user)])
    candidates = rows.order_by("-id")
    if action_id is None:
        action = candidates.filter(undone_at=None).first()
        if action is None:
            raise NothingToUndoError(f"nothing of your last {LAST} actions is left to undo")
        return action
    action = candidates.filter(pk=action_id).first()
    if action is None:
        raise NothingToUndoError(f"it is not one of your last {LAST} actions")
    if action.undone_at is not None:
        raise NothingToUndoError("it was undone already")
    return action


def _items(action: ReviewAction) -> list[_Item]:
    """Return the action's alerts as they were and are, locked in the order of fingerprints."""
    members = ReviewedAlert.objects.filter(action=action)
    kept = {pk: rest for pk, *rest in members.values_list("alert_id", "before", "revision", "verdict_id")}
    alerts = Alert.objects.select_for_update().filter(pk__in=members.values("alert_id"))
    rows = alerts.order_by("fingerprint", "pk").values_list("pk", "fingerprint", "revision", *STATE)
    items: list[_Item] = []
    for pk, fingerprint, revision, *state in rows:
        before, left_at, verdict_id = kept[pk]
        after = actions.read(before["after"]) if "after" in before else None
        now = dict(zip(STATE, state, strict=True))
        items.append(_Item(pk, fingerprint, revision, now, left_at, actions.read(before), after, verdict_id))
    return items


def _sort(items: list[_Item], action: ReviewAction) -> _Sorted:
    """Tell apart what can be restored: unchanged since, and with no newer alert of its kind in the way."""
    changed = [item.pk for item in items if _is_changed(item)]
    restored = [item for item in items if not _is_changed(item)]
    taken = _taken([item.fingerprint for item in restored if _comes_back(item)])
    stuck = [item.pk for item in restored if item.fingerprint in taken and _comes_back(item)]
    left = set(stuck)
    skipped = [*_who_changed(changed, action), *((pk, NEWER_OPEN) for pk in stuck)]
    return _Sorted([item for item in restored if item.pk not in left], skipped)


def _is_changed(item: _Item) -> bool:
    """Whether a person has changed since what the action changed; events that joined the alert do not count."""
    if item.revision == item.left_at:
        return False
    if item.after is None:  # the action noted only how things were, not what it made of them
        return True
    return any(item.now[name] != value for name, value in item.after.items() if name in TELLING)


def _comes_back(item: _Item) -> bool:
    return bool(item.now["status"] == AlertStatus.CLOSED and item.before["status"] != AlertStatus.CLOSED)


def _taken(fingerprints: list[str]) -> set[str]:
    """Return those of the fingerprints that have an alert which is not closed."""
    found: set[str] = set()
    for start in range(0, len(fingerprints), CHUNK):
        rows = Alert.objects.filter(fingerprint__in=fingerprints[start : start + CHUNK])
        found.update(rows.exclude(status=AlertStatus.CLOSED).values_list("fingerprint", flat=True))
    return found


def _who_changed(ids: list[int], action: ReviewAction) -> list[tuple[int, str]]:
    """Return the reason for each alert that was changed since, with the person's name where one is known."""
    names: dict[int, str] = {}
    for start in range(0, len(ids), CHUNK):
        rows = ReviewedAlert.objects.filter(action__gt=action.pk, alert__in=ids[start : start + CHUNK])
        names |= dict(rows.order_by("action_id").values_list("alert_id", "action__user__username"))
    return [(pk, f"{CHANGED} by {names[pk]}" if pk in names else CHANGED) for pk in ids]


def _state_to_restore(item: _Item, standing: set[int]) -> State:
    """Return the columns to write; what a rule hid stays in view when the rule has ended meanwhile."""
    state = dict(item.before) if item.after is None else {name: item.before[name] for name in item.after}
    if state.get("status") == AlertStatus.MUTED and item.before["mute_rule_id"] not in standing:
        return state | {"status": AlertStatus.OPEN.value, "mute_rule_id": None}
    return state


def _restore(items: list[_Item], user: User, action: ReviewAction, now: dt.datetime) -> None:
    rules = {item.before["mute_rule_id"] for item in items} - {None}
    rows = MuteRule.objects.filter(pk__in=rules, ended_at=None, expires_at__gt=now)
    standing = set(rows.values_list("pk", flat=True)) if rules else set()
    states = {item.pk: _state_to_restore(item, standing) for item in items}
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for item in items:
        alike[tuple(states[item.pk].items())].append(item.pk)
    for state, ids in alike.items():
        for start in range(0, len(ids), CHUNK):
            part = Alert.objects.filter(pk__in=ids[start : start + CHUNK])
            part.update(**dict(state), revision=F("revision") + 1, updated_at=now)
    verdicts = [item.verdict_id for item in items if item.verdict_id]
    for start in range(0, len(verdicts), CHUNK):
        Verdict.objects.filter(pk__in=verdicts[start : start + CHUNK], withdrawn_at=None).update(withdrawn_at=now)
    entries = (_entry(item, states[item.pk], user, action) for item in items)
    AuditEntry.objects.bulk_create(entries, batch_size=actions.CHUNK)


def _entry(item: _Item, state: State, user: User, action: ReviewAction) -> AuditEntry:
    details = {"action": action.pk, "kind": action.kind, "value": action.value}
    details |= {"status": [item.now["status"], state.get("status", item.now["status"])]}
    return AuditEntry(
        alert_id=item.pk, actor=user.get_username(), actor_kind=DecidedBy.PERSON, action="undo", details=details
    )
