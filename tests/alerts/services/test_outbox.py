"""The outbox: one message per notification or many in one, sent once, tried again, given up in sight."""

import datetime as dt
import threading
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from alerts import messages, pacing
from alerts.models import AuditEntry, Channel, Condition, Delivery, Notification
from alerts.services import outbox
from alerts.services.sending import NotSentError, Reply
from tests.alerts.channels import Sender, make_channel
from triage.models import User

pytestmark = pytest.mark.django_db


def note(channel: Channel, number: int = 1, *, severity: str = "high", at: dt.datetime | None = None) -> None:
    """Put notifications into the outbox."""
    rank = ("info", "low", "medium", "high", "critical").index(severity)
    before = channel.notifications.count()
    Notification.objects.bulk_create(
        Notification(
            channel=channel, topic="alert", subject=f"s{before + n}", key=f"k{before + n}", severity=severity,
            severity_rank=rank, title=f"login {before + n}", created_at=at or timezone.now(),
        )
        for n in range(number)
    )  # fmt: skip


def states() -> list[tuple[str, int, int]]:
    """Return state, notifications and tries of every message, oldest first."""
    return list(Delivery.objects.order_by("id").values_list("state", "count", "attempts"))


def later(**span: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(**span)


def test_a_notification_is_sent_once_and_is_in_the_audit_trail():
    channel, sender = make_channel(), Sender()
    note(channel)
    assert [outbox.run(send=sender), outbox.run(send=sender)] == [1, 0]
    (name, told), *others = sender.sent
    assert (name, told.count, others) == ("soc", 1, [])
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.answered) == ("sent", 1, 200)
    assert (told.uuid, [row.title for row in told.notices]) == (str(delivery.uuid), ["login 0"])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("notification.sent", "notifier")
    assert entry.details == {
        "channel": channel.pk, "name": "soc", "address": "https://hooks.example.org",
        "delivery": str(delivery.uuid), "notifications": 1,
    }  # fmt: skip


def test_a_few_are_told_alone_and_a_flood_in_one():
    channel, sender = make_channel(), Sender()
    note(channel, 5)
    assert outbox.run(send=sender) == 5
    note(channel, 10_000)
    assert outbox.run(send=sender) == 1
    told = sender.sent[-1][1]
    assert (told.count, told.by_severity, len(told.notices)) == (10_000, {"high": 10_000}, messages.MAX_TOLD)
    assert not Notification.objects.filter(delivery=None).exists()


def test_planning_a_flood_costs_as_little_as_planning_a_few(django_assert_num_queries):
    channel = make_channel()
    for number in (6, 600):
        note(channel, number)
        with django_assert_num_queries(10):
            assert outbox.plan() == 1


def test_the_most_severe_of_a_digest_are_told_first():
    channel, sender = make_channel(), Sender()
    note(channel, 30)
    note(channel, 1, severity="critical")
    outbox.run(send=sender)
    assert sender.sent[0][1].notices[0].severity == "critical"
    assert sender.sent[0][1].by_severity == {"high": 30, "critical": 1}


def test_an_hour_takes_no_more_than_it_may_and_nothing_is_dropped():
    channel, sender = make_channel(per_hour=3), Sender()
    for _ in range(6):
        note(channel)
        outbox.run(send=sender)
    assert len(sender.sent) == 3
    assert outbox.run(later(minutes=61), send=sender) == 1
    assert sender.sent[-1][1].count == 3


def test_quiet_hours_hold_everything_but_what_is_critical():
    channel, sender = make_channel(quiet_from=0, quiet_until=0), Sender()
    note(channel, 2)
    note(channel, 1, severity="critical")
    assert outbox.run(send=sender) == 1
    assert sender.sent[0][1].by_severity == {"critical": 1}
    Channel.objects.update(quiet_from=None, quiet_until=None)
    assert outbox.run(later(minutes=5), send=sender) == 1
    assert sender.sent[1][1].by_severity == {"high": 2}


def test_a_channel_may_want_to_sleep_through_everything():
    channel, sender = make_channel(quiet_from=0, quiet_until=0, critical_at_once=False), Sender()
    note(channel, 1, severity="critical")
    assert outbox.run(send=sender) == 0
    assert (sender.sent, Delivery.objects.count()) == ([], 0)


def test_a_digest_waits_for_its_time_and_what_is_critical_does_not():
    channel, sender = make_channel(digest_minutes=30), Sender()
    now = timezone.now()
    note(channel, 3, at=now)
    note(channel, 1, severity="critical", at=now)
    assert outbox.run(now, send=sender) == 1
    assert outbox.run(now + dt.timedelta(minutes=29), send=sender) == 0
    assert outbox.run(now + dt.timedelta(minutes=30), send=sender) == 1
    assert [told.by_severity for _, told in sender.sent] == [{"critical": 1}, {"high": 3}]


def test_a_paused_channel_keeps_what_there_is_to_say():
    channel, sender = make_channel(paused_at=timezone.now()), Sender()
    note(channel, 7)
    assert outbox.run(send=sender) == 0
    Channel.objects.update(paused_at=None)
    assert outbox.run(send=sender) == 1
    assert sender.sent[0][1].count == 7


def test_a_message_that_is_on_its_way_waits_while_its_channel_is_paused():
    channel, sender = make_channel(), Sender()
    note(channel)
    outbox.plan()
    Channel.objects.update(paused_at=timezone.now())
    assert outbox.run(send=sender) == 0
    assert states() == [("waiting", 1, 0)]


# What fails.


def test_a_failure_is_tried_again_later_with_the_same_id_and_the_same_words():
    channel = make_channel()
    note(channel)
    failing, well = Sender(NotSentError("the receiver answered 500", answered=500)), Sender()
    now = timezone.now()
    assert outbox.run(now, send=failing) == 0
    row = Delivery.objects.get()
    assert (row.state, row.error, row.answered) == ("waiting", "the receiver answered 500", 500)
    assert outbox.run(now + dt.timedelta(seconds=29), send=well) == 0
    assert well.sent == []
    assert outbox.run(now + dt.timedelta(seconds=31), send=well) == 1
    assert messages.webhook_body(failing.sent[0][1]) == messages.webhook_body(well.sent[0][1])
    assert states() == [("sent", 1, 2)]
    assert Delivery.objects.get().error == ""


def test_while_a_message_fails_what_comes_next_is_put_together():
    channel, now = make_channel(), timezone.now()
    note(channel, at=now)
    outbox.run(now, send=Sender(NotSentError("no answer")))
    note(channel, 4, at=now)
    well = Sender()
    outbox.run(now + dt.timedelta(seconds=20), send=well)
    assert (well.sent, Delivery.objects.count()) == ([], 1)
    assert outbox.run(now + dt.timedelta(minutes=3), send=well) == 1
    assert outbox.run(now + dt.timedelta(minutes=3), send=well) == 1
    assert [told.count for _, told in well.sent] == [1, 4]


def test_a_receiver_that_does_not_answer_costs_one_time_out_not_one_for_each_message():
    note(make_channel(), 5)
    failing, now = Sender(NotSentError("no answer")), timezone.now()
    outbox.run(now, send=failing)
    assert [tries for _, _, tries in states()] == [1, 0, 0, 0, 0]
    assert len(failing.sent) == 1
    outbox.run(now + dt.timedelta(seconds=29), send=failing)
    assert len(failing.sent) == 1
    well = Sender()
    assert outbox.run(now + dt.timedelta(seconds=31), send=well) == 5


def test_one_channels_trouble_is_not_anothers():
    bad, good = make_channel("bad"), make_channel("good")
    note(bad)
    note(good)

    def send(channel: Channel, _: messages.Message) -> Reply:
        if channel == bad:
            raise NotSentError("no answer")
        return Reply(200)

    assert outbox.run(send=send) == 1
    assert set(Delivery.objects.values_list("channel__name", "state")) == {("bad", "waiting"), ("good", "sent")}


def test_after_its_last_try_a_message_is_dead_and_can_be_sent_again(dana: User):
    channel, failing = make_channel(), Sender(NotSentError("no answer"))
    note(channel)
    moment = timezone.now()
    for _ in range(pacing.MAX_ATTEMPTS):
        outbox.run(moment, send=failing)
        moment += dt.timedelta(hours=3)
    assert states() == [("dead", 1, pacing.MAX_ATTEMPTS)]
    assert len(failing.sent) == pacing.MAX_ATTEMPTS
    outbox.run(moment, send=failing)
    assert len(failing.sent) == pacing.MAX_ATTEMPTS
    well, row = Sender(), Delivery.objects.get()
    outbox.send_again(by=dana, delivery_id=row.pk)
    assert outbox.run(send=well) == 1
    assert UUID(well.sent[0][1].uuid) == row.uuid
    assert AuditEntry.objects.filter(action="notification.requeued", actor="dana").count() == 1


def test_only_what_was_given_up_is_sent_again(dana: User):
    note(make_channel())
    outbox.run(send=Sender())
    with pytest.raises(outbox.NoDeliveryError):
        outbox.send_again(by=dana, delivery_id=Delivery.objects.get().pk)
    assert states() == [("sent", 1, 1)]
    assert not AuditEntry.objects.filter(action="notification.requeued").exists()


def test_what_another_try_cannot_change_is_given_up_at_once():
    note(make_channel())
    outbox.run(send=Sender(NotSentError("the receiver answered 404", final=True, answered=404)))
    assert states() == [("dead", 1, 1)]


def test_a_secret_that_cannot_be_read_is_said_not_sent(settings):
    note(make_channel())
    settings.SECRET_KEY = "another-key-" + "x" * 40
    assert outbox.run() == 0
    row = Delivery.objects.get()
    assert (row.state, row.error) == (
        "dead",
        "the stored address cannot be read: it was sealed with another SECRET_KEY, or changed since; enter it again",
    )


# Workers that race and workers that die.


def test_a_worker_that_dies_after_sending_leaves_the_message_to_another_under_the_same_id():
    note(make_channel())
    taken = Sender()

    def die(channel: Channel, told: messages.Message) -> Reply:
        taken(channel, told)
        raise SystemExit  # as a SIGKILL after the receiver has taken it, before that is written down

    now = timezone.now()
    with pytest.raises(SystemExit):
        outbox.run(now, send=die)
    assert states() == [("sending", 1, 1)]
    assert outbox.run(now + outbox.LEASE, send=taken) == 0, "its lease is not over"
    assert outbox.run(now + outbox.LEASE + dt.timedelta(seconds=1), send=taken) == 1
    assert [told.uuid for _, told in taken.sent] == [str(Delivery.objects.get().uuid)] * 2
    assert messages.webhook_body(taken.sent[0][1]) == messages.webhook_body(taken.sent[1][1])
    assert states() == [("sent", 1, 2)]


def test_a_message_that_kills_its_workers_is_given_up():
    note(make_channel())
    outbox.plan()
    Delivery.objects.update(state="sending", attempts=pacing.MAX_ATTEMPTS, lease_until=timezone.now())
    sender = Sender()
    assert outbox.run(later(seconds=1), send=sender) == 0
    assert (sender.sent, Delivery.objects.get().state) == ([], "dead")
    assert Delivery.objects.get().error == "every worker that sent it died"


def test_a_worker_whose_lease_is_gone_changes_nothing():
    note(make_channel())
    outbox.plan()

    def slow(channel: Channel, told: messages.Message) -> Reply:
        Delivery.objects.update(lease_until=later(hours=1), attempts=5)  # another one took over
        return Reply(200)

    assert outbox.run(send=slow) == 0
    assert states() == [("sending", 1, 5)]
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_couriers_at_once_send_each_message_once():
    channel = make_channel(per_hour=1000)
    for _ in range(4):
        note(channel, 5)
        outbox.plan()
    assert Delivery.objects.count() == 20
    sent, faults = [], []
    start = threading.Barrier(3)

    def send(_: Channel, told: messages.Message) -> Reply:
        sent.append(told.uuid)
        return Reply(200)

    def work() -> None:
        try:
            start.wait()
            while outbox.run(send=send):
                pass
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    assert sorted(sent) == sorted(str(one) for one in Delivery.objects.values_list("uuid", flat=True))
    assert {state for state, _, _ in states()} == {"sent"}


@pytest.mark.django_db(transaction=True)
def test_two_couriers_at_once_put_each_notification_into_one_message():
    channel = make_channel(per_hour=1000)
    note(channel, 500)
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        outbox.plan()
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert states() == [("waiting", 500, 0)]


# Tests and old rows.


def test_a_test_message_is_sent_at_once_even_while_paused(dana: User):
    channel, sender = make_channel(paused_at=timezone.now()), Sender()
    delivery = outbox.send_test(by=dana, channel_id=channel.pk, send=sender)
    assert (delivery.state, delivery.is_test, delivery.answered) == ("sent", True, 200)
    assert sender.sent[0][1].notices[0].text == "dana asked for it."
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "channel.tested", "notification.sent",
    ]  # fmt: skip


def test_a_test_that_fails_is_not_tried_again_and_holds_nothing_up(dana: User):
    channel = make_channel()
    delivery = outbox.send_test(by=dana, channel_id=channel.pk, send=Sender(NotSentError("no answer")))
    assert (delivery.state, delivery.error) == ("dead", "no answer")
    note(channel)
    assert outbox.run(send=Sender()) == 1


def test_old_messages_go_with_what_was_in_them_and_the_others_stay():
    channel, now = make_channel(), timezone.now()
    note(channel)
    outbox.run(send=Sender())
    note(channel, at=now - outbox.KEPT - dt.timedelta(hours=1))
    Condition.objects.create(subject="old", topic="llm", severity="low", title="x", since=now, ended_at=now)
    assert outbox.forget(now) == 1, "the one that was never sent"
    assert outbox.forget(now + outbox.KEPT + dt.timedelta(minutes=1)) == 3
    assert (Delivery.objects.count(), Notification.objects.count(), Condition.objects.count()) == (0, 0, 0)
