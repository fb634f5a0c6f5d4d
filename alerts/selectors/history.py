"""The history of an alert in words: who did what, when, and what it changed.

Handed: an alert's audit entries and verdicts. Hands on: lines, newest first. Details of entries are JSON that services
wrote over the years, so their shape is checked here; an action nobody put into words is shown by its name.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.models import ActionKind, Alert, AlertStatus, AuditEntry, DecidedBy, Verdict, VerdictValue

_STATUS: dict[str, str] = {key: str(label).lower() for key, label in AlertStatus.choices}
_VERDICTS: dict[str, str] = {key: str(label) for key, label in VerdictValue.choices}
Details = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """What was done (``did``, with the ``what`` that matters), what was written about it, and what changed."""

    did: str
    what: str = ""
    note: str = ""
    change: str = ""

    @property
    def is_long(self) -> bool:
        """Whether the note may be more than its place holds, so that it has to be scrolled."""
        return len(self.note) > 300 or self.note.count("\n") > 6


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line. ``undone_at`` is when it was taken back, None while it stands; ``actor`` may be unknown (empty)."""

    at: dt.datetime
    actor: str
    automation: bool
    words: Words
    undone_at: dt.datetime | None = None


def history_lines(alert: Alert, entries: Iterable[AuditEntry], verdicts: Iterable[Verdict]) -> list[HistoryLine]:
    """Return an alert's history in words, newest first; it begins with how the alert came to be."""
    known, rows = {verdict.pk: verdict for verdict in verdicts}, list(entries)
    found = [_line(entry, known) for entry in rows]
    if not any(entry.words.did == OPENED for entry in found):
        found.append(HistoryLine(alert.created_at, "", True, Words(OPENED)))
    elif rows[-1].action == "alert.opened":
        found[-1:-1] = _grown(alert, rows[-1])
    return found


OPENED = "opened the alert"


def _grown(alert: Alert, opened: AuditEntry) -> list[HistoryLine]:
    """Return the line of the events that have come since the alert was opened, at the time of the last of them."""
    first = opened.details.get("events") if isinstance(opened.details, dict) else None
    more = alert.event_count - first if isinstance(first, int) else 0
    if more < 1:
        return []
    words = Words("added", f"{more:,} more event{'' if more == 1 else 's'}", change="the last of them then")
    return [HistoryLine(alert.last_seen_at, opened.actor, True, words)]


def _line(entry: AuditEntry, verdicts: Mapping[int, Verdict]) -> HistoryLine:
    details = entry.details if isinstance(entry.details, dict) else {}
    number = details.get("verdict_id")
    verdict = verdicts.get(number) if entry.action == "verdict" and isinstance(number, int) else None
    say = _SAYINGS.get(entry.action)
    words = say(entry, details) if say else Words(entry.action.replace(".", ": ").replace("_", " "))
    if verdict is not None:
        words = Words(words.did, words.what, verdict.note, words.change)
    return HistoryLine(
        at=entry.created_at,
        actor=entry.actor,
        automation=entry.actor_kind == DecidedBy.AUTOMATION,
        words=words,
        undone_at=verdict.withdrawn_at if verdict is not None else None,
    )


def _text(details: Details, key: str) -> str:
    value = details.get(key)
    return value if isinstance(value, str) else ""


def _status(details: Details) -> str:
    """Return how the status changed, empty where it did not or nobody wrote it down."""
    pair = details.get("status")
    if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
        return ""
    before, after = (_STATUS.get(str(one), str(one)) for one in pair)
    return f"{before} → {after}"


def _verdict(_entry: AuditEntry, details: Details) -> Words:
    value = _text(details, "value")
    return Words("decided", _VERDICTS.get(value, value), change=_status(details))


def _assign(entry: AuditEntry, details: Details) -> Words:
    before, after = _text(details, "from"), _text(details, "to")
    was = f"was with {before}" if before else "nobody had it"
    if after:
        return Words("took it", change=was) if after == entry.actor else Words("gave it to", after, change=was)
    return Words("gave it back") if before in ("", entry.actor) else Words("gave it back", change=was)


def _escalate(_entry: AuditEntry, details: Details) -> Words:
    before = _text(details, "from")
    return Words("escalated it", note=_text(details, "note"), change=f"was with {before}" if before else "")


def _undo(_entry: AuditEntry, details: Details) -> Words:
    kind, value = _text(details, "kind"), _text(details, "value")
    what = _UNDONE.get(kind, kind)
    value = _VERDICTS.get(value, value) if kind in (ActionKind.VERDICT, ActionKind.ASSIGN) else ""
    return Words("undid", f"{what} {value}".strip(), change=_status(details))


_UNDONE: dict[str, str] = {
    ActionKind.VERDICT: "the verdict",
    ActionKind.ASSIGN: "giving it to",
    ActionKind.ESCALATE: "the escalation",
    ActionKind.REOPEN: "the reopening",
    ActionKind.MUTE: "the mute",
}


def _explain(_entry: AuditEntry, details: Details) -> Words:
    larger = details.get("tier") == "large"
    return Words("asked the stronger model for a new explanation" if larger else "asked for a new explanation")


def _raised(_entry: AuditEntry, details: Details) -> Words:
    before, after = _text(details, "before"), _text(details, "after")
    return Words("raised the severity to", after, change=f"{before} → {after}" if before and after else "")


def _opened(_entry: AuditEntry, details: Details) -> Words:
    count, severity = details.get("events"), _text(details, "severity")
    told = [f"{count:,} event{'' if count == 1 else 's'}"] if isinstance(count, int) else []
    told += [f"severity {severity}"] if severity else []
    told += [f"muted or sampled {rule}"] if (rule := _rule(details, "mute_rule")) else []
    return Words(OPENED, change=", ".join(told))


def _noted(_entry: AuditEntry, details: Details) -> Words:
    return Words("noted", note=_text(details, "text"))


def _muted(_entry: AuditEntry, details: Details) -> Words:
    did = "left it open as a sample of a mute" if details.get("shown") is True else "muted it"
    return Words(did, _rule(details, "rule"), note=_text(details, "reason"))


def _rule(details: Details, key: str) -> str:
    """Return a mute rule's number in words, empty where there is none."""
    number = details.get(key)
    return f"by rule {number}" if isinstance(number, int) and not isinstance(number, bool) else ""


def _exported(_entry: AuditEntry, details: Details) -> Words:
    return Words("took it out as", _text(details, "format"))


def _plain(did: str) -> Callable[[AuditEntry, Details], Words]:
    return lambda _entry, details: Words(did, change=_status(details))


_SAYINGS: dict[str, Callable[[AuditEntry, Details], Words]] = {
    "verdict": _verdict,
    "assign": _assign,
    "escalate": _escalate,
    "withdraw_escalation": _plain("withdrew the escalation"),
    "reopen": _plain("reopened it"),
    "undo": _undo,
    "note": _noted,
    "alert.re_explain": _explain,
    "alert.severity_raised": _raised,
    "alert.opened": _opened,
    "alert.exported": _exported,
    "mute": _muted,
    "unmute": _plain("brought it back"),
}
