"""The outbox: notifications become messages, messages are sent once, and what cannot be sent is shown.

Handed: notifications that wait, and the clock. Hands on: deliveries. A message is claimed by a conditional update with
a lease, like all work, so that of two workers one sends it. A worker that dies between sending and writing that down
leaves the message to be sent again under the same id: at least once, and to be told apart by its receiver. A message
that fails is tried again with growing pauses; meanwhile its channel makes no other, so that what comes next is put
together. After :data:`alerts.pacing.MAX_ATTEMPTS` tries, or at once where trying again changes nothing, it is dead
until somebody sends it again.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Min, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from alerts import pacing
from alerts.messages import MAX_TOLD, Message, Notice
from alerts.models import Channel, Condition, Delivery, DeliveryState, Notification, Severity
from alerts.models.notifications import TEST
from alerts.services import audit, sending
from alerts.services.channels import ChannelError
from alerts.services.sending import NotSentError, Reply
from triage.models import User

logger = logging.getLogger(__name__)

AUTOMATION = "notifier"
#: Longer than any one try takes; after it another worker takes over.
LEASE = dt.timedelta(minutes=5)
#: Messages that one pass sends before it looks at the clock again.
BATCH = 20
#: What was sent or given up is kept for so long, and so many rows are let go of at once.
KEPT = dt.timedelta(days=30)
FORGET_AT_ONCE = 1000
CRITICAL_RANK = 4

Send = Callable[[Channel, Message], Reply]


class NoDeliveryError(RuntimeError):
    """There is no such message that was given up. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    delivery: Delivery
    lease_until: dt.datetime


def run(now: dt.datetime | None = None, *, send: Send = sending.send) -> int:
    """Put together what is due and send it; return how many messages were sent. May run at once on many hosts."""
    plan(now)
    return sum(
        deliver(pk, now=now, send=send) for pk in _due(now or timezone.now()).values_list("pk", flat=True)[:BATCH]
    )


def plan(now: dt.datetime | None = None) -> int:
    """Make messages of what waits, as each channel wishes; return how many."""
    now = now or timezone.now()
    waiting = Notification.objects.filter(delivery__isnull=True, channel__ended_at__isnull=True)
    going = waiting.filter(channel__paused_at__isnull=True).order_by("channel_id")  # or each row would be distinct
    return sum(_plan_channel(pk, now) for pk in going.values_list("channel_id", flat=True).distinct())


def _plan_channel(channel_id: int, now: dt.datetime) -> int:
    with transaction.atomic():
        # Its row is the lock: of two workers one makes the message.
        channel = Channel.objects.select_for_update(of=("self",)).get(pk=channel_id)
        if channel.paused_at or channel.ended_at or _is_stuck(channel):
            return 0
        pace, waiting = pace_of(channel), Notification.objects.filter(channel=channel, delivery__isnull=True)
        found = waiting.aggregate(n=Count("pk"), oldest=Min("created_at"))
        if found["n"] and pacing.is_held(pace, found["oldest"], now):
            if not channel.critical_at_once:
                return 0
            waiting = waiting.filter(severity_rank__gte=CRITICAL_RANK)
            found = waiting.aggregate(n=Count("pk"), oldest=Min("created_at"))
        if not found["n"]:
            return 0
        sent = Delivery.objects.filter(channel=channel, is_test=False, created_at__gt=now - pacing.HOUR).count()
        number = pacing.messages(pace, waiting=found["n"], oldest=found["oldest"], sent_last_hour=sent, now=now)
        return _make(channel, waiting, number, now)


def _is_stuck(channel: Channel) -> bool:
    """Whether a message of the channel failed and is to be tried again."""
    unsent = Delivery.objects.filter(channel=channel, attempts__gt=0, is_test=False)
    return unsent.filter(state__in=(DeliveryState.WAITING, DeliveryState.SENDING)).exists()


def pace_of(channel: Channel) -> pacing.Pace:
    """Return what a channel wishes, for the rules that know no rows."""
    return pacing.Pace(
        quiet_from=channel.quiet_from,
        quiet_until=channel.quiet_until,
        zone=channel.quiet_zone,
        digest_minutes=channel.digest_minutes,
        per_hour=channel.per_hour,
    )


def _make(channel: Channel, waiting: QuerySet[Notification], number: int, now: dt.datetime) -> int:
    """Put what waits into ``number`` messages: one for all, or one for each."""
    if number == 1:
        delivery = Delivery.objects.create(channel=channel, count=0, created_at=now, due_at=now)
        # What came in since it was counted is in it too.
        Delivery.objects.filter(pk=delivery.pk).update(count=waiting.update(delivery=delivery))
        return 1
    rows = list(waiting.order_by("pk")[:number])
    made = Delivery.objects.bulk_create([Delivery(channel=channel, created_at=now, due_at=now) for _ in rows])
    for row, delivery in zip(rows, made, strict=True):
        row.delivery = delivery
    Notification.objects.bulk_update(rows, ["delivery"])
    return len(rows)


def _due(now: dt.datetime) -> QuerySet[Delivery]:
    """Return messages that may be claimed, oldest first; those left by a worker that died among them."""
    free = Q(state=DeliveryState.WAITING, due_at__lte=now) | Q(state=DeliveryState.SENDING, lease_until__lt=now)
    going = Q(channel__paused_at__isnull=True, channel__ended_at__isnull=True) | Q(is_test=True)
    return Delivery.objects.filter(free, going).order_by("due_at", "pk")


def deliver(delivery_id: int, *, now: dt.datetime | None = None, send: Send = sending.send) -> bool:
    """Send one message if it is free and due; return whether this call sent it."""
    claimed = _claim(delivery_id, now or timezone.now())
    if claimed is None:
        return False
    started = time.monotonic()
    if claimed.delivery.attempts > pacing.MAX_ATTEMPTS:
        return _failed(claimed, NotSentError("every worker that sent it died", final=True), started, now)
    message = message_of(claimed.delivery)
    if not connection.in_atomic_block:
        connection.close()  # given back while a stranger's server thinks
    try:
        reply = send(claimed.delivery.channel, message)
    except ChannelError as error:
        return _failed(claimed, NotSentError(str(error), final=True), started, now)
    except NotSentError as error:
        return _failed(claimed, error, started, now)
    return _sent(claimed, reply, started, now)


def _claim(delivery_id: int, now: dt.datetime) -> _Claimed | None:
    until = now + LEASE
    taken = _due(now).filter(pk=delivery_id).order_by()
    changed = {"state": DeliveryState.SENDING, "lease_until": until, "attempts": F("attempts") + 1}
    # A condition over a join cannot be updated as one; the free row's own columns decide again.
    if not taken.exists() or not _free(delivery_id, now).update(**changed):
        return None
    return _Claimed(Delivery.objects.select_related("channel").get(pk=delivery_id), until)


def _free(delivery_id: int, now: dt.datetime) -> QuerySet[Delivery]:
    free = Q(state=DeliveryState.WAITING, due_at__lte=now) | Q(state=DeliveryState.SENDING, lease_until__lt=now)
    return Delivery.objects.filter(free, pk=delivery_id)


def message_of(delivery: Delivery) -> Message:
    """Return a delivery's message; the same for every try."""
    rows = delivery.notifications.order_by("-severity_rank", "pk")
    counts = dict(delivery.notifications.order_by().values_list("severity").annotate(n=Count("pk")))
    return Message(
        uuid=str(delivery.uuid),
        at=delivery.created_at,
        count=delivery.count,
        by_severity=counts,
        notices=tuple(_notice(row) for row in rows[:MAX_TOLD]),
        base_url=settings.PUBLIC_URL,
        is_test=delivery.is_test,
        tell_details=delivery.channel.tell_details,
    )


def _notice(row: Notification) -> Notice:
    path = reverse("alert", args=[row.alert_id]) if row.alert_id else str(row.facts.get("path", ""))
    return Notice(
        id=row.pk,
        topic=row.topic,
        severity=row.severity,
        title=row.title,
        text=row.text,
        at=row.created_at,
        path=path,
        repeats=row.repeats,
        facts=row.facts,
    )


def _held(claimed: _Claimed) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=claimed.delivery.pk, state=DeliveryState.SENDING, lease_until=claimed.lease_until)


def _sent(claimed: _Claimed, reply: Reply, started: float, now: dt.datetime | None) -> bool:
    """Write down that a message was sent, with its audit entry: text of logs has left Winnow."""
    with transaction.atomic():
        written = _held(claimed).update(
            state=DeliveryState.SENT,
            lease_until=None,
            sent_at=now or timezone.now(),
            answered=reply.answered,
            took_ms=_milliseconds(started),
            error="",
        )
        if not written:
            logger.warning("message %s was sent by two workers; its receiver can tell by the id", claimed.delivery.uuid)
            return False
        channel = claimed.delivery.channel
        details = {
            "channel": channel.pk, "name": channel.name, "address": channel.address,
            "delivery": str(claimed.delivery.uuid), "notifications": claimed.delivery.count,
        }  # fmt: skip
        audit.record_automation(action="notification.sent", automation=AUTOMATION, details=details)
    return True


def _failed(claimed: _Claimed, error: NotSentError, started: float, now: dt.datetime | None) -> bool:
    """Write down why a try failed, and when the next one is due, if there is one.

    The channel's other messages wait as long: a receiver that does not answer costs one time-out, not one for each.
    """
    moment = now or timezone.now()
    delivery = claimed.delivery
    gone = error.final or delivery.attempts >= pacing.MAX_ATTEMPTS or delivery.is_test
    due_at = moment + pacing.retry_after(delivery.attempts, asked=error.retry_after)
    with transaction.atomic():
        _held(claimed).update(
            state=DeliveryState.DEAD if gone else DeliveryState.WAITING,
            lease_until=None,
            due_at=due_at,
            answered=error.answered,
            took_ms=_milliseconds(started),
            error=str(error)[:300],
        )
        if not gone:
            others = Delivery.objects.filter(channel=delivery.channel_id, state=DeliveryState.WAITING, is_test=False)
            others.filter(due_at__lt=due_at).update(due_at=due_at)
    logger.warning(
        "message %s to channel %s: %s%s", delivery.uuid, delivery.channel_id, error, "; given up" if gone else ""
    )
    return False


def _milliseconds(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def send_test(*, by: User, channel_id: int, send: Send = sending.send) -> Delivery:
    """Send a test message at once and return what came of it. Raises ``Channel.DoesNotExist``."""
    now = timezone.now()
    with transaction.atomic():
        channel = Channel.objects.get(pk=channel_id, ended_at__isnull=True)
        delivery = Delivery.objects.create(channel=channel, is_test=True, created_at=now, due_at=now)
        Notification.objects.create(
            channel=channel, topic=TEST, subject=TEST, key=f"test:{delivery.uuid}", severity=Severity.INFO,
            severity_rank=0, title="This is a test", text=f"{by.get_username()} asked for it.", created_at=now,
            delivery=delivery, facts={"path": reverse("channels")},
        )  # fmt: skip
        audit.record_person(action="channel.tested", user=by, details={"channel": channel.pk, "name": channel.name})
    deliver(delivery.pk, send=send)
    delivery.refresh_from_db()
    return delivery


def send_again(*, by: User, delivery_id: int) -> Delivery:
    """Put a message that was given up back into the outbox, under its old id. Raises :class:`NoDeliveryError`."""
    with transaction.atomic():
        dead = Delivery.objects.filter(pk=delivery_id, state=DeliveryState.DEAD, channel__ended_at__isnull=True)
        row = dead.select_related("channel").first()
        changed = {"state": DeliveryState.WAITING, "attempts": 0, "due_at": timezone.now()}
        if row is None or not Delivery.objects.filter(pk=row.pk, state=DeliveryState.DEAD).update(**changed):
            raise NoDeliveryError("that message was sent, waits, or belongs to a channel that was ended")
        details = {"channel": row.channel_id, "name": row.channel.name, "delivery": str(row.uuid)}
        audit.record_person(action="notification.requeued", user=by, details=details)
    row.refresh_from_db()
    return row


def forget(now: dt.datetime | None = None) -> int:
    """Let go of old messages, of what a paused channel never sent, and of what is long over; return how many rows."""
    before = (now or timezone.now()) - KEPT
    ended = (DeliveryState.SENT, DeliveryState.DEAD)
    old: tuple[QuerySet[Any], ...] = (
        Delivery.objects.filter(state__in=ended, created_at__lt=before),
        Notification.objects.filter(delivery__isnull=True, created_at__lt=before),
        Condition.objects.filter(ended_at__lt=before),
    )
    gone = 0
    for rows in old:
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:FORGET_AT_ONCE])
        gone += rows.model._default_manager.filter(pk__in=ids).delete()[0]
    return gone
