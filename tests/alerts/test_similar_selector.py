"""Similar alerts: which, how they ended, whose word counts, and what a blind reviewer is not told."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Verdict
from alerts.selectors import similar as rooms
from alerts.selectors.similar import similar
from tests.alerts.rows import make_alert
from tests.factories import make_source

KIND = "k" * 64
DAY = dt.timedelta(days=1)


@pytest.fixture
def source(db):
    return make_source()


def alike(source, *, days=1.0, value="", user=None, **fields):
    alert = make_alert(source, **({"template": KIND, "last_seen_at": timezone.now() - days * DAY} | fields))
    if value:
        decided = {"decided_by": "person", "user": user} if user else {"decided_by": "automation"}
        Verdict.objects.create(alert=alert, value=value, **decided)
    return alert


def counts(group):
    return {outcome.name: outcome.count for outcome in group.outcomes}


def test_alerts_of_the_kind_with_how_they_ended(source, alice):
    alert = alike(source)
    for value in ["benign_tp"] * 3 + ["tp_impact", "fp_logic", "fp_data", "duplicate", "undetermined", ""]:
        alike(source, value=value, user=alice)
    found = similar(alert).kind
    assert (found.total, found.more, found.decided) == (9, False, 8)
    assert [(one.name, one.count) for one in found.outcomes] == [
        ("true positive", 1), ("benign", 3), ("false positive", 2), ("duplicate", 1), ("undetermined", 1),
        ("undecided", 1),
    ]  # fmt: skip


def test_only_the_newest_standing_word_of_a_person_counts(source, alice):
    alert, other = alike(source), alike(source, value="tp_impact", user=alice)
    Verdict.objects.create(alert=other, value="fp_data", decided_by="person", user=alice, note="noise")
    Verdict.objects.create(alert=other, value="benign_tp", decided_by="automation")
    Verdict.objects.create(alert=other, value="tp_impact", decided_by="person", user=alice, withdrawn_at=timezone.now())
    found = similar(alert).kind
    assert counts(found) == {"false positive": 1}
    (past,) = found.newest
    assert (past.alert.pk, past.decision.name, past.decision.by, past.decision.note) == (
        other.pk, "false positive", "alice", "noise",
    )  # fmt: skip


def test_other_kinds_of_the_same_entity_are_a_group_of_their_own(source):
    alert = alike(source, entity="user:a")
    same_kind = alike(source, entity="user:a")
    other_kind = alike(source, entity="user:a", template="x" * 64)
    alike(source, entity="user:b", template="x" * 64)
    found = similar(alert)
    assert [past.alert.pk for past in found.kind.newest] == [same_kind.pk]
    assert [past.alert.pk for past in found.entity.newest] == [other_kind.pk]


def test_the_days_are_the_last_ones_and_of_an_old_alert_those_before_it(source):
    recent, old = alike(source, days=1), alike(source, days=100)
    alike(source, days=29)
    alike(source, days=129)
    alike(source, days=99)
    alike(source, days=131)
    assert [past.alert.last_seen_at.date() for past in similar(recent).kind.newest] == [
        (timezone.now() - 29 * DAY).date()
    ]
    assert [past.alert.last_seen_at.date() for past in similar(old).kind.newest] == [
        (timezone.now() - 129 * DAY).date()
    ]
    assert (similar(recent).until, similar(old).until) == (None, old.last_seen_at)


def test_blind_audits_are_left_out_and_an_open_one_is_told_nothing(source, alice, django_assert_num_queries):
    alert = alike(source)
    audit = alike(source, value="tp_impact", user=alice, origin="blind_audit", status="closed")
    blind = alike(source, origin="blind_audit", entity="user:blind")
    found = similar(alert)
    assert (found.kind.total, found.entity.total, found.hidden) == (0, 0, False)
    with django_assert_num_queries(0):
        told = similar(blind)
    assert (told.hidden, told.kind, told.entity) == (True, None, None)
    assert similar(audit).hidden is False


def test_what_has_no_kind_or_entity_has_nothing_to_compare_by(source):
    alike(source, template="", entity="")
    found = similar(alike(source, template="", entity=""))
    assert (found.kind, found.entity) == (None, None)
    other = alike(source, template=KIND, entity="user:a")
    assert [past.alert.pk for past in similar(alike(source, template="", entity="user:a")).entity.newest] == [other.pk]


def test_more_than_is_counted_is_said(source, monkeypatch):
    monkeypatch.setattr(rooms, "MAX_COUNTED", 2)
    alert = alike(source)
    for _ in range(3):
        alike(source)
    found = similar(alert).kind
    assert (found.total, found.more, counts(found)) == (2, True, {"undecided": 2})


@pytest.mark.parametrize("others", [1, 12])
def test_it_costs_the_same_however_many_there_are(source, alice, others, django_assert_num_queries):
    alert = alike(source)
    for _ in range(others):
        alike(source, value="fp_data", user=alice)
        alike(source, template="x" * 64)
    with django_assert_num_queries(4):
        found = similar(alert)
    assert (found.kind.total, len(found.kind.newest), found.entity.total) == (others, min(others, rooms.SHOWN), others)
