"""What the champion found, added up per source."""

import numpy as np
import pytest
from django.utils import timezone

from tests.factories import make_batch, make_source
from triage import champion, pipeline, tallies
from triage.contracts import ParsedEvent, Reason
from triage.detectors.base import P_EDGES, Examined
from triage.models import AlertPolicy, Event, ModelStatus, ModelVersion, RawBatch, ScoreTally

pytestmark = pytest.mark.django_db


class LengthDetector:
    """The p-value of an event is one in its length."""

    def examine(self, events: list[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        lengths = np.array([float(len(event.message)) for event in events])
        return Examined(
            lengths, 1.0 / lengths, np.column_stack([lengths, np.full(len(events), 0.5)]), ("length", "half")
        )

    def flag(self, scores: np.ndarray, p_values: np.ndarray) -> np.ndarray:
        return scores > 30

    def explain(self, events: list[ParsedEvent], windows: np.ndarray | None = None) -> list[tuple[Reason, ...]]:
        return [() for _ in events]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    row = ModelVersion.objects.create(
        version="v1", detector="length", status=ModelStatus.CHAMPION, artefact_sha256="0", trained_at=timezone.now()
    )
    monkeypatch.setattr(champion, "load", lambda row: champion.Champion(row.pk, row.version, LengthDetector()))
    champion.forget()
    yield row
    champion.forget()


def test_a_pass_leaves_one_tally_per_source(model: ModelVersion) -> None:
    door, gate = make_source("door"), make_source("gate")
    first = make_batch(door, "x", "x" * 4)
    make_batch(gate, "y" * 40)
    last = make_batch(door, "x" * 200)
    RawBatch.objects.filter(pk=last.pk).update(received_at=first.received_at + timezone.timedelta(seconds=5))

    assert pipeline.process_pass("test") == 4

    ours, theirs = ScoreTally.objects.order_by("source__name")
    assert (ours.source, ours.model_version, ours.events, ours.flagged) == (door, model, 3, 1)
    assert ours.received_at == first.received_at + timezone.timedelta(seconds=5)
    # p of 1, 0.25 and 0.005: the classes are closed above.
    assert dict(zip(P_EDGES, ours.p_counts, strict=True)) == dict.fromkeys(P_EDGES, 0) | {
        1.0: 1,
        0.3: 1,
        0.005: 1,
    }
    assert ours.kinds == {"fallback||": 3}
    assert ours.evidence == {"length": 1.0 + 4.0 + tallies.MAX_EVIDENCE, "half": 1.5}
    assert (theirs.source, theirs.events, theirs.flagged) == (gate, 1, 1)


def test_without_a_champion_there_is_nothing_to_tally() -> None:
    champion.forget()
    make_batch(make_source(), "x")
    assert pipeline.process_pass("test") == 1
    assert ScoreTally.objects.count() == 0


def test_a_pass_that_lost_its_lease_leaves_no_tally(model: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    make_batch(make_source(), "x")

    def lose(events: list[ParsedEvent], windows: np.ndarray) -> pipeline.Judged:
        RawBatch.objects.update(lease_owner="somebody else")
        return judge(events, windows)

    judge = pipeline.judge
    monkeypatch.setattr(pipeline, "judge", lose)
    assert pipeline.process_pass("test") == 1
    assert (Event.objects.count(), ScoreTally.objects.count()) == (0, 0)


def test_kinds_beyond_the_limit_are_counted_together() -> None:
    events = [ParsedEvent(0.0, "event", "x", "", {"event.code": f"code-{n}"}) for n in range(tallies.MAX_KINDS + 5)]
    counts = tallies.count_kinds([*events, *events[:10]])
    assert len(counts) == tallies.MAX_KINDS + 1
    assert counts["x||code-0"] == 2
    assert counts[tallies.OTHER] == 5


def test_what_a_database_refuses_is_no_part_of_a_kinds_name() -> None:
    assert tallies.name_of("a\x00b\ud800c|" + "d" * 200) == "abc|" + "d" * (tallies.MAX_KIND_NAME - 4)


def test_the_newest_policy_of_the_champion_decides_what_is_flagged(model: ModelVersion) -> None:
    source = make_source()
    AlertPolicy.objects.create(created_by="ann", wishes={}, model_version=model, threshold=10.0)
    AlertPolicy.objects.create(created_by="ann", wishes={}, model_version=model, threshold=3.0)
    make_batch(source, "x" * 3, "x" * 4, "x" * 31)
    pipeline.process_pass("test")
    flags = Event.objects.order_by("id").values_list("flagged", flat=True)
    assert list(flags) == [False, True, True]
    assert ScoreTally.objects.get().flagged == 2


def test_a_policy_for_another_version_changes_nothing(model: ModelVersion) -> None:
    other = ModelVersion.objects.create(version="v0", detector="length", artefact_sha256="0", trained_at=timezone.now())
    AlertPolicy.objects.create(created_by="ann", wishes={}, model_version=other, threshold=0.0)
    make_batch(make_source(), "x" * 4, "x" * 31)
    pipeline.process_pass("test")
    assert list(Event.objects.order_by("id").values_list("flagged", flat=True)) == [False, True]
