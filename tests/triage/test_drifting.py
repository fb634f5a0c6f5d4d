"""From tallies to blocks to alarms."""

import datetime as dt

import pytest
from django.utils import timezone

from tests.factories import make_source
from triage import drifting
from triage.models import Alarm, DriftBlock, ModelStatus, ModelVersion, ScoreTally, Source

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 5, 20, 12, 0, tzinfo=dt.UTC)
P_COUNTS = [0] * 3 + [3] + [0] * 4 + [247] + [0] * 7


@pytest.fixture
def model() -> ModelVersion:
    return ModelVersion.objects.create(
        version="v1",
        detector="x",
        status=ModelStatus.CHAMPION,
        artefact_sha256="0",
        trained_at=NOW - dt.timedelta(days=9),
    )


def tally(source: Source, model: ModelVersion, at: dt.datetime, events: int = 250, first: int = 100) -> None:
    ScoreTally.objects.create(
        source=source, model_version=model, received_at=at, events=events, flagged=3, p_counts=P_COUNTS,
        kinds={"a||": first, "b||": events - first}, evidence={"value": events * 1.0},
    )  # fmt: skip


def stored(source: Source, model: ModelVersion, n: int = 200) -> None:
    """Blocks of the last week before yesterday: the mix wanders a little."""
    DriftBlock.objects.bulk_create(
        DriftBlock(
            source=source, model_version=model,
            ended_at=NOW - dt.timedelta(days=9) + number * dt.timedelta(minutes=40), events=250,
            flagged=number % 4, p_counts=P_COUNTS, kinds={"a||": 95 + number % 11, "b||": 155 - number % 11},
            evidence={"value": 240.0 + number % 17},
        )
        for number in range(n)
    )  # fmt: skip


def test_tallies_are_folded_into_blocks_that_end_with_a_minute(model: ModelVersion) -> None:
    source = make_source()
    start = NOW - dt.timedelta(minutes=10)
    for seconds, events in ((0, 200), (10, 200), (50, 100), (70, 100), (130, 100), (190, 50), (240, 10)):
        tally(source, model, start + dt.timedelta(seconds=seconds), events, first=events // 2)

    assert drifting.run(NOW) == 2

    busy, slow = DriftBlock.objects.order_by("id")
    assert (busy.events, busy.flagged, busy.kinds, busy.evidence) == (
        500,
        9,
        {"a||": 250, "b||": 250},
        {"value": 500.0},
    )
    assert busy.ended_at == start + dt.timedelta(seconds=50)
    assert (slow.events, slow.ended_at) == (250, start + dt.timedelta(seconds=190))
    # What is no block yet waits; nothing is counted twice.
    assert list(ScoreTally.objects.values_list("events", flat=True)) == [10]
    assert drifting.run(NOW) == 0
    assert DriftBlock.objects.count() == 2


def test_the_running_minute_is_left_alone(model: ModelVersion) -> None:
    tally(make_source(), model, NOW + dt.timedelta(seconds=20), 900)
    assert not drifting.is_due(NOW + dt.timedelta(seconds=59))
    assert drifting.run(NOW + dt.timedelta(seconds=59)) == 0
    assert ScoreTally.objects.count() == 1
    assert drifting.is_due(NOW + dt.timedelta(seconds=81))
    assert drifting.run(NOW + dt.timedelta(seconds=81)) == 1


def test_without_enough_older_blocks_nothing_is_measured(model: ModelVersion) -> None:
    source = make_source()
    stored(source, model, 29)
    tally(source, model, NOW - dt.timedelta(minutes=5), first=250)
    assert drifting.run(NOW) == 1
    assert DriftBlock.objects.order_by("-id").first().judged == {}
    assert Alarm.objects.count() == 0


def test_stable_traffic_raises_nothing(model: ModelVersion) -> None:
    source = make_source()
    stored(source, model)
    for number in range(30):
        tally(source, model, NOW - dt.timedelta(minutes=60 - number), first=95 + number % 11)
    assert drifting.run(NOW) == 30
    assert DriftBlock.objects.order_by("-id").first().judged["reference"] == 200
    assert Alarm.objects.count() == 0


def test_a_change_raises_one_alarm_with_its_figures_and_no_second_one(model: ModelVersion) -> None:
    source, other = make_source("changes"), make_source("stays")
    stored(source, model)
    stored(other, model)
    for number in range(20):
        at = NOW - dt.timedelta(minutes=60 - number)
        tally(source, model, at, first=200)
        tally(other, model, at)

    assert drifting.run(NOW) == 40

    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.source, alarm.model_version, alarm.closed_at) == ("kinds", source, model, None)
    assert alarm.recommendation == "retrain"
    assert alarm.details["evidence"] >= alarm.details["level"] > 100
    assert "a from 40.0% to 80.0%" in alarm.text
    judged = list(DriftBlock.objects.filter(source=source).order_by("id")[200:].values_list("judged", flat=True))
    # Found within eight blocks of 250 events; then the evidence begins again.
    first = next(place for place, one in enumerate(judged) if one["kinds"]["evidence"] == 0.0)
    assert first < 8


def test_after_a_person_has_closed_it_what_is_there_is_the_new_normal(model: ModelVersion) -> None:
    source = make_source()
    stored(source, model)
    Alarm.objects.create(
        kind="kinds", source=source, model_version=model, recommendation="retrain", text="x",
        raised_at=NOW - dt.timedelta(days=3), closed_at=NOW - dt.timedelta(days=2), closed_by="ann",
    )  # fmt: skip
    assert drifting.history(source.pk, model).count() == 0
    for number in range(10):
        tally(source, model, NOW - dt.timedelta(minutes=60 - number), first=200)
    assert drifting.run(NOW) == 10
    assert Alarm.objects.filter(closed_at__isnull=True).count() == 0


def test_alarms_of_a_model_that_no_longer_serves_are_moot(model: ModelVersion) -> None:
    source = make_source()
    old = ModelVersion.objects.create(version="v0", detector="x", artefact_sha256="0", trained_at=NOW)
    Alarm.objects.create(
        kind="kinds", source=source, model_version=old, recommendation="retrain", text="x", raised_at=NOW
    )
    tally(source, old, NOW - dt.timedelta(hours=1))
    drifting.run(NOW)
    assert (Alarm.objects.get().closed_by, Alarm.objects.get().closed_at) == (drifting.MOOT, NOW)
    assert (ScoreTally.objects.count(), DriftBlock.objects.count()) == (0, 0)


def test_without_a_champion_nothing_happens() -> None:
    assert drifting.run(timezone.now()) == 0


def test_old_blocks_are_forgotten(model: ModelVersion) -> None:
    stored(make_source(), model, 40)
    assert drifting.expire(NOW + dt.timedelta(days=5, minutes=10 * 40 - 20)) == 10
    assert DriftBlock.objects.count() == 30
