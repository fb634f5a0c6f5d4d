"""What every change by a person leaves behind, so that it can be undone: an action, and how each alert was before.

Handed: who did what, and each alert's state before and after. Hands on: a :class:`~alerts.models.ReviewAction` with one
:class:`~alerts.models.ReviewedAlert` per alert. Call it inside the transaction of the change. It knows no rules of
deciding; those are in :mod:`alerts.services.review` and :mod:`alerts.services.bulk`.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.models import ActionKind, Alert, DecidedBy, ReviewAction, ReviewedAlert, VerdictValue
from triage.models import User

#: What an action may change of an alert and undoing restores.
STATE = (
    "status", "assignee_id", "escalated_at", "escalated_by_id", "first_action_at", "decided_at", "mute_rule_id",
)  # fmt: skip
#: Of these, what says that somebody else has been there since; that somebody acted first says nothing about it.
TELLING = tuple(name for name in STATE if name != "first_action_at")
MOMENTS = ("escalated_at", "first_action_at", "decided_at")
MAX_NOTE_CHARACTERS = 10_000
#: Rows per statement.
CHUNK = 1000
State = dict[str, Any]


class ReviewError(ValueError):
    """The request makes no sense (unknown verdict, note too long); nothing was changed."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who decides: a person with a user row, or a named automation without one."""

    name: str
    kind: str
    user: User | None


@dataclass(frozen=True, slots=True)
class Change:
    """One alert of an action: its state before, the columns that changed, its revision now, the verdict it got."""

    alert_id: int
    before: State
    after: State
    revision: int
    verdict_id: int | None = None


def actor_of(user: User | None, decided_by: str = DecidedBy.PERSON, automation: str = "") -> Actor:
    """Return who decides; raise :class:`ReviewError` for a person without a user row or an automation with one."""
    if decided_by == DecidedBy.PERSON:
        if user is None:
            raise ReviewError("a person's decision needs the person")
        return Actor(name=user.get_username(), kind=DecidedBy.PERSON, user=user)
    if decided_by != DecidedBy.AUTOMATION or user is not None or not automation:
        raise ReviewError("an automation's decision needs the automation's name and no person")
    return Actor(name=automation[:150], kind=DecidedBy.AUTOMATION, user=None)


def check_verdict(value: str) -> None:
    """Raise :class:`ReviewError` for an unknown verdict."""
    if value not in VerdictValue.values:
        raise ReviewError(f"unknown verdict {value[:40]!r}; one of {', '.join(VerdictValue.values)}")


def checked_note(note: str) -> str:
    """Return the note without NULs; raise :class:`ReviewError` when it is too long."""
    if len(note) > MAX_NOTE_CHARACTERS:
        raise ReviewError(f"the note has {len(note)} characters; at most {MAX_NOTE_CHARACTERS}")
    return note.replace("\0", "")


def state_of(alert: Alert) -> State:
    """Return what an action may change of an alert, as it is now."""
    return {name: getattr(alert, name) for name in STATE}


def stored(state: State) -> State:
    """Return a state as JSON: times in ISO form.

    >>> stored({"status": "open", "decided_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)})
    {'status': 'open', 'decided_at': '2026-01-02T00:00:00+00:00'}
    """
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in state.items()}


def read(state: State) -> State:
    """Return a stored state with its times; columns that no action may change are left out.

    >>> read({"status": "open", "decided_at": None, "after": {}, "severity": "low"})
    {'status': 'open', 'decided_at': None}
    """
    known = {name: value for name, value in state.items() if name in STATE}
    return known | {name: dt.datetime.fromisoformat(known[name]) for name in MOMENTS if known.get(name)}


def keep(
    *, user: User, kind: str, value: str, changes: Iterable[Change], skipped: int = 0, query: str = ""
) -> ReviewAction:
    """Store an action with how each of its alerts was; ``kind`` is an :class:`~alerts.models.ActionKind`."""
    found = list(changes)
    action = ReviewAction.objects.create(
        user=user, kind=kind, value=value[:150], alert_count=len(found), skipped_count=skipped, query=query
    )
    ReviewedAlert.objects.bulk_create(
        (
            ReviewedAlert(
                action=action,
                alert_id=change.alert_id,
                before=stored(change.before) | {"after": stored(change.after)},
                revision=change.revision,
                verdict_id=change.verdict_id,
            )
            for change in found
        ),
        batch_size=CHUNK,
    )
    return action


#: Kind and whether it has a value -> what is said of one alert, and of many.
WORDS: dict[tuple[str, bool], tuple[str, str]] = {
    (ActionKind.VERDICT, True): ("Closed: {}", "{:,} alerts closed: {}"),
    (ActionKind.ASSIGN, True): ("Given to {}", "{:,} alerts given to {}"),
    (ActionKind.ASSIGN, False): ("Given back", "{:,} alerts given back"),
    (ActionKind.ESCALATE, False): ("Escalated", "{:,} alerts escalated"),
    (ActionKind.ESCALATE, True): ("Escalation withdrawn", "{:,} escalations withdrawn"),
    (ActionKind.REOPEN, False): ("Reopened", "{:,} alerts reopened"),
    (ActionKind.MUTE, False): ("Muted", "{:,} alerts muted"),
    (ActionKind.MUTE, True): ("Muted", "{:,} alerts muted"),
}


def said(action: ReviewAction) -> str:
    """Return an action in words, as the notice after it and the undo list say it.

    >>> said(ReviewAction(kind="verdict", value="fp_data", alert_count=1200))
    '1,200 alerts closed: False positive (data)'
    """
    value = action.value
    if action.kind == ActionKind.VERDICT:
        value = str(dict(VerdictValue.choices).get(value, value))
        if action.value == VerdictValue.UNDETERMINED:
            return "Undetermined, it stays open" if action.alert_count == 1 else f"{action.alert_count:,} undetermined"
    one, many = WORDS[action.kind, bool(value)]
    return one.format(value) if action.alert_count == 1 else many.format(action.alert_count, value)


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return a few of many as words.

    >>> listed(["a", "b"]), listed(list("abcde"))
    ('a, b', 'a, b, c and 2 more')
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
