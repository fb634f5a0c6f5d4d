"""What there is to say is in the outbox once per channel, in the transaction of what happened."""

import datetime as dt
import threading
from dataclasses import replace

import pytest
from django.db import connection, transaction
from django.utils import timezone

from alerts.models import Alert, Condition, Notification, Topic
from alerts.selectors import endpoints, llm
from alerts.services import explaining, grouping, notifying, review
from tests.alerts.channels import make_channel
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage.models import Alarm, CanaryRun, ModelVersion, Source, SourceHealth, User, WorkerHeartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return make_source()


def noted() -> list[tuple[str, str, int]]:
    """Return key, severity and repetitions of what is in the outbox."""
    return list(Notification.objects.order_by("id").values_list("key", "severity", "repeats"))


def test_an_alert_is_noted_on_every_channel_that_wants_its_severity(source: Source) -> None:
    high, low, none = make_channel("a"), make_channel("b", min_severity="low"), make_channel("c", min_severity="")
    alerts = [make_alert(source, severity=one) for one in ("critical", "medium", "info")]
    assert notifying.note_alerts(alerts) == 3
    told = set(Notification.objects.values_list("channel_id", "alert_id"))
    assert told == {(high.pk, alerts[0].pk), (low.pk, alerts[0].pk), (low.pk, alerts[1].pk)}
    assert not Notification.objects.filter(channel=none).exists()
    row = Notification.objects.get(channel=high)
    assert (row.topic, row.title, row.severity_rank, row.delivery_id) == ("alert", alerts[0].title, 4, None)
    assert (row.facts["alert_id"], row.facts["host"], row.facts["p_value"]) == (alerts[0].pk, "db-1", 0.0005)


def test_noting_twice_notes_once(source: Source) -> None:
    make_channel()
    alert = make_alert(source)
    assert [notifying.note_alerts([alert]), notifying.note_alerts([alert])] == [1, 0]
    assert noted() == [(f"alert:{alert.pk}:high", "high", 0)]


def test_what_is_muted_blind_or_closed_is_told_to_nobody(source: Source) -> None:
    make_channel(min_severity="info")
    alerts = [
        make_alert(source, status="muted"),
        make_alert(source, status="closed"),
        make_alert(source, origin="blind_audit", inclusion_probability=0.1),
    ]
    assert notifying.note_alerts(alerts) == 0
    assert not Notification.objects.exists()


def test_an_ended_channel_is_told_nothing_and_a_paused_one_keeps_it(source: Source) -> None:
    make_channel("over", ended_at=timezone.now())
    paused = make_channel("paused", paused_at=timezone.now())
    notifying.note_alerts([make_alert(source)])
    assert list(Notification.objects.values_list("channel_id", flat=True)) == [paused.pk]


def test_a_repetition_is_counted_and_something_worse_is_told(source: Source) -> None:
    make_channel(repeat_minutes=60)
    now = timezone.now()
    first, second = make_alert(source, fingerprint="f", status="closed"), make_alert(source, fingerprint="f")
    first.status = "open"
    notifying.note_alerts([first], now=now)
    notifying.note_alerts([second], now=now + dt.timedelta(minutes=59))
    assert noted() == [(f"alert:{first.pk}:high", "high", 1)]
    second.severity, second.severity_rank = "critical", 4
    notifying.note_alerts([second], now=now + dt.timedelta(minutes=59))
    assert noted()[1:] == [(f"alert:{second.pk}:critical", "critical", 0)]


def test_each_channel_has_a_pause_of_its_own(source: Source) -> None:
    make_channel("short", repeat_minutes=10)
    make_channel("long", repeat_minutes=120)
    now = timezone.now()
    first, second = make_alert(source, fingerprint="f", status="closed"), make_alert(source, fingerprint="f")
    first.status = "open"
    assert notifying.note_alerts([first], now=now) == 2
    assert notifying.note_alerts([second], now=now + dt.timedelta(minutes=11)) == 1
    assert dict(Notification.objects.filter(alert=first).values_list("channel__name", "repeats")) == {
        "short": 0, "long": 1,
    }  # fmt: skip


def test_after_the_pause_the_same_is_told_again(source: Source) -> None:
    make_channel(repeat_minutes=60)
    now = timezone.now()
    first, second = make_alert(source, fingerprint="f", status="closed"), make_alert(source, fingerprint="f")
    first.status = "open"
    notifying.note_alerts([first], now=now)
    notifying.note_alerts([second], now=now + dt.timedelta(minutes=60))
    assert [key for key, _, _ in noted()] == [f"alert:{first.pk}:high", f"alert:{second.pk}:high"]


def test_ten_or_thirty_alerts_cost_the_same_queries(source: Source, django_assert_num_queries) -> None:
    make_channel("a")
    make_channel("b", min_severity="low")
    alerts = [make_alert(source) for _ in range(40)]
    with django_assert_num_queries(6):
        assert notifying.note_alerts(alerts[:10]) == 20
    with django_assert_num_queries(6):
        assert notifying.note_alerts(alerts[10:]) == 60


def test_without_a_channel_there_is_one_query(source: Source, django_assert_num_queries) -> None:
    alert = make_alert(source)
    with django_assert_num_queries(1):
        assert notifying.note_alerts([alert]) == 0


def test_grouping_notes_what_it_opens_and_what_becomes_worse_in_its_own_transaction(source: Source) -> None:
    make_channel(min_severity="medium")
    flagged(source, p_value=0.9)
    grouping.group_flagged()
    alert = Alert.objects.get()
    assert alert.severity_rank < 2
    assert not Notification.objects.exists()
    flagged(source, p_value=1e-9)
    grouping.group_flagged()
    alert.refresh_from_db()
    assert alert.severity_rank >= 2
    assert [key for key, _, _ in noted()] == [f"alert:{alert.pk}:{alert.severity}"]
    flagged(source, p_value=1e-9)
    grouping.group_flagged()
    assert len(noted()) == 1, "more events of the same severity say nothing new"


def test_what_is_rolled_back_is_not_told(source: Source) -> None:
    make_channel()
    with transaction.atomic():
        notifying.note_alerts([make_alert(source)])
        transaction.set_rollback(True)
    assert not Notification.objects.exists()


def test_a_severity_that_a_model_raises_is_told(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel()
    alert = make_alert(source, severity="low")
    told: list[Alert] = []
    monkeypatch.setattr(explaining.severity, "suspect", lambda row, _: setattr(row, "severity", "high"))
    monkeypatch.setattr(explaining.notifying, "note_alerts", told.extend)
    explaining._raise(alert, [None], "free text swayed it")
    assert told == [alert]


# What is wrong with Winnow's own workings.


def test_a_silent_source_is_told_once_and_so_is_its_end(source: Source) -> None:
    make_channel(topics=["source"])
    health = SourceHealth.objects.create(
        source=source, judged_at=timezone.now(), states=[["silent", "No record for 9 minutes."]], troubled=True
    )
    now = timezone.now()
    assert [notifying.watch(now), notifying.watch(now)] == [1, 0]
    row = Notification.objects.get()
    assert (row.severity, row.title, row.text) == ("high", "Source edge: silent", "No record for 9 minutes.")
    assert row.facts["path"] == f"/sources/{source.pk}/"
    health.troubled, health.states = False, []
    health.save()
    assert notifying.watch(now + dt.timedelta(minutes=7)) == 1
    over = Notification.objects.order_by("-id")[0]
    assert (over.severity, over.title, over.text) == ("info", "Over: Source edge: silent", "It lasted 7 minutes.")
    assert Condition.objects.get().ended_at == now + dt.timedelta(minutes=7)
    assert notifying.watch(now + dt.timedelta(minutes=8)) == 0


@pytest.mark.django_db(transaction=True)
def test_three_couriers_that_look_at_once_tell_once() -> None:
    make_channel(topics=["source"])
    SourceHealth.objects.create(
        source=make_source(), judged_at=timezone.now(), states=[["silent", "why"]], troubled=True
    )
    start, faults = threading.Barrier(3), []

    def look() -> None:
        try:
            start.wait()
            notifying.watch()
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert (Condition.objects.count(), Notification.objects.count()) == (1, 1)


def test_a_source_that_flaps_is_not_told_each_time(source: Source) -> None:
    make_channel(topics=["source"], repeat_minutes=60)
    now = timezone.now()
    health = SourceHealth.objects.create(source=source, judged_at=now, states=[], troubled=False)
    for minute in range(0, 50, 5):
        silent = minute % 10 == 0
        health.troubled, health.states = silent, [["silent", "why"]] if silent else []
        health.save()
        notifying.watch(now + dt.timedelta(minutes=minute))
    titles = list(Notification.objects.order_by("id").values_list("title", "repeats"))
    assert titles == [("Source edge: silent", 0), ("Over: Source edge: silent", 0)]
    assert Condition.objects.count() == 5


def test_what_still_stands_after_the_pause_is_told(source: Source) -> None:
    make_channel(topics=["source"], repeat_minutes=60)
    now = timezone.now()
    health = SourceHealth.objects.create(source=source, judged_at=now, states=[["silent", "why"]], troubled=True)
    notifying.watch(now)
    for troubled, minute in ((False, 1), (True, 2)):
        health.troubled, health.states = troubled, [["silent", "why"]] if troubled else []
        health.save()
        notifying.watch(now + dt.timedelta(minutes=minute))
    notifying.watch(now + dt.timedelta(minutes=61))
    titles = list(Notification.objects.order_by("id").values_list("title", flat=True))
    assert titles == ["Source edge: silent", "Over: Source edge: silent", "Source edge: silent"]


def test_only_channels_that_want_a_topic_are_told_also_those_made_later(source: Source) -> None:
    make_channel("others", topics=["llm"])
    model = ModelVersion.objects.create(version="v1", detector="x", artefact_sha256="0", trained_at=timezone.now())
    alarm = Alarm.objects.create(
        kind="kinds", model_version=model, recommendation="retrain", text="The mix changed.", raised_at=timezone.now()
    )
    assert notifying.watch() == 0
    late = make_channel("late", topics=["alarm"])
    assert notifying.watch() == 1
    assert list(Notification.objects.values_list("channel_id", "text")) == [(late.pk, "The mix changed.")]
    Alarm.objects.filter(pk=alarm.pk).update(closed_at=timezone.now())
    assert notifying.watch() == 0, "a person closed it; nobody has to be told"
    assert Condition.objects.get().ended_at is not None


def test_a_channel_that_fails_is_told_about_on_the_others_only() -> None:
    failing, other = make_channel("failing", topics=["operation"]), make_channel("other", topics=["operation"])
    now = timezone.now()
    failing.deliveries.create(attempts=3, created_at=now, due_at=now, error="the receiver answered 500")
    assert notifying.watch(now) == 0, "it may be over in a moment"
    assert notifying.watch(now + dt.timedelta(seconds=60)) == 1
    row = Notification.objects.get()
    assert (row.channel_id, row.title, row.text) == (
        other.pk, "Notifications to failing fail", "the receiver answered 500",
    )  # fmt: skip


def test_an_escalation_is_told_once_and_an_open_blind_audit_is_not(source: Source, alice: User) -> None:
    make_channel(min_severity="", topics=["escalation"])
    alert = make_alert(source, severity="low", title="eve logged in")
    make_alert(source, origin="blind_audit", inclusion_probability=0.1, escalated_at=timezone.now())
    review.escalate(alert_id=alert.pk, user=alice, expected_revision=None)
    assert [notifying.watch(), notifying.watch()] == [1, 0]
    row = Notification.objects.get()
    assert (row.severity, row.title) == ("low", "Escalated by alice: eve logged in")
    assert row.facts["path"] == f"/alerts/{alert.pk}/"
    review.record_verdict(alert_id=alert.pk, value="benign_tp", user=alice, expected_revision=None)
    assert notifying.watch() == 0, "who decided it need not be told"
    assert Condition.objects.get().ended_at is not None


def test_a_canary_that_does_not_arrive_is_told_and_so_is_its_return(settings) -> None:
    settings.CANARY_MINUTES = 60
    make_channel(topics=["canary"])
    now = timezone.now()
    run = CanaryRun.objects.create(slot=1, started_at=now - dt.timedelta(minutes=6), received_at=now)
    assert [notifying.watch(now), notifying.watch(now)] == [1, 0]
    row = Notification.objects.get()
    assert (row.severity, row.title) == ("critical", "The canary does not arrive")
    assert row.text == "the pipeline did not store it within 5 min"
    for stage in ("stored_at", "grouped_at", "explained_at"):
        setattr(run, stage, now)
    run.save()
    assert notifying.watch(now + dt.timedelta(minutes=1)) == 1
    assert Notification.objects.order_by("-id")[0].title == "Over: The canary does not arrive"


def test_dead_workers_are_told_when_it_lasts_and_a_restart_is_not() -> None:
    make_channel(topics=["operation"])
    now = timezone.now()
    for role in ("pipeline", "explain", "learn"):
        WorkerHeartbeat.objects.create(name=role, role=role, seen_at=now)
    dead = WorkerHeartbeat.objects.filter(role="pipeline")
    dead.update(seen_at=now - dt.timedelta(minutes=1))
    assert notifying.watch(now) == 0
    dead.update(seen_at=now)
    assert notifying.watch(now + dt.timedelta(seconds=10)) == 0
    dead.update(seen_at=now - dt.timedelta(minutes=1))
    alive = WorkerHeartbeat.objects.exclude(role="pipeline")
    for seconds, told in ((20, 0), (79, 0), (81, 1), (120, 0)):
        alive.update(seen_at=now + dt.timedelta(seconds=seconds))
        assert notifying.watch(now + dt.timedelta(seconds=seconds)) == told
    row = Notification.objects.get()
    assert (row.severity, row.text) == ("critical", "No pipeline worker is alive: records are kept and wait.")


def test_a_model_that_does_not_answer_is_told(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:9/v1", "small"
    make_channel(topics=["llm"])
    found = endpoints.endpoint_status()[0]
    monkeypatch.setattr(
        endpoints, "endpoint_status", lambda _: (replace(found, waits_s=300.0, waits_why="5 time-outs in a row"),)
    )
    assert notifying.watch() == 1
    row = Notification.objects.get()
    assert row.title == "Language model at 127.0.0.1:9 does not answer"
    assert row.text.startswith("It is left alone for 300 s: 5 time-outs in a row.")


def test_a_spent_budget_is_told_once_a_period(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel(topics=["budget"])
    until = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
    monkeypatch.setattr(llm, "pause", lambda _: llm.Pause("daily", 5.0, until))
    assert [notifying.watch(), notifying.watch()] == [1, 0]
    row = Notification.objects.get()
    assert row.title == "The daily cap for language models is spent"
    assert "until 2026-03-03 00:00 UTC" in row.text


def test_nothing_wrong_is_nothing_to_say() -> None:
    channel = make_channel(topics=Topic.values)
    assert notifying.watch() == 0
    assert not Condition.objects.exists()
    assert not channel.notifications.exists()
