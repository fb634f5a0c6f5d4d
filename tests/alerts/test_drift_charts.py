"""Charts of the models page: drift of a source over time, and a candidate beside the champion."""

import datetime as dt

import pytest

from alerts.selectors import budget, drift_charts
from tests.factories import make_source
from triage.models import Alarm, DriftBlock, ModelVersion, ShadowTally, Source

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


def version(name: str, status: str = "candidate") -> ModelVersion:
    return ModelVersion.objects.create(version=name, detector="x", artefact_sha256="0", trained_at=NOW, status=status)


def block(
    source: Source, model: ModelVersion, minutes: int, events: int = 250, flagged: int = 0, **judged: object
) -> None:
    DriftBlock.objects.create(
        source=source, model_version=model, ended_at=NOW - dt.timedelta(minutes=minutes), events=events,
        flagged=flagged, p_counts=[], kinds={}, evidence={}, judged=judged,
    )  # fmt: skip


def test_drift_over_time_takes_the_nearest_of_each_step_and_leaves_gaps():
    source, model, other = make_source(), version("v1", "champion"), version("v0", "retired")
    on_the_way = {"p": 0.1, "evidence": 99.0, "level": 9999.0}
    block(source, model, 142, flagged=5, kinds=on_the_way, scores={"p": 1.0, "evidence": 5.0, "level": None})
    block(source, model, 142, kinds=on_the_way | {"evidence": 0.0})
    block(source, model, 1, events=750, flagged=15, kinds=on_the_way | {"evidence": 1e9})
    block(source, other, 1, flagged=250)
    Alarm.objects.create(
        kind="kinds", source=source, model_version=model, recommendation="retrain", text="x", raised_at=NOW
    )
    found = drift_charts.history(source.pk)
    assert (found.source, found.blocks) == (source, 3)
    lines = {series.label: list(series.values) for series in found.nearness.series}
    assert len(found.nearness.x) == 71
    assert (lines["mix"][0], lines["mix"][1], lines["mix"][-1]) == (pytest.approx(0.5), None, 1.0)
    assert set(lines["scores"]) == {None}
    assert set(lines["features"]) == {None}
    assert found.nearness.marks == [(NOW.timestamp(), "raised")]
    rates = found.flagged.series[0]
    assert (rates.values[0], rates.values[1], rates.values[-1]) == (0.01, None, 0.02)
    assert rates.low[0] < 0.01 < rates.high[0]


def test_there_is_no_history_without_blocks_a_source_or_a_champion():
    source = make_source()
    assert drift_charts.history(source.pk) is None
    version("v1", "champion")
    assert drift_charts.history(source.pk) is None
    assert drift_charts.history(0) is None


def test_a_candidate_and_the_champion_are_compared_on_the_same_events():
    champion, candidate, former = version("v1", "champion"), version("v2"), version("v0", "retired")
    assert drift_charts.shadow(candidate) is None
    for minute, events, both, only_candidate, only_champion in (
        (100, 100, 2, 3, 0),
        (110, 0, 0, 0, 0),
        (130, 50, 0, 0, 1),
    ):
        ShadowTally.objects.create(
            candidate=candidate, champion=champion, minute=minute, events=events, both=both,
            only_candidate=only_candidate, only_champion=only_champion,
        )  # fmt: skip
    ShadowTally.objects.create(candidate=candidate, champion=former, minute=50, events=1000, both=1000)
    found = drift_charts.shadow(candidate)
    ours, theirs = (list(series.values) for series in found.series)
    assert (found.x[0], found.step, len(ours)) == (6000, 60, 31)
    assert (ours[0], ours[10], ours[-1]) == (0.05, None, 0.0)
    assert (theirs[0], theirs[10], theirs[-1]) == (0.02, None, 0.02)


@pytest.mark.once
def test_the_budget_curve_falls_with_the_threshold_and_marks_the_chosen_one():
    found = budget.curve([[1.0, 2.0, 3.0], [4.0, 5.0]], 3.0)
    assert found is not None
    assert (found.x[0], found.x[-1], found.marks) == (1.0, 5.0, [(3.0, "chosen")])
    values = list(found.series[0].values)
    assert (values[0], values[20], values[-1]) == (2.0, 1.0, 0.0)
    assert values == sorted(values, reverse=True)
    assert budget.curve([[2.0, 2.0]], 1.0) is None
    assert budget.curve([], 1.0) is None
