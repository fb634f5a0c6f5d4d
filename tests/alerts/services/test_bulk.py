"""Bulk: one decision for many, exact counts, everything left alone explained, and one action to undo."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert, AuditEntry, MuteRule, ReviewAction, ReviewedAlert, Verdict
from alerts.selectors.queue import QueueFilter
from alerts.services import actions, bulk, review, undo
from alerts.services.bulk import Matching, Numbers
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
STATE = ("status", "assignee", "escalated_at", "escalated_by", "first_action_at", "decided_at", "mute_rule")


@pytest.fixture
def source(db):
    return make_source()


def states(alerts):
    rows = Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).order_by("pk")
    return list(rows.values_list("pk", *STATE))


def test_it_decides_open_ones_and_explains_the_rest(source, alice):
    alert, closed = make_alert(source), make_alert(source, status="closed")
    blind = make_alert(source, origin="blind_audit", inclusion_probability=0.1)
    seen = Numbers.of([alert.pk, closed.pk, 999_999, blind.pk])
    result = bulk.decide(chosen=seen, value="fp_data", note="n", user=alice)
    assert result.decided == (alert.pk,)
    assert result.skipped == (
        (999_999, "no such alert"),
        (closed.pk, "already closed"),
        (blind.pk, "blind audit, decided one by one"),
    )
    alert.refresh_from_db()
    assert (alert.status, alert.revision, alert.decided_at) == ("closed", 2, alert.first_action_at)
    assert list(Verdict.objects.values_list("alert_id", "value", "note", "user__username")) == [
        (alert.pk, "fp_data", "n", "alice")
    ]
    assert [(row.alert_id, row.action, row.actor) for row in AuditEntry.objects.all()] == [
        (alert.pk, "verdict", "alice")
    ]
    action = ReviewAction.objects.get()
    assert (action.pk, action.alert_count, action.skipped_count) == (result.action_id, 1, 3)
    assert not blind.verdicts.exists()


def test_what_changed_since_it_was_seen_is_left_alone(source, alice):
    same, grown = make_alert(source), make_alert(source, revision=4)
    result = bulk.decide(chosen=Numbers({same.pk: 1, grown.pk: 3}), value="benign_tp", user=alice)
    assert (result.decided, result.skipped) == ((same.pk,), ((grown.pk, "changed since you saw it"),))
    grown.refresh_from_db()
    assert (grown.status, grown.revision) == ("open", 4)


def test_all_that_match_are_decided_and_nothing_that_came_since(source, alice):
    lows = [make_alert(source, severity="low") for _ in range(3)]
    high = make_alert(source, severity="high")
    wanted = QueueFilter(severity="low") if not hasattr(QueueFilter, "severities") else QueueFilter(severities=("low",))
    told = bulk.preview(wanted)
    late = make_alert(source, severity="low")
    assert (told.count, told.closed, told.blind) == (3, 0, 0)
    result = bulk.decide(chosen=Matching(wanted, told.count, told.up_to), value="duplicate", user=alice)
    assert result.decided == tuple(alert.pk for alert in lows)
    assert list(Alert.objects.filter(status="open").order_by("pk")) == [high, late]
    assert ReviewAction.objects.get().query == wanted.query()


@pytest.mark.parametrize(("agreed", "matches"), [(2, 3), (7, 3), (1, 0)])
def test_another_number_than_was_agreed_to_changes_nothing(source, alice, agreed, matches):
    for _ in range(matches):
        make_alert(source)
    with pytest.raises(bulk.CountChangedError) as caught:
        bulk.decide(chosen=Matching(QueueFilter(), agreed, 10**9), value="duplicate", user=alice)
    assert caught.value.count == matches
    assert (Verdict.objects.count(), AuditEntry.objects.count(), ReviewAction.objects.count()) == (0, 0, 0)
    assert not Alert.objects.filter(status="closed").exists()


def test_a_few_fewer_than_were_agreed_to_is_the_same_question(source, alice):
    for _ in range(4):
        make_alert(source)
    result = bulk.decide(chosen=Matching(QueueFilter(), 5, 10**9), value="duplicate", user=alice)
    assert len(result.decided) == 4


def test_taking_many_and_giving_them_back(source, alice, charlie):
    free, mine, theirs = make_alert(source), make_alert(source, assignee=alice), make_alert(source, assignee=charlie)
    chosen = Numbers.of([free.pk, mine.pk, theirs.pk, make_alert(source, status="closed").pk])
    result = bulk.assign(chosen=chosen, assignee=alice, user=alice)
    assert result.decided == (free.pk, theirs.pk)
    assert result.reasons == {"already alice's": 1, "already closed": 1}
    assert set(Alert.objects.filter(assignee=alice)) == {free, mine, theirs}
    entry = AuditEntry.objects.get(alert=theirs)
    assert entry.details == {"from": "charlie", "to": "alice", "bulk": True}
    assert bulk.assign(chosen=chosen, assignee=None, user=alice).decided == (free.pk, mine.pk, theirs.pk)
    assert not Alert.objects.exclude(assignee=None).exists()


def test_escalating_many(source, alice):
    plain, done = make_alert(source, assignee=alice), make_alert(source)
    review.escalate(alert_id=done.pk, user=alice, expected_revision=1)
    muted = make_alert(source, status="muted")
    result = bulk.escalate(chosen=Numbers.of([plain.pk, done.pk, muted.pk]), user=alice, note="look")
    assert (result.decided, result.reasons) == ((plain.pk, muted.pk), {"escalated already": 1})
    plain.refresh_from_db()
    muted.refresh_from_db()
    assert (plain.assignee, plain.escalated_by, plain.place, muted.status) == (None, alice, 2.0, "open")


def test_an_automation_decides_many_without_an_action(source):
    ids = [make_alert(source).pk for _ in range(2)]
    result = bulk.decide(chosen=Numbers.of(ids), value="fp_data", user=None, decided_by="automation", automation="soar")
    assert (result.decided, result.action_id) == (tuple(ids), None)
    assert not ReviewAction.objects.exists()
    assert not Alert.objects.exclude(first_action_at=None, decided_at=None).exists()


def test_many_cost_few_queries(source, alice, django_assert_max_num_queries):
    ids = [make_alert(source).pk for _ in range(120)]
    with django_assert_max_num_queries(14):
        result = bulk.decide(chosen=Numbers.of(ids), value="benign_tp", user=alice)
    assert len(result.decided) == 120
    with django_assert_max_num_queries(14):
        done = undo.undo(user=alice)
    assert len(done.revisions) == 120


def test_too_many_are_refused_rather_than_cut_off(source, alice, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_BULK", 2)
    ids = [make_alert(source).pk for _ in range(3)]
    for chosen in (Numbers.of(ids), Matching(QueueFilter())):
        with pytest.raises(actions.ReviewError, match="at most"):
            bulk.decide(chosen=chosen, value="fp_data", user=alice)
    assert (AuditEntry.objects.count(), Verdict.objects.count()) == (0, 0)


@pytest.mark.parametrize("what", ["decide", "unsure", "assign", "escalate"])
def test_all_of_it_is_undone_at_once(source, alice, charlie, what):
    stamped = dt.datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=dt.UTC)
    expires = timezone.now() + dt.timedelta(days=1)
    rule = MuteRule.objects.create(owner=charlie, reason="r", template="t", expires_at=expires)
    alerts = [
        make_alert(source),
        make_alert(source, assignee=charlie, first_action_at=stamped),
        make_alert(source, status="muted", mute_rule=rule),
    ]
    before, chosen = states(alerts), Numbers.of(alert.pk for alert in alerts)
    if what == "assign":
        bulk.assign(chosen=chosen, assignee=alice, user=alice)
    elif what == "escalate":
        bulk.escalate(chosen=chosen, user=alice)
    else:
        bulk.decide(chosen=chosen, value="undetermined" if what == "unsure" else "tp_impact", user=alice)
    assert states(alerts) != before
    done = undo.undo(user=alice)
    assert states(alerts) == before
    assert (len(done.revisions), done.skipped) == (3, ())
    assert not Verdict.standing.exists()
    assert AuditEntry.objects.filter(action="undo", actor="alice").count() == 3
    assert {alert.revision for alert in Alert.objects.all()} == {3}
    assert ReviewedAlert.objects.count() == 3
