"""Undo: everything as it was, what somebody changed since left alone and named, verdicts that say nothing any more."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert, AuditEntry, Explanation, MuteRule, RankingModel, ReviewAction, SharedAnswer, Verdict
from alerts.selectors import labels
from alerts.services import bulk, grouping, ranking, review, undo
from alerts.services.bulk import Numbers
from alerts.services.undo import NothingToUndoError
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db
STATE = ("status", "assignee", "escalated_at", "escalated_by", "first_action_at", "decided_at", "mute_rule")


@pytest.fixture
def alert() -> Alert:
    return make_alert(make_source())


def state(alert):
    return Alert.objects.values_list(*STATE).get(pk=alert.pk)


def decide(alert, user, value="fp_logic"):
    return review.record_verdict(alert_id=alert.pk, value=value, user=user, expected_revision=None)


def take(alert, user):
    return review.assign(alert_id=alert.pk, assignee=user, user=user, expected_revision=None)


def escalate(alert, user):
    return review.escalate(alert_id=alert.pk, user=user, expected_revision=None)


def withdraw(alert, user):
    return review.withdraw_escalation(alert_id=alert.pk, user=user, expected_revision=None)


def reopen(alert, user):
    return review.reopen(alert_id=alert.pk, user=user, expected_revision=None)


@pytest.mark.parametrize(
    ("first", "act"),
    [(None, decide), (None, take), (take, escalate), (escalate, withdraw), (decide, reopen), (take, decide)],
)
def test_everything_is_as_it_was(alert, alice, charlie, first, act):
    if first:
        first(alert, charlie)
    before, revision = state(alert), Alert.objects.get().revision
    act(alert, alice)
    assert state(alert) != before
    done = undo.undo(user=alice)
    assert state(alert) == before
    assert done.revisions == {alert.pk: (revision + 1, revision + 2)}
    assert done.skipped == ()
    action = ReviewAction.objects.get(user=alice)
    assert (done.action.pk, action.undone_at is not None) == (action.pk, True)
    entry = AuditEntry.objects.get(action="undo")
    assert (entry.actor, entry.alert_id, entry.details["action"]) == ("alice", alert.pk, action.pk)


def test_the_newest_goes_first_and_no_further_than_ten(alice):
    source = make_source()
    alerts = [make_alert(source) for _ in range(11)]
    for one in alerts:
        decide(one, alice)
    undone = [next(iter(undo.undo(user=alice).revisions)) for _ in range(10)]
    assert undone == [one.pk for one in reversed(alerts[1:])]
    with pytest.raises(NothingToUndoError):
        undo.undo(user=alice)
    assert [one.pk for one in Alert.objects.filter(status="closed")] == [alerts[0].pk]
    assert AuditEntry.objects.filter(action="undo").count() == 10


def test_one_is_named(alert, alice, charlie):
    other = make_alert(alert.source)
    decide(alert, alice)
    decide(other, alice)
    theirs = make_alert(alert.source)
    decide(theirs, charlie)
    first, second, foreign = ReviewAction.objects.order_by("pk").values_list("pk", flat=True)
    assert undo.last_on(alert_id=alert.pk, user=alice) == first
    assert list(undo.undo(user=alice, action_id=first).revisions) == [alert.pk]
    assert undo.last_on(alert_id=alert.pk, user=alice) == 0
    for wrong in (first, foreign, 10**9):
        with pytest.raises(NothingToUndoError):
            undo.undo(user=alice, action_id=wrong)
    assert {one.pk for one in Alert.objects.filter(status="closed")} == {other.pk, theirs.pk}
    assert ReviewAction.objects.get(pk=second).undone_at is None


@pytest.mark.parametrize(("act", "since"), [(take, take), (decide, reopen), (decide, decide), (take, escalate)])
def test_what_somebody_changed_since_is_left_alone_and_named(alert, alice, charlie, act, since):
    act(alert, alice)
    since(alert, charlie)
    before = state(alert)
    done = undo.undo(user=alice)
    assert (done.revisions, done.skipped) == ({}, ((alert.pk, "changed since by charlie"),))
    assert state(alert) == before
    assert not AuditEntry.objects.filter(action="undo").exists()
    assert ReviewAction.objects.get(user=alice).undone_at is not None


def test_events_that_joined_since_stand_in_nobodys_way(alice):
    source = make_source()
    flagged(source)
    grouping.group_flagged()
    alert = Alert.objects.get()
    take(alert, alice)
    flagged(source)
    grouping.group_flagged()
    alert.refresh_from_db()
    assert (alert.event_count, alert.assignee) == (2, alice)
    assert undo.undo(user=alice).skipped == ()
    alert.refresh_from_db()
    assert (alert.event_count, alert.assignee) == (2, None)


def test_a_newer_alert_of_its_kind_keeps_it_closed(alert, alice):
    second = make_alert(alert.source)
    bulk.decide(chosen=Numbers.of([alert.pk, second.pk]), value="fp_data", user=alice)
    make_alert(alert.source, fingerprint=alert.fingerprint)
    done = undo.undo(user=alice)
    assert list(done.revisions) == [second.pk]
    assert done.skipped == ((alert.pk, "a newer alert like it is open"),)
    assert Alert.objects.get(pk=alert.pk).status == "closed"
    assert list(Verdict.standing.values_list("alert_id", flat=True)) == [alert.pk]


def test_an_alert_opened_at_the_same_moment_is_found_at_the_next_look(alert, alice, monkeypatch):
    decide(alert, alice)
    looked = []

    def late(fingerprints):
        looked.append(list(fingerprints))
        if len(looked) == 1:
            make_alert(alert.source, fingerprint=alert.fingerprint)
            return set()
        return plain(fingerprints)

    plain = undo._taken
    monkeypatch.setattr(undo, "_taken", late)
    done = undo.undo(user=alice)
    # The one that came was part of the attempt that failed, and is gone with it: nothing is in the way any more.
    assert (len(looked), done.revisions) == (2, {alert.pk: (2, 3)})
    assert Alert.objects.get().status == "open"


def test_a_rule_that_ended_meanwhile_hides_nothing_again(alert, alice):
    rule = MuteRule.objects.create(
        owner=alice, reason="r", template="t", expires_at=timezone.now() + dt.timedelta(days=1)
    )
    Alert.objects.update(status="muted", mute_rule=rule)
    decide(alert, alice)
    MuteRule.objects.update(ended_at=timezone.now())
    undo.undo(user=alice)
    alert.refresh_from_db()
    assert (alert.status, alert.mute_rule) == ("open", None)


def test_a_withdrawn_verdict_is_no_label(alert, alice, charlie):
    decide(alert, charlie, "tp_impact")
    reopen(alert, charlie)
    decide(alert, alice, "fp_data")
    assert labels.alert_labels() == {alert.pk: 0}
    undo.undo(user=alice)
    assert labels.alert_labels() == {alert.pk: 1}
    undo.undo(user=charlie)
    undo.undo(user=charlie)
    assert labels.alert_labels() == {}
    assert labels.precision() is None
    assert Verdict.objects.count() == 2


def test_a_ranking_that_learned_from_it_is_due_again(alice):
    source = make_source()
    alerts = [make_alert(source) for _ in range(60)]
    bulk.decide(chosen=Numbers.of(one.pk for one in alerts[:50]), value="tp_impact", user=alice)
    assert ranking.is_due()
    ranking.learn()
    RankingModel.objects.update(status="active")
    assert not ranking.is_due()
    bulk.decide(chosen=Numbers.of(one.pk for one in alerts[50:]), value="fp_data", user=alice)
    undo.undo(user=alice)
    assert not ranking.is_due()
    undo.undo(user=alice)
    assert ranking.is_due()
    assert ranking.learn().model is None  # nothing is left to learn from
    assert not RankingModel.objects.filter(status="active").exists()
    assert not ranking.is_due()


def test_what_a_shared_answer_lost_it_does_not_get_back(alert, alice):
    shared = SharedAnswer.objects.create(key="k", answer={"a": 1}, expires_at=timezone.now() + dt.timedelta(hours=1))
    Explanation.objects.create(alert=alert, explainer="x", suggested_verdict="benign_tp", shared=shared)
    decide(alert, alice, "tp_impact")
    undo.undo(user=alice)
    shared.refresh_from_db()
    assert (shared.ended_at is not None, shared.ended_why) == (True, "a person decided tp_impact")


def test_the_verdict_of_somebody_else_on_it_stands(alert, alice, charlie):
    decide(alert, alice, "undetermined")
    decide(alert, charlie, "undetermined")
    assert undo.undo(user=alice).skipped == ()
    assert list(Verdict.standing.values_list("user__username", flat=True)) == ["charlie"]
