"""What there is to say goes into the outbox, once per channel.

Handed: alerts that were opened or have become more severe, and what is wrong with Winnow's own workings. Hands on:
``Notification`` rows for every channel that wants to know; :mod:`alerts.services.outbox` sends them. Alerts are noted
in the transaction that opens or raises them, so that none is forgotten; muted ones and blind audits are told to nobody.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from alerts import grouping
from alerts.models import Alert, AlertOrigin, AlertStatus, Channel, Condition, Notification, Severity
from alerts.models.notifications import ALERT
from alerts.selectors import standing
from alerts.selectors.standing import Standing

CHUNK = 400
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class _Word:
    """One thing to say, on whichever channels want it."""

    topic: str
    subject: str
    key: str
    severity: str
    title: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    alert_id: int | None = None

    @property
    def rank(self) -> int:
        return grouping.rank(self.severity)


def note_alerts(alerts: Iterable[Alert], *, now: dt.datetime | None = None) -> int:
    """Note alerts on the channels that want their severity; return how many notifications there are now to send.

    Call it in the transaction that opened or raised them. One alert of one severity is noted once, however often this
    runs. A constant number of statements per few hundred alerts; one where no channel wants alerts.
    """
    channels = [one for one in _channels() if one.min_severity]
    if not channels:
        return 0
    words = [
        _of_alert(alert) for alert in alerts if alert.status == AlertStatus.OPEN and alert.origin == AlertOrigin.FLAGGED
    ]
    wanted = [(one, word) for one in channels for word in words if word.rank >= grouping.rank(one.min_severity)]
    return _note(wanted, now or timezone.now())


def watch(now: dt.datetime | None = None) -> int:
    """Look at what is wrong now, and note what has begun or ended; return how many notifications. May run twice."""
    now = now or timezone.now()
    channels = [one for one in _channels() if one.topics]
    current = {one.subject: one for one in standing.standing(now)}
    with transaction.atomic():
        rows = {row.subject: row for row in Condition.objects.select_for_update().filter(ended_at__isnull=True)}
        new = [_condition(one, now) for subject, one in current.items() if subject not in rows]
        Condition.objects.bulk_create(new, ignore_conflicts=True)
        over = [row for subject, row in rows.items() if subject not in current]
        Condition.objects.filter(pk__in=[row.pk for row in over]).update(ended_at=now)
        noted = _note_begun(channels, now)
        return noted + _note_ended([row for row in over if row.topic in standing.TELLS_END], channels, now)


def _channels() -> list[Channel]:
    return list(Channel.objects.filter(ended_at__isnull=True).order_by("pk"))


def _condition(one: Standing, now: dt.datetime) -> Condition:
    return Condition(
        subject=one.subject[:150],
        topic=one.topic,
        severity=one.severity,
        title=one.title[:300],
        text=one.text[:MAX_TEXT],
        path=one.path[:200],
        since=now,
    )


def _note_begun(channels: Sequence[Channel], now: dt.datetime) -> int:
    """Note what stands on every channel that does not know of it: also on one that was made after it began."""
    rows = Condition.objects.filter(ended_at__isnull=True).order_by("pk")
    words = [_of_condition(row) for row in rows if now - row.since >= standing.SETTLES.get(row.topic, dt.timedelta())]
    wanted = [
        (one, word)
        for one in channels
        for word in words
        if word.topic in one.topics and word.subject != f"channel:{one.pk}"  # it would not get through
    ]
    # It is looked at again in half a minute, so what is not said now is said later if it still stands; no repetition.
    return _note(wanted, now, counts=False)


def _note_ended(rows: Sequence[Condition], channels: Sequence[Channel], now: dt.datetime) -> int:
    """Note the end of what a channel was told about."""
    words = {f"condition:{row.pk}": _of_end(row, now) for row in rows}
    told = Notification.objects.filter(channel__in=channels, key__in=list(words)).values_list("channel_id", "key")
    by_id = {one.pk: one for one in channels}
    return _note([(by_id[channel_id], words[key]) for channel_id, key in told], now)


def _of_alert(alert: Alert) -> _Word:
    where = [part for part in (alert.entity, f"on {alert.host_name}" if alert.host_name else "") if part]
    told = f"{' '.join(where)}, {alert.event_count} events" if where else f"{alert.event_count} events"
    facts = {
        "alert_id": alert.pk,
        "severity": alert.severity,
        "title": alert.title,
        "entity": alert.entity,
        "source_id": alert.source_id,
        "host": alert.host_name,
        "user": alert.user_name,
        "source_ip": alert.source_ip,
        "process": alert.process_name,
        "techniques": list(alert.techniques),
        "score": alert.score,
        "p_value": alert.p_value,
        "event_count": alert.event_count,
        "first_seen_at": alert.first_seen_at.isoformat(),
        "last_seen_at": alert.last_seen_at.isoformat(),
    }
    return _Word(
        topic=ALERT,
        subject=f"alert:{alert.fingerprint}",
        key=f"alert:{alert.pk}:{alert.severity}",
        severity=alert.severity,
        title=alert.title,
        text=told[:MAX_TEXT],
        facts=facts,
        alert_id=alert.pk,
    )


def _of_condition(row: Condition) -> _Word:
    facts = {"condition": row.subject, "since": row.since.isoformat(), "ended_at": None, "path": row.path}
    return _Word(row.topic, row.subject, f"condition:{row.pk}", row.severity, row.title, row.text, facts)


def _of_end(row: Condition, now: dt.datetime) -> _Word:
    facts = {
        "condition": row.subject, "since": row.since.isoformat(), "ended_at": now.isoformat(), "path": row.path,
    }  # fmt: skip
    minutes = max(int((now - row.since).total_seconds() // 60), 0)
    title = f"Over: {row.title}"[:300]
    text = f"It lasted {minutes:,} minutes." if minutes else "It lasted less than a minute."
    # Its own subject: the end of something is no repetition of its beginning.
    subject = f"{row.subject}:over"[:160]
    return _Word(row.topic, subject, f"condition:{row.pk}:over", Severity.INFO, title, text, facts)


def _note(wanted: Sequence[tuple[Channel, _Word]], now: dt.datetime, *, counts: bool = True) -> int:
    """Store what is to be said, or count it at what was said about the same thing a short while ago."""
    written = 0
    for start in range(0, len(wanted), CHUNK):
        written += _note_some(wanted[start : start + CHUNK], now, counts)
    return written


def _note_some(wanted: Sequence[tuple[Channel, _Word]], now: dt.datetime, counts: bool) -> int:
    known = _known(wanted)
    new = [(channel, word) for channel, word in wanted if (channel.pk, word.key[:160]) not in known]
    said = _said_lately(new, now)
    rows = [_row(channel, word, now) for channel, word in new if (channel.pk, word.subject) not in said]
    with transaction.atomic():
        if counts and said:
            Notification.objects.filter(pk__in=said.values()).update(repeats=F("repeats") + 1)
        Notification.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _known(wanted: Sequence[tuple[Channel, _Word]]) -> set[tuple[int, str]]:
    """Return by channel and key what is noted already."""
    channels, keys = {channel.pk for channel, _ in wanted}, {word.key[:160] for _, word in wanted}
    rows = Notification.objects.filter(channel__in=channels, key__in=keys) if wanted else Notification.objects.none()
    return set(rows.values_list("channel_id", "key"))


def _said_lately(wanted: Sequence[tuple[Channel, _Word]], now: dt.datetime) -> dict[tuple[int, str], int]:
    """Return by channel and subject the number of the newest notification that makes a new one a repetition."""
    if not wanted:
        return {}
    words = {(channel.pk, word.subject): (channel, word) for channel, word in wanted}
    longest = max(channel.repeat_minutes for channel, _ in wanted)
    rows = Notification.objects.filter(
        channel__in={pk for pk, _ in words},
        subject__in={subject for _, subject in words},
        created_at__gt=now - dt.timedelta(minutes=longest),
    )
    found: dict[tuple[int, str], int] = {}
    for row in rows.order_by("id"):
        pair = words.get((row.channel_id, row.subject))
        if pair is None:
            continue
        channel, word = pair
        fresh = now - row.created_at < dt.timedelta(minutes=channel.repeat_minutes)
        if fresh and row.severity_rank >= word.rank:
            found[row.channel_id, row.subject] = row.pk
    return found


def _row(channel: Channel, word: _Word, now: dt.datetime) -> Notification:
    return Notification(
        channel=channel,
        topic=word.topic,
        subject=word.subject[:160],
        key=word.key[:160],
        severity=word.severity,
        severity_rank=word.rank,
        alert_id=word.alert_id,
        title=word.title[:300],
        text=word.text,
        facts=word.facts,
        created_at=now,
    )
