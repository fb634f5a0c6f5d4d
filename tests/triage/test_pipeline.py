"""The straight line: claim, read, score, store."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from django.utils import timezone

from tests.factories import make_batch, make_source
from triage import backfill, champion, documents, pipeline, reading, store
from triage.contracts import ParsedEvent, Reason
from triage.detectors.base import Examined
from triage.models import BatchStatus, Event, ModelStatus, ModelVersion, RawBatch, Source, event_id

pytestmark = pytest.mark.django_db

SSH = "Nov 22 10:00:01 db-1 sshd[412]: Failed password for root from 203.0.113.9 port 4711 ssh2"


class LengthDetector:
    """A harmless twin of a real detector: the longer the message, the stranger."""

    name = "length"

    def score(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        scores = np.array([float(len(event.message)) for event in events])
        return scores, 1.0 / (1.0 + scores)

    def examine(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        scores, p_values = self.score(events)
        return Examined(scores, p_values, np.column_stack([scores, np.full(len(events), 0.5)]), ("length", "half"))

    def flag(self, scores: np.ndarray, p_values: np.ndarray) -> np.ndarray:
        return scores > 50

    def explain(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> list[tuple[Reason, ...]]:
        return [
            (Reason("length", f"message has {len(event.message)} characters", 1.0, ("message",)),) for event in events
        ]


@pytest.fixture
def source() -> Source:
    return make_source()


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> ModelVersion:
    model = ModelVersion.objects.create(
        version="v1", detector="length", status=ModelStatus.CHAMPION, artefact_sha256="0", trained_at=timezone.now()
    )
    loaded = champion.Champion(model.pk, "v1", LengthDetector())  # type: ignore[arg-type]
    monkeypatch.setattr(champion, "current", lambda: loaded)
    return model


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champion, "current", lambda: None)


def drain() -> None:
    while pipeline.process_pass("test"):
        pass


def test_a_record_becomes_an_event_with_its_fields(source: Source, learning: None) -> None:
    batch = make_batch(source, SSH)

    assert pipeline.process_pass("test") == 1

    event = Event.objects.get()
    assert event.pk == event_id(batch.pk, 0)
    assert (event.host_name, event.user_name, event.source_ip) == ("db-1", "root", "203.0.113.9")
    assert (event.event_outcome, event.entity) == ("failure", "user:root")
    assert documents.fields_of(event)["source.ip"] == "203.0.113.9"


def test_without_a_champion_scores_are_null_not_zero(source: Source, learning: None) -> None:
    make_batch(source, SSH, "x" * 400)
    drain()
    assert (
        list(Event.objects.values_list("score", "p_value", "flagged", "model_version"))
        == [(None, None, False, None)] * 2
    )
    batch = RawBatch.objects.get()
    assert (batch.status, batch.flagged_count, batch.model_version) == (BatchStatus.DONE, 0, None)


def test_with_a_champion_unusual_events_are_flagged_with_reasons(source: Source, serving: ModelVersion) -> None:
    make_batch(source, "short", "y" * 60)
    drain()
    short, long = Event.objects.order_by("id")
    assert (short.score, short.flagged, short.reasons) == (5.0, False, "")
    assert (long.score, long.flagged, long.model_version) == (60.0, True, serving)
    assert json.loads(long.reasons)[0]["text"] == "message has 60 characters"
    assert RawBatch.objects.get().flagged_count == 1


def test_many_small_batches_are_stored_in_one_pass(source: Source, learning: None) -> None:
    for number in range(30):
        make_batch(source, f"line {number}")
    assert pipeline.process_pass("test") == 30
    assert Event.objects.count() == 30
    assert pipeline.process_pass("test") == 0


def test_a_damaged_batch_goes_to_quarantine_and_does_not_stop_the_others(source: Source, learning: None) -> None:
    good = make_batch(source, "one", "two")
    bad = make_batch(source, "three", body=b"not zstd at all")
    also_good = make_batch(source, "four")

    drain()

    bad.refresh_from_db()
    assert bad.status == BatchStatus.QUARANTINED
    assert bad.reason.startswith("ZstdError: ")
    assert set(Event.objects.values_list("message", flat=True)) == {"one", "two", "four"}
    assert {row.status for row in RawBatch.objects.filter(pk__in=[good.pk, also_good.pk])} == {BatchStatus.DONE}


def test_a_quarantined_batch_can_be_replayed(source: Source, learning: None) -> None:
    batch = make_batch(source, "one", body=b"damaged")
    drain()
    assert Event.objects.count() == 0
    RawBatch.objects.filter(pk=batch.pk).update(body=reading.compress(b"one"))

    assert store.requeue(batch.pk)
    drain()

    assert list(Event.objects.values_list("message", flat=True)) == ["one"]


def test_a_body_with_another_number_of_records_than_acknowledged_is_quarantined(source: Source, learning: None) -> None:
    batch = make_batch(source, "one", "two", record_count=3)
    drain()
    batch.refresh_from_db()
    assert batch.reason == "RecordCountError: 3 records were acknowledged, 2 are in the body"
    assert Event.objects.count() == 0


def test_unknown_text_is_a_fallback_event_with_a_counted_reason(source: Source, learning: None) -> None:
    make_batch(source, "@@@ nobody knows this @@@")
    drain()
    assert Event.objects.get().message == "@@@ nobody knows this @@@"
    assert RawBatch.objects.get().discard_counts == {"unknown_format": 1}


def test_a_nul_in_the_text_is_stored_readable(source: Source, learning: None) -> None:
    make_batch(source, '{"message": "a\\u0000b", "k": "c\\u0000"}')
    drain()
    assert Event.objects.get().message == "a\ufffdb"


def test_what_came_in_before_the_first_model_is_scored_afterwards(
    source: Source, serving: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(champion, "current", lambda: None)
        make_batch(source, "short", "z" * 70)
        drain()
        assert backfill.score_some() == 0
    assert store.unscored_exist() is True

    assert backfill.score_some() == 2

    assert list(Event.objects.order_by("id").values_list("score", "flagged")) == [(5.0, False), (70.0, True)]
    assert RawBatch.objects.get().flagged_count == 1
    assert store.unscored_exist() is False
    assert backfill.score_some() == 0


def test_scoring_late_leaves_alone_what_another_worker_scored(source: Source, serving: ModelVersion) -> None:
    batch = make_batch(source, "short")
    drain()
    row = (99.0, 0.5, True, "[]", serving.pk, event_id(batch.pk, 0))
    store.write_scores([store.BatchOutcome(batch.pk, 1, 1, {}, {}, serving.pk)], [row])
    assert Event.objects.get().score == 5.0
    assert RawBatch.objects.get().flagged_count == 0
