"""Channels and what became of their messages, for the settings pages and doctor.

Handed: nothing, or a channel. Hands on: rows. Secrets are not read here at all.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from alerts.models import Channel, Delivery, DeliveryState, Notification, Topic

HISTORY = 50
#: Topics inside a sentence.
TOPIC_WORDS = {
    Topic.ESCALATION: "what people escalate",
    Topic.ALARM: "alarms about models",
    Topic.SOURCE: "silent or changed sources",
    Topic.CANARY: "the canary",
    Topic.BUDGET: "money for language models",
    Topic.LLM: "language models",
    Topic.OPERATION: "Winnow itself",
}
#: Messages that were given up are trouble for so long.
DEAD_FOR = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A channel with what waits and what failed. ``last_sent_at`` is None when nothing ever got through."""

    channel: Channel
    waiting: int
    oldest_waiting_at: dt.datetime | None
    sent_day: int
    dead: int
    failing: str
    last_sent_at: dt.datetime | None

    @property
    def paused(self) -> bool:
        """Whether a person paused it."""
        return self.channel.paused_at is not None

    @property
    def state(self) -> str:
        """``paused``, ``failing``, ``dead`` (something was given up) or ``well``; ``new`` before the first message."""
        if self.paused:
            return "paused"
        if self.failing:
            return "failing"
        if self.dead:
            return "dead"
        return "well" if self.last_sent_at else "new"

    @property
    def state_words(self) -> str:
        """The state in a few words."""
        words = {
            "paused": f"paused by {self.channel.paused_by}",
            "failing": f"fails: {self.failing}",
            "dead": f"{self.dead} given up in 7 days",
            "well": "gets through",
            "new": "nothing sent yet",
        }
        return words[self.state]

    @property
    def topics(self) -> list[str]:
        """What it is told about besides alerts, in words."""
        return [TOPIC_WORDS[topic] for topic in self.channel.topics if topic in TOPIC_WORDS]


def channel_rows(channel_id: int | None = None) -> list[ChannelRow]:
    """Return channels that were not ended, by name: four queries. With an id only that one."""
    channels = Channel.objects.filter(ended_at__isnull=True)
    if channel_id is not None:
        channels = channels.filter(pk=channel_id)
    now = timezone.now()
    waiting: dict[int, Any] = {row["channel"]: row for row in _waiting()}
    counts: dict[int, Any] = {row["channel"]: row for row in _counts(now)}
    failing = dict(_failing())
    return [
        ChannelRow(
            channel=one,
            waiting=waiting.get(one.pk, {}).get("n", 0),
            oldest_waiting_at=waiting.get(one.pk, {}).get("oldest"),
            sent_day=counts.get(one.pk, {}).get("sent", 0),
            dead=counts.get(one.pk, {}).get("dead", 0),
            failing=failing.get(one.pk, ""),
            last_sent_at=counts.get(one.pk, {}).get("last"),
        )
        for one in channels
    ]


def _waiting() -> Iterable[Any]:
    """Return per channel what is not in a message yet, or in one that was not sent."""
    unsent = Q(delivery__isnull=True) | Q(delivery__state__in=(DeliveryState.WAITING, DeliveryState.SENDING))
    rows = Notification.objects.filter(unsent).order_by().values("channel")
    return rows.annotate(n=Count("pk"), oldest=Min("created_at"))


def _counts(now: dt.datetime) -> Iterable[Any]:
    day, week = now - dt.timedelta(days=1), now - DEAD_FOR
    return (
        Delivery.objects.order_by()
        .values("channel")
        .annotate(
            sent=Count("pk", filter=Q(state=DeliveryState.SENT, sent_at__gt=day)),
            dead=Count("pk", filter=Q(state=DeliveryState.DEAD, is_test=False, created_at__gt=week)),
            last=Max("sent_at"),
        )
    )


def _failing() -> Iterable[tuple[int, str]]:
    """Return channel and reason of messages that failed and are tried again."""
    rows = Delivery.objects.filter(state=DeliveryState.WAITING, attempts__gt=0).order_by("pk")
    return rows.values_list("channel_id", "error")


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message with the first of what was in it. ``more`` counts the others."""

    delivery: Delivery
    notifications: list[Notification]

    @property
    def more(self) -> int:
        """Notifications of it that are not listed."""
        return max(self.delivery.count - len(self.notifications), 0)


def history(channel_id: int, *, dead: bool = False) -> list[DeliveryRow]:
    """Return a channel's newest messages, or those that were given up: two queries."""
    rows: QuerySet[Delivery] = Delivery.objects.filter(channel=channel_id)
    if dead:
        rows = rows.filter(state=DeliveryState.DEAD, is_test=False)
    found = list(rows.order_by("-id")[:HISTORY])
    told: dict[int, list[Notification]] = {row.pk: [] for row in found}
    shown: Counter[int] = Counter()
    for one in Notification.objects.filter(delivery__in=found).order_by("-severity_rank", "pk")[: 20 * HISTORY]:
        if one.delivery_id is not None and shown[one.delivery_id] < 3:
            shown[one.delivery_id] += 1
            told[one.delivery_id].append(one)
    return [DeliveryRow(row, told[row.pk]) for row in found]
