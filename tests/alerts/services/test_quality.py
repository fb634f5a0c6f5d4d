"""The quality alarm: windows of verdicts against the pooled past."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.models import Alert, DecidedBy, Verdict
from alerts.services import quality
from tests.factories import make_source
from triage.models import Alarm, ModelStatus, ModelVersion, User

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


@pytest.fixture
def model() -> ModelVersion:
    return ModelVersion.objects.create(
        version="v1",
        detector="x",
        status=ModelStatus.CHAMPION,
        artefact_sha256="0",
        trained_at=START,
        promoted_at=START,
    )


def decide(user: User, labels: str) -> None:
    """One alert with a verdict per letter, an hour apart: t = true positive, f = false positive."""
    source = make_source()
    for number, letter in enumerate(labels):
        now = timezone.now()
        alert = Alert.objects.create(
            fingerprint=str(number), title="x", source=source, first_seen_at=now, last_seen_at=now, status="closed"
        )
        verdict = Verdict.objects.create(
            alert=alert, value="tp_impact" if letter == "t" else "fp_logic", decided_by=DecidedBy.PERSON, user=user
        )
        Verdict.objects.filter(pk=verdict.pk).update(created_at=START + dt.timedelta(hours=number))


def test_a_window_much_worse_than_the_past_raises_one_alarm(model: ModelVersion, alice: User) -> None:
    decide(alice, "ttf" * 20 + "ff" * 10)
    alarm = quality.watch()
    assert alarm is not None
    assert (alarm.kind, alarm.source, alarm.recommendation) == ("quality", None, "relabel")
    assert alarm.text.startswith("Of the newest 20 decided alerts 0 were true positives, of the 60 before 40 (67%); ")
    assert alarm.details["p_value"] == pytest.approx((1 / 3) ** 20 + 20 * (2 / 3) * (1 / 3) ** 19)
    assert quality.watch() is None
    assert Alarm.objects.count() == 1


def test_after_it_was_closed_the_same_window_raises_no_second_one(model: ModelVersion, alice: User) -> None:
    decide(alice, "ttf" * 20 + "ff" * 10)
    alarm = quality.watch()
    Alarm.objects.filter(pk=alarm.pk).update(closed_at=timezone.now(), closed_by="alice")
    assert quality.watch() is None
    assert Alarm.objects.count() == 1


def test_a_fall_that_begins_with_a_promotion_speaks_for_rolling_back(model: ModelVersion, alice: User) -> None:
    decide(alice, "ttf" * 20 + "ff" * 10)
    ModelVersion.objects.update(promoted_at=START + dt.timedelta(hours=59, minutes=30))
    alarm = quality.watch()
    assert alarm is not None
    assert alarm.recommendation == "roll_back"
    assert "It began when this model was promoted" in alarm.text


@pytest.mark.parametrize(
    "labels",
    [
        "ttf" * 20 + "tffttfttfttfttfttftt",  # much as before
        "ttf" * 20 + "f" * 19,  # the window is not whole
        "tttt" * 10 + "f" * 20,  # too little past: 40 verdicts
        "f" * 60 + "f" * 20,  # it was never better
    ],
)
def test_otherwise_nothing_is_raised(model: ModelVersion, alice: User, labels: str) -> None:
    decide(alice, labels)
    assert quality.watch() is None
    assert Alarm.objects.count() == 0


def test_one_verdict_never_decides(model: ModelVersion, alice: User) -> None:
    """Six of twenty come by chance in less than one of a thousand cases, but seven would not."""
    decide(alice, "ttf" * 20 + "t" * 6 + "f" * 14)
    assert quality.watch() is None
    Verdict.objects.filter(alert__fingerprint__in=["60", "61"]).update(value="fp_logic")
    assert quality.watch() is not None


def test_without_a_champion_nobody_is_judged(alice: User) -> None:
    decide(alice, "ttf" * 20 + "ff" * 10)
    assert quality.watch() is None
