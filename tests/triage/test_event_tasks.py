"""The event side's Celery tasks, doorbells and heartbeats."""

import datetime as dt
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.utils import timezone

from tests.factories import make_batch, make_source
from triage import champion, heartbeat, state, store, tasks, training
from triage.models import BatchStatus, Event, LearnState, RawBatch, WorkerHeartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were sent to the broker."""
    names: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: names.append(name))
    for bell in ("pipeline", "group", "unscored", "learn"):
        state.answer(bell)
    return names


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champion, "current", lambda: None)


def test_a_doorbell_rings_once_until_it_is_answered() -> None:
    state.answer("test")
    assert [state.ring("test"), state.ring("test")] == [True, False]
    state.answer("test")
    assert state.ring("test") is True
    state.answer("test")


def test_a_doorbell_nobody_answered_rings_again_after_a_while(tmp_path: Path) -> None:
    if settings.REDIS_URL:
        pytest.skip("Redis lets the key run out by itself")
    import os

    state.answer("stale")
    assert state.ring("stale") is True
    bell = Path(settings.DATA_DIR) / "doorbell" / "stale.rung"
    os.utime(bell, (0, 0))
    assert state.ring("stale") is True
    assert state.ring("stale") is False
    state.answer("stale")


def test_processing_drains_everything_that_waits(sent: list[str], learning: None) -> None:
    source = make_source()
    for number in range(5):
        make_batch(source, f"a{number}", f"b{number}")

    assert tasks.process_pending() == 10

    assert Event.objects.count() == 10
    assert sent == []


def test_the_sweep_finds_work_whose_wake_up_was_lost(sent: list[str]) -> None:
    tasks.sweep()
    assert sent == [tasks.EXPLAIN]
    make_batch(make_source(), "lost")

    tasks.sweep()

    assert sent == [tasks.EXPLAIN, tasks.process_pending.name, tasks.EXPLAIN]


def test_the_sweep_starts_the_first_training_when_enough_came_in(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LEARN_MIN_EVENTS", 3)
    source = make_source()
    make_batch(source, "a", "b", status=BatchStatus.DONE, event_count=2)
    tasks.sweep()
    assert tasks.learn.name not in sent
    make_batch(source, "c", status=BatchStatus.DONE, event_count=1)

    tasks.sweep()

    assert sent.count(tasks.learn.name) == 1


def test_learning_with_too_little_history_says_so_and_makes_no_model(sent: list[str]) -> None:
    make_batch(make_source(), "a", status=BatchStatus.DONE, event_count=1)
    assert tasks.learn("asked for") == "not enough history: 1 of 5000 events"
    assert LearnState.objects.get().phase == "failed"
    assert sent == []


def test_a_broker_that_is_gone_loses_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(current_app, "send_task", broken)
    state.answer("pipeline")
    make_batch(make_source(), "kept")

    tasks.send("pipeline", tasks.process_pending.name)

    assert store.backlog_records() == 1


def test_a_worker_that_starts_frees_its_predecessors_batches_and_beats() -> None:
    make_batch(make_source(), "held")
    store.claim("host:pipeline-0", 10)

    heartbeat.start("host:pipeline-0", "pipeline").set()

    assert RawBatch.objects.get().status == BatchStatus.RECEIVED
    assert WorkerHeartbeat.objects.get().role == "pipeline"
    heartbeat.stop_and_forget("host:pipeline-0")
    assert not WorkerHeartbeat.objects.exists()


def test_retention_runs_on_the_configured_number_of_days() -> None:
    source = make_source()
    make_batch(source, "old", status=BatchStatus.DONE, received_at=timezone.now() - dt.timedelta(days=31))
    kept = make_batch(source, "new", status=BatchStatus.DONE, received_at=timezone.now() - dt.timedelta(days=28))
    assert tasks.expire() == 1
    assert RawBatch.objects.get() == kept


@pytest.mark.parametrize(
    ("per_day", "budget", "share"),
    [(100_000, 150, 0.0015), (1_000, 150, 0.02), (10_000_000, 150, 0.0001)],
)
def test_the_daily_budget_becomes_a_share_of_events(
    monkeypatch: pytest.MonkeyPatch, per_day: int, budget: int, share: float
) -> None:
    from triage.contracts import ParsedEvent

    monkeypatch.setattr(settings, "ALERT_BUDGET_PER_DAY", budget)
    events = [ParsedEvent(0.0, "event", "x", "", {}), ParsedEvent(86_400.0, "event", "x", "", {})]

    class Many(list[ParsedEvent]):
        def __len__(self) -> int:
            return per_day

    assert training.alert_share(Many(events)) == share
