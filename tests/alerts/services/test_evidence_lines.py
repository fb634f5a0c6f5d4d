"""What an explainer is given: exact lines, receipts, and a bounded number of queries."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert
from alerts.services import grouping, review
from alerts.services.evidence import build_request
from tests.alerts.flagged_events import flagged
from tests.factories import make_source

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 3, 1, 14, 2, 11, tzinfo=dt.UTC)
EARLIER = "Searched events of user:backup from 2026-01-30T15:02:11Z until 15 minutes before 2026-03-01T14:02:11Z:"


@pytest.fixture(autouse=True)
def soon_after(monkeypatch):
    """Look at it an hour later."""
    monkeypatch.setattr(timezone, "now", lambda: AT + dt.timedelta(hours=1))


@pytest.fixture
def source():
    return make_source()


def texts(alert, origin):
    return [line.text for line in build_request(alert).evidence if line.origin == origin]


def test_an_alert_on_its_own_has_receipts_for_what_was_not_found(source):
    event = flagged(source)
    grouping.group_flagged()
    request = build_request(Alert.objects.get())
    assert [line.number for line in request.evidence] == list(range(1, len(request.evidence) + 1))
    assert {line.event_id for line in request.evidence if line.origin == "event"} == {event.pk}
    assert {line.event_id for line in request.evidence if line.origin != "event"} == {None}
    assert [line.text for line in request.evidence if line.origin == "receipt"] == [
        "Searched other events of user:backup within 15 minutes of 2026-03-01T14:02:11Z: found 0.",
        f"{EARLIER} found 0.",
        "Searched other alerts of user:backup in the 30 days before 2026-03-01T14:02:11Z: found 0.",
        "Searched alerts of this kind that analysts decided in the 90 days before 2026-03-01T14:02:11Z: found 0.",
    ]
    assert [line.text for line in request.evidence if line.origin == "context"] == [
        "1 event is in this alert, at 2026-03-01T14:02:11Z.",
        "The highest score is 7.500. In the events the model learned from, a share of 0.0005 scores at least as high.",
        "The strongest event was read by the parser syslog.",
    ]


def test_what_is_known_around_it_is_counted(source, alice, bob):
    for minutes, outcome in ((-5, "failure"), (-4, "failure"), (3, "success"), (-60 * 24 * 3, "success")):
        flagged(
            source,
            "other words here",
            timestamp=AT + dt.timedelta(minutes=minutes),
            event_outcome=outcome,
            flagged=False,
        )
    for number, verdict in enumerate(["benign_tp", "benign_tp", "tp_impact"]):
        flagged(source, entity=f"user:other{number}")
        grouping.group_flagged()
        decided = Alert.objects.get(entity=f"user:other{number}")
        review.record_verdict(alert_id=decided.pk, value="fp_data", user=alice, expected_revision=None)
        review.record_verdict(alert_id=decided.pk, value=verdict, user=bob, expected_revision=None)
    flagged(source, entity="user:robot")
    flagged(source, "quite another kind of thing", timestamp=AT - dt.timedelta(hours=2))
    flagged(source)
    grouping.group_flagged()
    robot = Alert.objects.get(entity="user:robot")
    review.record_verdict(
        alert_id=robot.pk, value="fp_logic", user=None, expected_revision=None, decided_by="automation", automation="x"
    )
    alert = Alert.objects.get(entity="user:backup", title__startswith="Accepted")
    assert texts(alert, "receipt") == [
        "Searched other events of user:backup within 15 minutes of 2026-03-01T14:02:11Z: found 3.",
        f"{EARLIER} found 2.",
        "Searched other alerts of user:backup in the 30 days before 2026-03-01T14:02:11Z: found 1.",
        "Searched alerts of this kind that analysts decided in the 90 days before 2026-03-01T14:02:11Z: found 3.",
    ]
    assert texts(alert, "context")[3:] == [
        "With this one, by outcome: 2 failure, 2 success.",
        "Of these alerts 1 came in the last 24 hours.",
        "Analysts decided on alerts of this kind: 2 benign_tp, 1 tp_impact.",
    ]


def test_other_events_are_told_where_they_differ_each_difference_once(source):
    base = {"user.name": "backup", "host.name": "db-1", "source.ip": "192.0.2.7"}
    flagged(source, document=base, score=9.0)
    for address in ("192.0.2.8", "192.0.2.8", "192.0.2.9"):
        flagged(
            source, f"Accepted password for backup from {address} port 1", document=base | {"source.ip": address},
            source_ip=address, score=5.0,
        )  # fmt: skip
    grouping.group_flagged()
    found = [text for text in texts(Alert.objects.get(), "context") if text.startswith("Another event")]
    assert found == [
        f"Another event of this alert, at 2026-03-01T14:02:11Z, has source.ip: {address}"
        for address in ("192.0.2.8", "192.0.2.9")
    ]


def test_what_retention_took_is_not_searched_for(source, monkeypatch):
    flagged(source)
    grouping.group_flagged()
    monkeypatch.setattr(timezone, "now", lambda: AT + dt.timedelta(days=31))
    assert not [text for text in texts(Alert.objects.get(), "receipt") if "events" in text]


def test_many_events_take_no_more_queries_than_one(source, django_assert_num_queries):
    flagged(source)
    grouping.group_flagged()
    with django_assert_num_queries(8):
        build_request(Alert.objects.get())
    for number in range(50):
        flagged(source, score=float(number % 7))
    grouping.group_flagged()
    with django_assert_num_queries(8):
        build_request(Alert.objects.get())


@pytest.mark.parametrize(
    ("others", "origin", "told"), [(2, "receipt", "found 2."), (3, "context", "found at least 2.")]
)
def test_more_than_can_be_counted_is_told_as_at_least(source, monkeypatch, others, origin, told):
    monkeypatch.setattr("alerts.selectors.context.MAX_ROWS", 2)
    for _ in range(1 + others):
        flagged(source)
    grouping.group_flagged()
    searched = "Searched other events of user:backup within 15 minutes of 2026-03-01T14:02:11Z: "
    assert [text for text in texts(Alert.objects.get(), origin) if text.startswith(searched)] == [searched + told]
