"""A candidate beside the champion: counted, bounded, and never in the way of a pass."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from tests.factories import make_batch, make_source
from tests.triage.versions import spoil, store_version
from triage import champion, pipeline, shadow, shadow_figures, store
from triage.contracts import ParsedEvent, Reason
from triage.detectors.base import Examined
from triage.models import Event, ModelVersion, ShadowTally, Source

pytestmark = pytest.mark.django_db


class Lengths:
    """Flags messages longer than ``longer``; what it is given is counted."""

    name = "lengths"

    def __init__(self, longer: int, *, score: float | None = None, p_value: float = 0.04) -> None:
        self.longer, self.score, self.p_value = longer, score, p_value
        self.examined = 0

    def examine(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        self.examined += len(events)
        scores = np.array([float(len(event.message)) if self.score is None else self.score for event in events])
        return Examined(scores, np.full(len(events), self.p_value), np.zeros((len(events), 1)), ("length",))

    def flag(self, scores: np.ndarray, p_values: np.ndarray) -> np.ndarray:
        return scores > self.longer

    def explain(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> list[tuple[Reason, ...]]:
        return [() for _ in events]


class Breaking(Lengths):
    """Cannot look at anything."""

    def examine(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        raise ZeroDivisionError("nothing to divide by")


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Lengths]]:
    """Versions and their detectors; the champion flags more than 50 characters."""
    detectors = {"v1": Lengths(50)}
    monkeypatch.setattr(champion, "load", lambda row: champion.Champion(row.pk, row.version, detectors[row.version]))
    champion.forget()
    shadow.forget()
    yield detectors
    champion.forget()
    shadow.forget()


@pytest.fixture
def source() -> Source:
    return make_source()


def enter(version: str, status: str, **fields: object) -> ModelVersion:
    return ModelVersion.objects.create(
        version=version, detector="lengths", status=status, artefact_sha256="0", trained_at=timezone.now(),
        **({"metrics": {"alert_budget": 0.01}} | fields),
    )  # fmt: skip


@pytest.fixture
def pair(loaded: dict[str, Lengths]) -> tuple[ModelVersion, ModelVersion]:
    loaded["v2"] = Lengths(70)
    return enter("v1", "champion"), enter("v2", "candidate")


def drain() -> None:
    while pipeline.process_pass("test"):
        pass


COLUMNS = ("events", "both", "only_candidate", "only_champion", "p_01", "p_05", "p_10", "p_50")


def tallied() -> list[tuple[int, ...]]:
    return list(ShadowTally.objects.order_by("minute").values_list(*COLUMNS))


def test_what_both_flag_is_counted_with_the_pass(source: Source, pair: tuple[ModelVersion, ModelVersion]) -> None:
    make_batch(source, "x" * 10, "x" * 60, "x" * 65, "x" * 80)
    drain()
    assert tallied() == [(4, 1, 0, 2, 0, 4, 4, 4)]
    row = ShadowTally.objects.get()
    assert (row.champion_id, row.candidate_id) == (pair[0].pk, pair[1].pk)


def test_figures_of_one_minute_add_up(source: Source, pair: tuple[ModelVersion, ModelVersion]) -> None:
    for _ in range(3):
        make_batch(source, "x" * 80, "x", received_at=timezone.now().replace(second=1))
        drain()
    assert sum(row[0] for row in tallied()) == 6
    live = shadow_figures.seen(pair[1].pk, pair[0].pk)
    assert (live.pair.n, live.pair.both, live.pair.neither) == (6, 3, 3)
    assert live.p_counts == {0.01: 0, 0.05: 6, 0.1: 6, 0.5: 6}
    events, minutes = shadow_figures.size(pair[1].pk, pair[0].pk)
    assert (events, minutes) == (6, len(live.blocks))


def test_events_of_two_minutes_are_two_rows(source: Source, pair: tuple[ModelVersion, ModelVersion]) -> None:
    now = timezone.now()
    make_batch(source, "x", received_at=now - timezone.timedelta(minutes=5))
    make_batch(source, "x", "y", received_at=now)
    drain()
    assert [row[0] for row in tallied()] == [1, 2]


def test_nothing_of_the_candidate_reaches_an_event(source: Source, pair: tuple[ModelVersion, ModelVersion]) -> None:
    make_batch(source, "x" * 60)
    drain()
    event = Event.objects.get()
    assert (event.score, event.flagged, event.model_version) == (60.0, True, pair[0])


def test_a_large_pass_is_sampled_evenly(
    source: Source, pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Lengths]
) -> None:
    make_batch(source, *["x" * (80 if number % 2 else 10) for number in range(2_501)])
    drain()
    assert loaded["v2"].examined == 834  # every third of 2,501
    assert tallied()[0][:2] == (834, 417)


def test_without_a_candidate_or_a_champion_nothing_is_counted(source: Source, loaded: dict[str, Lengths]) -> None:
    make_batch(source, "x")
    drain()
    loaded["v2"] = Lengths(70)
    enter("v2", "candidate")
    shadow.forget()
    make_batch(source, "x")
    drain()
    assert tallied() == []


def test_a_candidate_left_to_people_costs_nothing_more(
    source: Source, pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Lengths]
) -> None:
    ModelVersion.objects.filter(version="v2").update(metrics={"shadow": {"verdict": "undecided"}})
    make_batch(source, "x")
    drain()
    assert (tallied(), loaded["v2"].examined) == ([], 0)


def test_the_newest_candidate_runs(
    source: Source, pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Lengths]
) -> None:
    loaded["v3"] = Lengths(5)
    newest = enter("v3", "candidate")
    make_batch(source, "x" * 80)
    drain()
    assert list(ShadowTally.objects.values_list("candidate", flat=True)) == [newest.pk]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Breaking(0), "Refused: it broke on live events (ZeroDivisionError: nothing to divide by)."),
        (Lengths(0, score=float("nan")), "(BrokenCandidateError: a score is not a number)."),
        (Lengths(0, p_value=1.5), "(BrokenCandidateError: a p-value is not between 0 and 1)."),
    ],
)
def test_a_broken_candidate_is_rejected_and_the_pass_goes_on(
    source: Source, pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Lengths], broken: Lengths, words: str
) -> None:
    loaded["v2"] = broken
    make_batch(source, "x" * 60, "y")
    drain()
    assert list(Event.objects.order_by("id").values_list("score", "flagged")) == [(60.0, True), (1.0, False)]
    candidate = ModelVersion.objects.get(version="v2")
    assert candidate.status == "rejected"
    assert candidate.decision.endswith(words)
    assert tallied() == []
    make_batch(source, "z")
    drain()
    assert Event.objects.count() == 3
    assert ModelVersion.objects.get(version="v1").status == "champion"


def test_a_candidate_that_is_far_too_slow_is_rejected(
    source: Source, pair: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "SLOW_SECONDS", -1.0)
    make_batch(source, "x")
    drain()
    assert "1 events took it more than" in ModelVersion.objects.get(version="v2").decision
    assert Event.objects.count() == 1


def test_a_candidate_whose_artefact_is_refused_is_rejected(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    champion.forget()
    store_version(tmp_path, "s1", status="champion")
    store_version(tmp_path, "s2")
    spoil(tmp_path, "s2")
    make_batch(source, '{"message": "hello"}')
    drain()
    candidate = ModelVersion.objects.get(version="s2")
    assert candidate.status == "rejected"
    assert candidate.decision.startswith("Refused before it ran in shadow: version s2 has been changed")
    assert Event.objects.get().model_version.version == "s1"  # type: ignore[union-attr]


def test_a_pass_whose_lease_is_lost_counts_nothing(source: Source, pair: tuple[ModelVersion, ModelVersion]) -> None:
    make_batch(source, "x")
    work = store.claim("slow", 100)
    with pytest.raises(store.LostLeaseError):
        pipeline.process("another", work)
    assert tallied() == []


def test_the_report_of_a_candidate_is_of_this_moment(source: Source, pair: tuple[ModelVersion, ModelVersion]) -> None:
    assert shadow_figures.report(pair[0]) is None
    assert shadow_figures.report(pair[1]) == {
        "verdict": "wait", "events": 0, "minutes": 0, "needed_events": 2_000, "needed_minutes": 60,
    }  # fmt: skip
    make_batch(source, "x" * 80, "x" * 60)
    drain()
    found = shadow_figures.report(pair[1])
    assert found is not None
    assert (found["events"], found["minutes"], found["champion"]) == (2, 1, "v1")
    assert found["pair"] == {"both": 1, "only_first": 0, "only_second": 1, "neither": 0}
    assert (found["candidate_rate"]["value"], found["champion_rate"]["value"]) == (0.5, 1.0)
    ModelVersion.objects.filter(version="v2").update(status="rejected")
    shadow_figures.forget_decided()
    assert tallied() == []
