"""Verdicts, assignment and notes: one transaction, one audit entry, no lost update."""

import pytest

from alerts.models import Alert, AuditEntry, ReviewAction, Verdict
from alerts.services import review
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert() -> Alert:
    return make_alert(make_source())


def decide(alert: Alert, user, value: str = "fp_logic", **more):
    defaults = {"note": "", "expected_revision": alert.revision}
    return review.record_verdict(alert_id=alert.pk, value=value, user=user, **(defaults | more))


@pytest.mark.parametrize("value", ["tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate"])
def test_a_verdict_closes_the_alert_and_is_audited(alert, alice, value):
    verdict = decide(alert, alice, value, note="seen before")
    alert.refresh_from_db()
    assert (alert.status, alert.revision) == ("closed", 2)
    assert (verdict.value, verdict.note, verdict.decided_by, verdict.user) == (value, "seen before", "person", alice)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.actor_kind, entry.action, entry.alert_id) == ("alice", "person", "verdict", alert.pk)
    assert entry.details["value"] == value
    assert entry.details["status"] == ["open", "closed"]


def test_undetermined_leaves_the_alert_open(alert, alice):
    decide(alert, alice, "undetermined")
    alert.refresh_from_db()
    assert (alert.status, alert.revision) == ("open", 2)


def test_a_stale_write_is_refused_and_changes_nothing(alert, alice, charlie):
    decide(alert, alice, "tp_impact")
    with pytest.raises(review.StaleAlertError) as caught:
        decide(alert, charlie, "fp_data", expected_revision=1)
    assert (caught.value.alert.revision, caught.value.alert.status) == (2, "closed")
    assert list(Verdict.objects.values_list("value", flat=True)) == ["tp_impact"]
    assert AuditEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("value", "note"), [("malicious", ""), ("", ""), ("fp_logic", "x" * (review.MAX_NOTE_CHARACTERS + 1))]
)
def test_nonsense_is_refused_and_changes_nothing(alert, alice, value, note):
    with pytest.raises(review.ReviewError):
        decide(alert, alice, value, note=note)
    alert.refresh_from_db()
    assert (alert.status, alert.revision) == ("open", 1)
    assert (Verdict.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_person_and_automation_never_mix(alert, alice):
    verdict = decide(alert, None, "duplicate", decided_by="automation", automation="dedup")
    assert (verdict.decided_by, verdict.user) == ("automation", None)
    assert AuditEntry.objects.get().actor == "dedup"
    for user, kind, name in ((None, "person", ""), (alice, "automation", "dedup"), (None, "automation", "")):
        with pytest.raises(review.ReviewError):
            decide(alert, user, expected_revision=2, decided_by=kind, automation=name)
    assert Verdict.objects.count() == 1


def test_a_note_may_hold_nul(alert, alice):
    assert decide(alert, alice, note="a\0b").note == "ab"


def test_assign_and_give_back(alert, alice):
    review.assign(alert_id=alert.pk, assignee=alice, user=alice, expected_revision=1)
    review.assign(alert_id=alert.pk, assignee=None, user=alice, expected_revision=2)
    alert.refresh_from_db()
    assert (alert.assignee, alert.revision) == (None, 3)
    assert [row.details for row in AuditEntry.objects.order_by("id")] == [
        {"from": None, "to": "alice"},
        {"from": "alice", "to": None},
    ]


def test_reopen_undoes_the_closing_but_keeps_the_verdict(alert, alice):
    decide(alert, alice)
    review.reopen(alert_id=alert.pk, user=alice, expected_revision=2)
    alert.refresh_from_db()
    assert (alert.status, alert.revision, alert.verdicts.count()) == ("open", 3, 1)


def test_reopen_is_refused_while_a_newer_one_like_it_is_open(alert, alice):
    decide(alert, alice)
    make_alert(alert.source, fingerprint=alert.fingerprint)
    with pytest.raises(review.AlreadyOpenError):
        review.reopen(alert_id=alert.pk, user=alice, expected_revision=2)
    alert.refresh_from_db()
    assert (alert.status, alert.revision) == ("closed", 2)
    assert AuditEntry.objects.filter(action="reopen").count() == 0


def test_a_note_goes_into_the_history_only(alert, alice):
    review.add_note(alert_id=alert.pk, text=" asked mia ", user=alice)
    with pytest.raises(review.ReviewError):
        review.add_note(alert_id=alert.pk, text="  ", user=alice)
    alert.refresh_from_db()
    assert alert.revision == 1
    assert [(row.action, row.details) for row in AuditEntry.objects.all()] == [("note", {"text": "asked mia"})]


def test_a_verdict_of_a_person_stamps_and_can_be_undone(alert, alice):
    verdict = decide(alert, alice)
    alert.refresh_from_db()
    assert alert.first_action_at == alert.decided_at is not None
    action = ReviewAction.objects.get()
    assert (action.user, action.kind, action.value, action.alert_count) == (alice, "verdict", "fp_logic", 1)
    item = action.items.get()
    assert (item.alert_id, item.revision, item.verdict_id) == (alert.pk, 2, verdict.pk)
    before = dict(item.before)
    after = before.pop("after")
    assert before == {
        "status": "open",
        "assignee_id": None,
        "escalated_at": None,
        "escalated_by_id": None,
        "first_action_at": None,
        "decided_at": None,
        "mute_rule_id": None,
    }
    assert sorted(after) == ["decided_at", "first_action_at", "status"]


def test_an_automation_leaves_no_action_and_no_stamps(alert):
    review.record_verdict(
        alert_id=alert.pk, value="fp_logic", user=None, expected_revision=1, decided_by="automation", automation="x"
    )
    alert.refresh_from_db()
    assert (alert.status, alert.first_action_at, alert.decided_at) == ("closed", None, None)
    assert ReviewAction.objects.count() == 0


def test_the_first_action_is_stamped_once(alert, alice, charlie):
    review.assign(alert_id=alert.pk, assignee=alice, user=alice, expected_revision=1)
    first = Alert.objects.get().first_action_at
    decide(alert, charlie, expected_revision=2)
    alert.refresh_from_db()
    assert alert.first_action_at == first < alert.decided_at


def test_escalating_gives_it_back_and_puts_it_on_top(alert, alice):
    review.assign(alert_id=alert.pk, assignee=alice, user=alice, expected_revision=1)
    review.escalate(alert_id=alert.pk, user=alice, expected_revision=2, note="beyond me")
    alert.refresh_from_db()
    assert (alert.assignee, alert.escalated_by, alert.place, alert.revision) == (None, alice, 2.0, 3)
    entry = AuditEntry.objects.get(action="escalate")
    assert (entry.actor, entry.details) == ("alice", {"from": "alice", "note": "beyond me"})
    with pytest.raises(review.ReviewError):
        review.escalate(alert_id=alert.pk, user=alice, expected_revision=3)
    with pytest.raises(review.StaleAlertError):
        review.withdraw_escalation(alert_id=alert.pk, user=alice, expected_revision=2)
    alert.refresh_from_db()
    assert alert.revision == 3


def test_taking_keeps_the_escalation_and_withdrawing_ends_it(alert, alice, charlie):
    review.escalate(alert_id=alert.pk, user=alice, expected_revision=1)
    review.assign(alert_id=alert.pk, assignee=charlie, user=charlie, expected_revision=2)
    alert.refresh_from_db()
    assert (alert.assignee, alert.escalated_by) == (charlie, alice)
    review.withdraw_escalation(alert_id=alert.pk, user=charlie, expected_revision=3)
    alert.refresh_from_db()
    assert (alert.assignee, alert.escalated_by, alert.escalated_at, alert.place) == (charlie, None, None, 1.0)
    with pytest.raises(review.ReviewError):
        review.withdraw_escalation(alert_id=alert.pk, user=charlie, expected_revision=4)
    assert AuditEntry.objects.filter(action="withdraw_escalation").count() == 1


def test_a_closed_alert_is_not_escalated_and_a_muted_one_comes_into_view(alert, alice):
    decide(alert, alice)
    with pytest.raises(review.ReviewError, match="reopen"):
        review.escalate(alert_id=alert.pk, user=alice, expected_revision=2)
    muted = make_alert(alert.source, status="muted")
    review.escalate(alert_id=muted.pk, user=alice, expected_revision=1)
    muted.refresh_from_db()
    alert.refresh_from_db()
    assert (muted.status, muted.place, alert.escalated_at) == ("open", 2.0, None)


def test_a_note_counts_as_the_first_action(alert, alice):
    review.add_note(alert_id=alert.pk, text="looking", user=alice)
    alert.refresh_from_db()
    assert alert.first_action_at is not None
    assert (alert.revision, ReviewAction.objects.count()) == (1, 0)
