"""Blind audits: unflagged events drawn at random, each with its probability."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert, AlertEvent, AuditEntry
from alerts.services import audits
from tests.factories import make_batch, make_source
from triage import partitions
from triage.models import Event, ModelStatus, ModelVersion, RawBatch, event_id

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def model() -> ModelVersion:
    return ModelVersion.objects.create(
        version="v1", detector="x", status=ModelStatus.CHAMPION, artefact_sha256="0", trained_at=NOW
    )


@pytest.fixture
def events(model: ModelVersion) -> None:
    """A day of 1,000 events: 10 flagged, 40 near, 950 others."""
    batch, received = make_batch(make_source(), "x"), NOW - dt.timedelta(hours=3)
    RawBatch.objects.filter(pk=batch.pk).update(
        received_at=received, status="done", event_count=1000, flagged_count=10, model_version=model
    )
    partitions.ensure([f"{received:%Y-%m-%d}"])
    Event.objects.bulk_create(
        Event(
            id=event_id(batch.pk, n), source_id=batch.source_id, received_at=received, timestamp=received,
            timestamp_origin="event", parser="linux_auth", entity=f"user:u{n}", message=f"event {n}", score=1.0,
            p_value=0.001 if n < 10 else 0.04 if n < 50 else 0.5, flagged=n < 10, model_version=model,
        )
        for n in range(1000)
    )  # fmt: skip


def test_half_are_drawn_from_those_nearly_flagged_and_none_from_the_flagged(events: None) -> None:
    assert audits.draw(NOW) == 10
    rows = Alert.objects.order_by("-p_value")
    assert {row.origin for row in rows} == {"blind_audit"}
    assert [row.inclusion_probability for row in rows] == [5 / 950] * 5 + [5 / 40] * 5
    assert {row.status for row in rows} == {"open"}
    positions = [row.event_id & 0xFFFFF for row in AlertEvent.objects.all()]
    assert len(set(positions)) == 10
    assert min(positions) >= 10
    assert AuditEntry.objects.filter(action="alert.opened", actor="blind audit").count() == 10
    assert all(
        "p_value" not in str(row.details) and "score" not in str(row.details) for row in AuditEntry.objects.all()
    )


def test_a_second_call_on_the_same_day_draws_nothing(events: None) -> None:
    audits.draw(NOW)
    assert audits.draw(NOW) == 0
    assert Alert.objects.count() == 10


def test_switched_off_nothing_is_drawn(events: None, settings: object) -> None:
    settings.BLIND_AUDITS_PER_DAY = 0
    assert audits.draw(NOW) == 0
    assert Alert.objects.count() == 0


def test_too_few_events_are_not_audited(model: ModelVersion) -> None:
    batch = make_batch(make_source(), "x")
    RawBatch.objects.filter(pk=batch.pk).update(status="done", event_count=999, model_version=model)
    assert audits.draw(timezone.now()) == 0


def test_every_other_event_is_as_likely(events: None) -> None:
    """Of 950 others some 40 draws of 20 must not favour the beginning."""
    batch = RawBatch.objects.get()
    drawn = [
        identifier & 0xFFFFF
        for _ in range(40)
        for identifier, chance in audits.draw_others([(batch.pk, 1000)], set(), 20, 990)
        if chance == 20 / 990
    ]
    assert len(drawn) == 800
    assert min(drawn) >= 10
    assert 300 < sum(position < 505 for position in drawn) < 500
