"""Flagged events become alerts: counts, severity, closed alerts, doubles, races."""

import datetime as dt
import threading

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from alerts.models import Alert, AlertEvent, AlertStatus, AppendOnlyError, AuditEntry
from alerts.services import grouping
from tests.alerts.flagged_events import REASON, START, flagged
from tests.documents import write_line
from tests.factories import make_source
from triage import state
from triage.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def source():
    return make_source()


def test_one_alert_with_counts_times_and_top_score(source):
    flagged(source, "Accepted password for backup from 192.0.2.7 port 1", score=5.0, p_value=0.0009)
    later = START + dt.timedelta(minutes=5)
    top = flagged(source, "Accepted password for backup from 192.0.2.9 port 22", score=9.0, timestamp=later)
    assert grouping.group_flagged() == 2
    alert = Alert.objects.get()
    assert (alert.event_count, alert.score, alert.p_value) == (2, 9.0, 0.0005)
    assert (alert.first_seen_at, alert.last_seen_at) == (START, later)
    assert (alert.severity, alert.severity_rank, alert.status) == ("medium", 2, "open")
    assert alert.title == "Accepted password for backup from 192.0.2.9 port 22"
    assert (alert.entity, alert.host_name, alert.user_name, alert.source_ip) == (
        "user:backup", "db-1", "backup", "192.0.2.7",
    )  # fmt: skip
    assert (alert.explanation_state, alert.revision) == ("pending", 1)
    link = AlertEvent.objects.get(event_id=top.pk)
    assert (link.alert_id, link.score, link.p_value, link.reasons) == (alert.pk, 9.0, 0.0005, [REASON])
    assert not Event.objects.filter(flagged=True, grouped=False).exists()


def test_a_second_run_changes_nothing(source):
    flagged(source)
    grouping.group_flagged()
    before = Alert.objects.values().get()
    assert grouping.group_flagged() == 0
    assert Alert.objects.values().get() == before
    assert AlertEvent.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_an_event_whose_mark_was_lost_is_not_counted_twice(source):
    event = flagged(source)
    grouping.group_flagged()
    Event.objects.filter(pk=event.pk).update(grouped=False)
    assert grouping.group_flagged() == 1
    assert Alert.objects.get().event_count == 1
    assert AlertEvent.objects.count() == 1
    assert Event.objects.get(pk=event.pk).grouped


def test_unflagged_events_are_left_alone(source):
    event = flagged(source, flagged=False)
    assert grouping.group_flagged() == 0
    assert not Alert.objects.exists()
    assert not Event.objects.get(pk=event.pk).grouped


def test_later_events_join_raise_and_never_lower(source):
    flagged(source, score=9.0, p_value=0.00005)
    grouping.group_flagged()
    flagged(source, score=3.0, p_value=0.5)
    grouping.group_flagged()
    alert = Alert.objects.get()
    assert (alert.event_count, alert.severity, alert.score, alert.p_value, alert.revision) == (
        2,
        "high",
        9.0,
        0.00005,
        2,
    )
    flagged(source, "Accepted password for backup from 192.0.2.7 port 50122", p_value=0.5, event_code="")
    flagged(source, entity="user:other", user_name="other")
    grouping.group_flagged()
    assert sorted(Alert.objects.values_list("entity", "event_count")) == [("user:backup", 3), ("user:other", 1)]


def test_a_rule_raises_the_band_and_names_the_technique(source):
    flagged(source, "vssadmin delete shadows /all", p_value=0.5)
    grouping.group_flagged()
    alert = Alert.objects.get()
    assert (alert.severity, alert.severity_rank, alert.techniques) == ("critical", 4, ["T1490"])


def test_many_failed_logons_become_a_brute_force_candidate_when_they_are_many(source):
    for port in range(9):
        flagged(source, f"Failed password for backup port {port}", event_outcome="failure", p_value=0.5)
    grouping.group_flagged()
    assert (Alert.objects.get().techniques, Alert.objects.get().severity) == ([], "info")
    flagged(source, "Failed password for backup port 99", event_outcome="failure", p_value=0.5)
    grouping.group_flagged()
    assert (Alert.objects.get().techniques, Alert.objects.get().severity) == (["T1110"], "medium")


def test_a_closed_alert_stays_closed_and_a_new_one_opens(source):
    flagged(source)
    grouping.group_flagged()
    Alert.objects.update(status=AlertStatus.CLOSED)
    closed = Alert.objects.values().get()
    flagged(source)
    grouping.group_flagged()
    assert Alert.objects.values().get(pk=closed["id"]) == closed
    opened = Alert.objects.exclude(pk=closed["id"]).get()
    assert (opened.status, opened.event_count, opened.fingerprint) == ("open", 1, closed["fingerprint"])


def test_broken_json_columns_do_not_stop_grouping(source):
    for line, columns in (
        (b"{not json", {"reasons": "[[["}),
        (b'["m",[1]]', {"reasons": '{"a": 1}', "entity": "user:x"}),
    ):
        write_line(flagged(source, **columns).pk, line, START)
    assert grouping.group_flagged() == 2
    assert list(AlertEvent.objects.values_list("reasons", flat=True)) == [[], []]


def test_the_limit_is_kept_and_the_rest_follows(source):
    for port in range(5):
        flagged(source, f"port {port}")
    assert [grouping.group_flagged(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert Alert.objects.get().event_count == 5


def test_opening_writes_one_audit_entry_that_cannot_be_changed(source):
    flagged(source)
    grouping.group_flagged()
    alert, entry = Alert.objects.get(), AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.actor_kind, entry.alert_id) == (
        "alert.opened", "grouping", "automation", alert.pk,
    )  # fmt: skip
    assert entry.details == {"events": 1, "severity": "medium", "fingerprint": alert.fingerprint}
    with pytest.raises(AppendOnlyError):
        entry.save()
    with pytest.raises(AppendOnlyError):
        entry.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.update(actor="mallory")
    assert AuditEntry.objects.get().actor == "grouping"


def test_a_failure_half_way_leaves_nothing_behind(source, monkeypatch):
    flagged(source)

    def broken(**_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(grouping.audit, "record_automation", broken)
    with pytest.raises(RuntimeError, match="disk"):
        grouping.group_flagged()
    assert not Alert.objects.exists()
    assert not AlertEvent.objects.exists()
    assert not Event.objects.get().grouped


def test_explaining_is_woken_once_after_the_commit(source, monkeypatch, django_capture_on_commit_callbacks):
    sent = []
    monkeypatch.setattr(grouping.current_app, "send_task", sent.append)
    state.answer(grouping.EXPLAIN_BELL)
    flagged(source)
    with django_capture_on_commit_callbacks(execute=True):
        grouping.group_flagged()
        assert sent == []
    assert sent == ["alerts.tasks.explain_pending"]
    with django_capture_on_commit_callbacks(execute=True):
        assert grouping.group_flagged() == 0
    assert sent == ["alerts.tasks.explain_pending"]


def test_a_dead_broker_does_not_fail_the_grouping(source, monkeypatch, django_capture_on_commit_callbacks):
    def refuse(_):
        raise OSError("no broker")

    monkeypatch.setattr(grouping.current_app, "send_task", refuse)
    state.answer(grouping.EXPLAIN_BELL)
    flagged(source)
    with django_capture_on_commit_callbacks(execute=True):
        assert grouping.group_flagged() == 1
    assert Alert.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_double_nothing(source):
    for position in range(60):
        flagged(source, f"Accepted password from port {position}", entity=f"user:{position % 3}")
    barrier, taken, failures = threading.Barrier(4), [], []

    def work():
        try:
            barrier.wait(10)
            while count := grouping.group_flagged(limit=7):
                taken.append(count)
        except Exception as error:  # reported by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sum(taken) == 60
    assert sorted(Alert.objects.values_list("entity", "event_count")) == [(f"user:{n}", 20) for n in range(3)]
    assert AlertEvent.objects.count() == 60
    assert AuditEntry.objects.count() == 3
    assert not Event.objects.filter(grouped=False).exists()
