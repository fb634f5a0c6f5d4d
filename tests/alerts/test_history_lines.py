"""The history in words: every action somebody can take is put into words, and what changed is said."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert, AuditEntry, Verdict
from alerts.selectors.alert import alert_page
from alerts.selectors.history import history_lines
from alerts.services import explaining, review, undo
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert():
    return make_alert(make_source())


def told(alert):
    """Return the history oldest first: actor, what was done, what, note, change."""
    lines = reversed(alert_page(alert.pk).story)
    return [(one.actor, one.words.did, one.words.what, one.words.note, one.words.change) for one in lines]


def test_what_people_do_is_told_with_what_it_changed(alert, alice, charlie):
    one = {"alert_id": alert.pk, "expected_revision": None}
    review.assign(**one, assignee=alice, user=alice)
    review.assign(**one, assignee=charlie, user=alice)
    review.assign(**one, assignee=None, user=charlie)
    review.escalate(**one, user=alice, note="needs a lead")
    review.withdraw_escalation(**one, user=alice)
    review.add_note(alert_id=alert.pk, text="two\nlines", user=alice)
    review.record_verdict(**one, value="fp_data", note="bad clock", user=alice)
    review.reopen(**one, user=charlie)
    explaining.re_explain(alert_id=alert.pk, user=charlie)
    assert told(alert) == [
        ("", "opened the alert", "", "", ""),
        ("alice", "took it", "", "", "nobody had it"),
        ("alice", "gave it to", "charlie", "", "was with alice"),
        ("charlie", "gave it back", "", "", ""),
        ("alice", "escalated it", "", "needs a lead", ""),
        ("alice", "withdrew the escalation", "", "", ""),
        ("alice", "noted", "", "two\nlines", ""),
        ("alice", "decided", "False positive (data)", "bad clock", "open → closed"),
        ("charlie", "reopened it", "", "", ""),
        ("charlie", "asked for a new explanation", "", "", ""),
    ]


def test_an_undone_verdict_stays_and_says_so(alert, alice):
    review.record_verdict(alert_id=alert.pk, expected_revision=None, value="tp_impact", user=alice)
    undo.undo(user=alice)
    assert told(alert)[1:] == [
        ("alice", "decided", "True positive, with impact", "", "open → closed"),
        ("alice", "undid", "the verdict True positive, with impact", "", "closed → open"),
    ]
    assert [bool(one.undone_at) for one in alert_page(alert.pk).story] == [False, True, False]


def test_what_winnow_did_is_told_apart_from_people(alert):
    for action, details in (
        ("alert.opened", {"events": 1200, "severity": "low"}),
        ("alert.severity_raised", {"before": "low", "after": "high"}),
        ("unmute", {}),
    ):
        AuditEntry.objects.create(
            alert=alert, actor="grouping", actor_kind="automation", action=action, details=details
        )
    assert told(alert) == [
        ("grouping", "opened the alert", "", "", "1,200 events, severity low"),
        ("grouping", "raised the severity to", "high", "", "low → high"),
        ("grouping", "brought it back", "", "", ""),
    ]
    assert [one.automation for one in alert_page(alert.pk).story] == [True, True, True]


def test_what_a_mute_rule_did_is_told_with_its_number(alert):
    for action, details in (
        ("alert.opened", {"events": 1, "severity": "low", "mute_rule": 7}),
        ("mute", {"rule": 7, "reason": "a scanner"}),
        ("mute", {"rule": 8, "reason": "a scanner", "shown": True}),
    ):
        AuditEntry.objects.create(alert=alert, actor="alice", actor_kind="person", action=action, details=details)
    assert told(alert) == [
        ("alice", "opened the alert", "", "", "1 event, severity low, muted or sampled by rule 7"),
        ("alice", "muted it", "by rule 7", "a scanner", ""),
        ("alice", "left it open as a sample of a mute", "by rule 8", "a scanner", ""),
    ]


def test_events_that_came_since_are_told(alert):
    details = {"events": 2, "severity": "low"}
    AuditEntry.objects.create(
        alert=alert, actor="grouping", actor_kind="automation", action="alert.opened", details=details
    )
    assert len(told(alert)) == 1
    Alert.objects.filter(pk=alert.pk).update(event_count=1202)
    assert told(alert)[1:] == [("grouping", "added", "1,200 more events", "", "the last of them then")]
    assert alert_page(alert.pk).story[0].at == alert.last_seen_at


@pytest.mark.parametrize(
    "details",
    [{}, [], {"value": 7, "status": "x", "verdict_id": "1"}, {"to": [], "from": 3, "tier": {}, "events": "n"}],
)
@pytest.mark.parametrize("action", ["verdict", "assign", "undo", "alert.opened", "escalate", "mute", "never.heard_of"])
def test_details_of_any_shape_are_told_without_harm(alert, action, details):
    entry = AuditEntry(alert=alert, actor="x", actor_kind="person", action=action, details=details)
    entry.created_at = timezone.now()
    (line, *_) = history_lines(alert, [entry], [])
    assert line.words.did
    assert line.undone_at is None


def test_a_note_of_a_verdict_is_its_own_and_of_no_other(alert, alice):
    entry = AuditEntry(alert=alert, actor="x", actor_kind="person", action="verdict", details={"verdict_id": 5})
    entry.created_at = timezone.now()
    other = Verdict(pk=6, note="of another", created_at=timezone.now() - dt.timedelta(days=1))
    assert [line.words.note for line in history_lines(alert, [entry], [other])] == ["", ""]
