"""One decision for many alerts: a verdict, an assignee, an escalation, in one transaction and one action to undo.

Handed: the alerts (by number, with the revision that was seen, or by the queue's filter with the count the person was
told) and what is to be done. Hands on: what was done, and what was left alone with the reason for each. Nothing is cut
off: more than :data:`MAX_BULK` are refused, and so is a filter that matches more than the person agreed to.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from alerts.models import ActionKind, Alert, AlertOrigin, AlertStatus, AuditEntry, DecidedBy, Verdict, VerdictValue
from alerts.selectors import queue
from alerts.selectors.queue import QueueFilter
from alerts.services import actions, clusters
from alerts.services.actions import STATE, Actor, Change, ReviewError, State, actor_of
from triage.models import User

MAX_BULK = 50_000
#: Rows per statement; below SQLite's limit of bound variables.
CHUNK = 500
#: A filter that matches less than this share of what the person agreed to is another question.
LEAST_SHARE = 0.5
NO_SUCH, CHANGED = "no such alert", "changed since you saw it"
CLOSED, BLIND = "already closed", "blind audit, decided one by one"
COLUMNS = ("pk", "revision", "origin", *STATE)


class CountChangedError(Exception):
    """The filter does not match what the person agreed to; ``count`` and ``up_to`` say what it matches now."""

    def __init__(self, count: int, agreed: int, up_to: int) -> None:
        super().__init__(f"{count:,} match now, not the {agreed:,} that were agreed to")
        self.count = count
        self.up_to = up_to


@dataclass(frozen=True, slots=True)
class Numbers:
    """Alerts by number, each with the revision that was seen (None: do not compare)."""

    seen: Mapping[int, int | None]

    @classmethod
    def of(cls, alert_ids: Iterable[int]) -> "Numbers":
        """Return alerts by number only."""
        return cls(dict.fromkeys(alert_ids))


@dataclass(frozen=True, slots=True)
class Matching:
    """All that match a filter and are no newer than ``up_to``; ``count`` is what the person agreed to (None: any)."""

    wanted: QueueFilter
    count: int | None = None
    up_to: int | None = None


Chosen = Numbers | Matching


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What was done: numbers of the alerts changed, those left alone with the reason, and the action to undo."""

    decided: tuple[int, ...]
    skipped: tuple[tuple[int, str], ...]
    action_id: int | None = None

    @property
    def reasons(self) -> dict[str, int]:
        """Reason -> how many were left alone for it, the most frequent first."""
        return dict(Counter(reason for _, reason in self.skipped).most_common())


@dataclass(frozen=True, slots=True)
class Row:
    """An alert as a bulk decision needs it."""

    pk: int
    revision: int
    origin: str
    state: State


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to each alert: how it is written down, whom it does not fit, and how it is carried out."""

    kind: str
    value: str
    audited: str
    refuse: Callable[[Row], str]
    after: State
    write: Callable[[QuerySet[Alert], State], None]
    details: Callable[[Row], dict[str, Any]]
    verdict: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person is told before they agree: how many match, up to which alert, and how many will be left alone."""

    count: int
    up_to: int
    closed: int
    blind: int


def preview(wanted: QueueFilter) -> Preview:
    """Count what a filter matches now, over the whole result: two queries."""
    newest = queue.newest_id()
    rows = queue.matching(wanted).filter(pk__lte=newest).order_by()
    blind = Q(origin=AlertOrigin.BLIND_AUDIT) & ~Q(status=AlertStatus.CLOSED)
    found = Alert.objects.filter(pk__in=rows.values("pk")).aggregate(
        count=Count("pk"), closed=Count("pk", filter=Q(status=AlertStatus.CLOSED)), blind=Count("pk", filter=blind)
    )
    return Preview(up_to=newest, **found)


def decide(
    *,
    chosen: Chosen,
    value: str,
    note: str = "",
    user: User | None,
    decided_by: str = DecidedBy.PERSON,
    automation: str = "",
) -> BulkResult:
    """Record one verdict for many; closed ones and blind audits are left alone.

    Raises :class:`ReviewError` and, for a filter, :class:`CountChangedError`; nothing was changed then.
    """
    actions.check_verdict(value)
    note, actor, now = actions.checked_note(note), actor_of(user, decided_by, automation), timezone.now()
    closes = value != VerdictValue.UNDETERMINED
    decided_at: State = {"decided_at": now} if actor.user else {}
    after: State = {"status": AlertStatus.CLOSED.value} | decided_at if closes else {}

    def write(rows: QuerySet[Alert], stamps: State) -> None:
        if closes:
            rows.update(status=AlertStatus.CLOSED, **decided_at, **stamps)
        else:
            rows.update(**stamps)

    def details(row: Row) -> dict[str, Any]:
        status = after.get("status", row.state["status"])
        return {"value": value, "status": [row.state["status"], status], "note": bool(note), "bulk": True}

    verdict = {"value": value, "note": note, "decided_by": actor.kind, "user": actor.user}
    step = Step(ActionKind.VERDICT, value, "verdict", _why_not_decide, after, write, details, verdict)
    return _perform(chosen, step, actor, now)


def _why_not_decide(row: Row) -> str:
    if row.state["status"] == AlertStatus.CLOSED:
        return CLOSED
    return BLIND if row.origin == AlertOrigin.BLIND_AUDIT else ""


def assign(*, chosen: Chosen, assignee: User | None, user: User) -> BulkResult:
    """Give many alerts to a person, or to nobody; closed ones and those that are theirs already are left alone."""
    now, wanted = timezone.now(), assignee.pk if assignee else None
    name = assignee.get_username() if assignee else ""

    def refuse(row: Row) -> str:
        if row.state["status"] == AlertStatus.CLOSED:
            return CLOSED
        return (f"already {name}'s" if name else "nobody's already") if row.state["assignee_id"] == wanted else ""

    def write(rows: QuerySet[Alert], stamps: State) -> None:
        rows.update(assignee=assignee, **stamps)

    def details(row: Row) -> dict[str, Any]:
        return {"from": names.get(row.state["assignee_id"]), "to": name or None, "bulk": True}

    names = dict(User.objects.values_list("pk", "username"))
    step = Step(ActionKind.ASSIGN, name, "assign", refuse, {"assignee_id": wanted}, write, details)
    return _perform(chosen, step, actor_of(user), now)


def escalate(*, chosen: Chosen, user: User, note: str = "") -> BulkResult:
    """Ask for somebody senior for many alerts; closed and escalated ones are left alone."""
    note, now = actions.checked_note(note), timezone.now()
    after = {
        "escalated_at": now, "escalated_by_id": user.pk, "assignee_id": None, "status": AlertStatus.OPEN.value,
        "mute_rule_id": None,
    }  # fmt: skip

    def refuse(row: Row) -> str:
        if row.state["status"] == AlertStatus.CLOSED:
            return CLOSED
        return "escalated already" if row.state["escalated_at"] else ""

    def write(rows: QuerySet[Alert], stamps: State) -> None:
        rows.filter(status=AlertStatus.MUTED).update(status=AlertStatus.OPEN, mute_rule=None)
        rows.update(escalated_at=now, escalated_by=user, assignee=None, **stamps)

    step = Step(ActionKind.ESCALATE, "", "escalate", refuse, after, write, lambda row: {"note": note, "bulk": True})
    return _perform(chosen, step, actor_of(user), now)


def _perform(chosen: Chosen, step: Step, actor: Actor, now: dt.datetime) -> BulkResult:
    with transaction.atomic():
        rows, skipped = _locked(chosen)
        taken: list[Row] = []
        for row in rows:
            reason = step.refuse(row)
            if reason:
                skipped.append((row.pk, reason))
            else:
                taken.append(row)
        action_id = _carry_out(taken, step, actor, now, skipped=len(skipped), chosen=chosen)
    return BulkResult(tuple(row.pk for row in taken), tuple(skipped), action_id)


def _locked(chosen: Chosen) -> tuple[list[Row], list[tuple[int, str]]]:
    """Return the alerts that are there, locked in the order in which grouping locks them, and what cannot be done."""
    if isinstance(chosen, Matching):
        return sorted(_matching(chosen), key=lambda row: row.pk), []
    if len(chosen.seen) > MAX_BULK:
        raise ReviewError(f"{len(chosen.seen):,} alerts in one request; at most {MAX_BULK:,}")
    found: dict[int, Row] = {}
    by_fingerprint = _in_order(list(chosen.seen))
    for start in range(0, len(by_fingerprint), CHUNK):
        found |= {row.pk: row for row in _rows(Alert.objects.filter(pk__in=by_fingerprint[start : start + CHUNK]))}
    skipped = [(pk, NO_SUCH) for pk in chosen.seen if pk not in found]
    skipped += [(pk, CHANGED) for pk in chosen.seen if pk in found and _has_changed(found[pk], chosen.seen[pk])]
    left = {pk for pk, _ in skipped}
    return [found[pk] for pk in chosen.seen if pk not in left], skipped


def _has_changed(row: Row, seen: int | None) -> bool:
    """Whether an alert is no longer as it was seen; a closed one says so more plainly by itself."""
    return seen is not None and row.revision != seen and row.state["status"] != AlertStatus.CLOSED


def _in_order(ids: list[int]) -> list[int]:
    """Return the numbers of the alerts there are, in the order of fingerprints."""
    found: list[tuple[str, int]] = []
    for start in range(0, len(ids), CHUNK):
        found += Alert.objects.filter(pk__in=ids[start : start + CHUNK]).values_list("fingerprint", "pk")
    return [pk for _, pk in sorted(found)]


def _matching(chosen: Matching) -> list[Row]:
    matches = queue.matching(chosen.wanted)
    if chosen.up_to is not None:
        matches = matches.filter(pk__lte=chosen.up_to)
    rows = _rows(Alert.objects.filter(pk__in=matches.order_by().values("pk")))
    agreed = len(rows) if chosen.count is None else chosen.count
    if len(rows) > agreed or len(rows) < LEAST_SHARE * agreed:
        now = preview(chosen.wanted)
        raise CountChangedError(now.count, agreed, now.up_to)
    if len(rows) > MAX_BULK:
        raise ReviewError(f"{len(rows):,} alerts match; at most {MAX_BULK:,} at once, so narrow the filter")
    return rows


def _rows(alerts: QuerySet[Alert]) -> list[Row]:
    """Lock alerts in the order of fingerprints, as grouping does, so that nobody waits in a circle."""
    found = alerts.select_for_update().order_by("fingerprint", "pk").values_list(*COLUMNS)
    return [Row(pk, revision, origin, dict(zip(STATE, state, strict=True))) for pk, revision, origin, *state in found]


def _carry_out(
    taken: list[Row], step: Step, actor: Actor, now: dt.datetime, *, skipped: int, chosen: Chosen
) -> int | None:
    """Write verdicts, audit entries, the action and the alerts; return the action's number, None for automation."""
    verdicts: list[Verdict] = []
    if step.verdict:
        rows = [Verdict(alert_id=row.pk, **step.verdict) for row in taken]
        verdicts = Verdict.objects.bulk_create(rows, batch_size=actions.CHUNK)
    entries = (
        AuditEntry(
            alert_id=row.pk, actor=actor.name, actor_kind=actor.kind, action=step.audited, details=step.details(row)
        )
        for row in taken
    )
    AuditEntry.objects.bulk_create(entries, batch_size=actions.CHUNK)
    ids = [row.pk for row in taken]
    stamps: State = {"revision": F("revision") + 1, "updated_at": now}
    stamps |= {"first_action_at": Coalesce("first_action_at", now)} if actor.user else {}
    for start in range(0, len(ids), CHUNK):
        step.write(Alert.objects.filter(pk__in=ids[start : start + CHUNK]), stamps)
        if step.verdict and actor.user is not None:
            clusters.contradict(alert_ids=ids[start : start + CHUNK], value=step.value)
    if actor.user is None or not taken:
        return None
    numbers: Iterable[int | None] = [verdict.pk for verdict in verdicts] or [None] * len(taken)
    changes = [
        Change(row.pk, row.state, _after(row, step, now), row.revision + 1, number)
        for row, number in zip(taken, numbers, strict=True)
    ]
    query = chosen.wanted.query() if isinstance(chosen, Matching) else ""
    action = actions.keep(
        user=actor.user, kind=step.kind, value=step.value, changes=changes, skipped=skipped, query=query
    )
    return action.pk


def _after(row: Row, step: Step, now: dt.datetime) -> State:
    """Return the columns that changed, as they are now."""
    wanted = step.after | ({} if row.state["first_action_at"] else {"first_action_at": now})
    return {name: value for name, value in wanted.items() if row.state[name] != value}
