"""Verdicts, assignment and notes: one transaction, one audit entry, no lost update."""

import pytest

from alerts.models import Alert, AuditEntry, Verdict
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


def test_bulk_decides_open_ones_and_explains_the_rest(alert, alice):
    closed = make_alert(alert.source, status="closed")
    result = review.record_verdicts(alert_ids=[alert.pk, closed.pk, 999_999, alert.pk], value="fp_data", user=alice)
    assert result.decided == (alert.pk,)
    assert result.skipped == ((closed.pk, "already closed"), (999_999, "no such alert"))
    alert.refresh_from_db()
    assert (alert.status, alert.revision) == ("closed", 2)
    assert (Verdict.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_bulk_of_many_costs_few_queries(alice, django_assert_max_num_queries):
    source = make_source()
    ids = [make_alert(source).pk for _ in range(120)]
    with django_assert_max_num_queries(12):
        result = review.record_verdicts(alert_ids=ids, value="benign_tp", user=alice)
    assert len(result.decided) == 120
    assert Alert.objects.filter(status="closed").count() == 120


def test_bulk_refuses_too_many_rather_than_cutting_off(alice):
    with pytest.raises(review.ReviewError, match="at most"):
        review.record_verdicts(alert_ids=range(1, review.MAX_BULK + 2), value="fp_data", user=alice)
    assert AuditEntry.objects.count() == 0
