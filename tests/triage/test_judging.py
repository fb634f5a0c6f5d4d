"""The candidate in shadow is looked at, and what the gate says is done: once, whoever asks."""

import datetime as dt
import json
import threading
from collections.abc import Iterator, Sequence
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from alerts.models import AlertEvent, AuditEntry, Verdict
from alerts.selectors import labels
from tests.alerts.rows import make_alert
from tests.factories import make_batch, make_source
from triage import champion, hooks, judging, pipeline, promotion, shadow, shadow_figures, state, tasks, training
from triage.celery import app
from triage.contracts import ParsedEvent, Reason
from triage.detectors.base import Examined
from triage.models import ModelVersion, ShadowTally, Source, User, event_id
from triage.registry.sealed import ArtefactError
from triage.shadow_figures import Shadowed

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
FLAG_RATE = {"value": 0.01, "n": 1000, "low": 0.005, "high": 0.018}


class Words:
    """Flags messages with one of its words."""

    name = "words"

    def __init__(self, *words: str) -> None:
        self.words = words

    def examine(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        scores = np.array([float(any(word in event.message for word in self.words)) for event in events])
        return Examined(scores, 1.0 - scores / 2, np.zeros((len(events), 1)), ("word",))

    def flag(self, scores: np.ndarray, p_values: np.ndarray) -> np.ndarray:
        return scores > 0.5

    def explain(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> list[tuple[Reason, ...]]:
        return [() for _ in events]


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Words]]:
    detectors = {"v1": Words("attack", "noise"), "v2": Words("attack"), "v3": Words("attack")}

    def load(row: ModelVersion) -> champion.Champion:
        if row.version not in detectors:
            raise ArtefactError(f"version {row.version} has been changed")
        return champion.Champion(row.pk, row.version, detectors[row.version])  # type: ignore[arg-type]

    monkeypatch.setattr(champion, "load", load)
    champion.forget()
    shadow.forget()
    yield detectors
    champion.forget()
    shadow.forget()


def enter(version: str, status: str, *, days_ago: float = 0.5, **fields: object) -> ModelVersion:
    metrics = {
        "alert_budget": 0.01, "n_calibration": 400, "flag_rate": FLAG_RATE, "p_value_validity": [],
        "gate": "within its budget on newer events",
    }  # fmt: skip
    return ModelVersion.objects.create(
        version=version, detector="words", status=status, artefact_sha256="0", metrics=metrics,
        trained_at=NOW - dt.timedelta(days=days_ago), **fields,
    )  # fmt: skip


@pytest.fixture
def pair() -> tuple[ModelVersion, ModelVersion]:
    return enter("v1", "champion", days_ago=2), enter("v2", "candidate")


def shadowed(candidate: ModelVersion, serving: ModelVersion, *, minutes: int = 60, events: int = 70, **counts: int):
    """Store figures as passes would have: so many minutes of so many events."""
    usual = {"both": 1, "only_candidate": 0, "only_champion": 1, "p_01": 1, "p_05": 4, "p_10": 7, "p_50": 35}
    for minute in range(minutes):
        shadow_figures.add([Shadowed(candidate.pk, serving.pk, 1_000 + minute, events, **(usual | counts))])


def statuses() -> dict[str, str]:
    return dict(ModelVersion.objects.order_by("version").values_list("version", "status"))


def test_nothing_is_due_before_enough_was_seen(pair: tuple[ModelVersion, ModelVersion]) -> None:
    candidate, serving = pair[1], pair[0]
    assert judging.is_due(NOW) is False
    shadowed(candidate, serving, minutes=59, events=500)
    assert judging.is_due(NOW) is False
    assert judging.judge_shadow(NOW) is None
    shadowed(candidate, serving, minutes=60, events=1)
    assert judging.is_due(NOW) is True


def test_a_good_candidate_is_promoted_by_the_gate_in_words(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], pair[0])
    decision = judging.judge_shadow(NOW)
    assert decision is not None
    assert decision.verdict == "promote"
    assert statuses() == {"v1": "retired", "v2": "champion"}
    row = ModelVersion.objects.get(version="v2")
    assert row.decision == f"{decision.reason} On held-back history: within its budget on newer events."
    assert row.metrics["shadow"]["pair"] == {"both": 60, "only_first": 0, "only_second": 60, "neither": 4_080}
    assert row.metrics["shadow"]["champion"] == "v1"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.actor_kind) == ("promote_model", "gate", "automation")
    assert entry.details["reason"] == row.decision
    assert champion.current().version == "v2"  # type: ignore[union-attr]
    assert judging.judge_shadow(NOW) is None


def test_a_bad_candidate_is_rejected_and_the_champion_goes_on(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], pair[0], only_candidate=7)
    assert judging.judge_shadow(NOW).verdict == "reject"  # type: ignore[union-attr]
    assert statuses() == {"v1": "champion", "v2": "rejected"}
    assert ModelVersion.objects.get(version="v2").decision.startswith("Refused after running in shadow.")
    assert AuditEntry.objects.count() == 0


def test_one_that_waits_is_looked_at_again_when_its_events_have_doubled(
    pair: tuple[ModelVersion, ModelVersion],
) -> None:
    shadowed(pair[1], pair[0], only_candidate=2)
    assert judging.judge_shadow(NOW).verdict == "wait"  # type: ignore[union-attr]
    row = ModelVersion.objects.get(version="v2")
    assert (row.status, row.metrics["shadow"]["events"]) == ("candidate", 4_200)
    assert row.decision.startswith("Still in shadow: the figures do not decide yet.")
    assert judging.is_due(NOW) is False
    shadowed(pair[1], pair[0], events=69)
    assert judging.is_due(NOW) is False
    shadowed(pair[1], pair[0], events=1)
    assert judging.is_due(NOW) is True


def test_after_a_week_people_decide_and_no_more_is_spent(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], pair[0], only_candidate=2)
    late = NOW + dt.timedelta(days=7)
    assert judging.is_running(NOW) is True
    assert judging.is_running(late) is False
    assert judging.judge_shadow(late).verdict == "undecided"  # type: ignore[union-attr]
    assert statuses() == {"v1": "champion", "v2": "candidate"}
    assert shadow.in_shadow() is None
    assert judging.is_due(late) is False
    promotion.promote(ModelVersion.objects.get(version="v2"), by=hooks.Decider("dana"), words="Promoted by dana.")
    assert ModelVersion.objects.get(version="v2").decision.startswith("Promoted by dana. Before: Undecided: ")


def test_figures_beside_another_champion_do_not_count(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], enter("v0", "retired", days_ago=9))
    assert judging.is_due(NOW) is False


def test_where_nothing_serves_any_more_the_candidate_does(
    pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Words]
) -> None:
    del loaded["v1"]
    assert judging.is_due(NOW) is True
    assert judging.judge_shadow(NOW) is None
    assert statuses() == {"v1": "retired", "v2": "champion"}
    assert ModelVersion.objects.get(version="v2").decision.startswith("first model: ")


def test_where_nothing_serves_a_candidate_that_floods_does_not_either(
    pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Words]
) -> None:
    del loaded["v1"]
    row = pair[1]
    row.metrics["flag_rate"] = {"value": 0.5, "n": 1000, "low": 0.47, "high": 0.53}
    row.save()
    assert judging.judge_shadow(NOW) is None
    assert statuses() == {"v1": "champion", "v2": "rejected"}
    assert ModelVersion.objects.get(version="v2").decision.startswith("flags too much: ")
    assert judging.is_due(NOW) is False


def test_a_candidate_refused_at_the_last_moment_is_rejected(
    pair: tuple[ModelVersion, ModelVersion], loaded: dict[str, Words]
) -> None:
    shadowed(pair[1], pair[0])
    del loaded["v2"]
    assert judging.judge_shadow(NOW).verdict == "promote"  # type: ignore[union-attr]
    assert statuses() == {"v1": "champion", "v2": "rejected"}
    words = ModelVersion.objects.get(version="v2").decision
    assert words == "Refused when it was to be promoted: version v2 has been changed."
    assert AuditEntry.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_judge_at_once_promote_once(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], pair[0])
    barrier = threading.Barrier(2)
    broke: list[Exception] = []

    def judge() -> None:
        barrier.wait(10)
        try:
            judging.judge_shadow(NOW)
        except Exception as error:
            broke.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=judge) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert broke == []
    assert statuses() == {"v1": "retired", "v2": "champion"}
    assert AuditEntry.objects.count() == 1


def test_a_decision_somebody_made_meanwhile_stands(
    pair: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    shadowed(pair[1], pair[0])

    def rejected_meanwhile(*_: object) -> object:
        ModelVersion.objects.filter(version="v2").update(status="rejected", decision="by hand")
        return judging.LabelledPair()

    monkeypatch.setattr(judging, "labelled_since", rejected_meanwhile)
    judging.judge_shadow(NOW)
    assert statuses() == {"v1": "champion", "v2": "rejected"}
    assert ModelVersion.objects.get(version="v2").decision == "by hand"


# What people decided


@pytest.fixture
def source() -> Source:
    return make_source()


def decided(source: Source, alice: User, value: str, *messages: str, later: bool = True) -> None:
    """Store an alert about these messages with a person's verdict; received after the training, or before."""
    received = NOW - dt.timedelta(hours=1 if later else 48)
    batch = make_batch(source, *messages, received_at=received)
    alert = make_alert(source)
    for position, _ in enumerate(messages):
        identifier = event_id(batch.pk, position)
        AlertEvent.objects.create(alert=alert, event_id=identifier, timestamp=received, score=float(position))
    Verdict.objects.create(alert=alert, value=value, decided_by="person", user=alice)


def test_an_alert_is_labelled_by_its_most_unusual_event(source: Source, alice: User) -> None:
    decided(source, alice, "tp_impact", "one", "two", "three")
    decided(source, alice, "undetermined", "four")
    batch = source.batches.order_by("id").first()
    assert labels.event_labels() == {event_id(batch.pk, 2): 1}
    assert hooks.labels() == labels.event_labels()


def test_both_models_score_what_was_decided_after_the_training(
    pair: tuple[ModelVersion, ModelVersion], source: Source, alice: User
) -> None:
    decided(source, alice, "tp_impact", "an attack")
    decided(source, alice, "tp_no_impact", "noise, and confirmed")
    decided(source, alice, "fp_logic", "noise")
    decided(source, alice, "fp_data", "nothing at all")
    decided(source, alice, "tp_impact", "an attack of old", later=False)
    found = judging.labelled_since(pair[1], champion.current())  # type: ignore[arg-type]
    assert found.confirmed == judging.Paired(both=1, only_second=1)
    assert found.false_alarms == judging.Paired(only_second=1, neither=1)


def test_a_candidate_that_misses_confirmed_alerts_is_not_promoted(
    pair: tuple[ModelVersion, ModelVersion], source: Source, alice: User
) -> None:
    shadowed(pair[1], pair[0])
    for _ in range(6):
        decided(source, alice, "tp_impact", "noise, and confirmed")
    assert judging.judge_shadow(NOW).verdict == "reject"  # type: ignore[union-attr]
    row = ModelVersion.objects.get(version="v2")
    assert "Of 6 alerts that people confirmed since its training the candidate flags 0" in row.decision
    assert row.metrics["shadow"]["confirmed"] == {"both": 0, "only_first": 0, "only_second": 6, "neither": 0}
    assert statuses()["v1"] == "champion"


# Where it is called from


def test_the_nightly_training_does_not_displace_a_candidate_with_time_left(
    pair: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(training, "learn", lambda reason: asked.append(reason) or pair[1])
    monkeypatch.setattr(tasks.current_app, "send_task", lambda *_, **__: None)
    ModelVersion.objects.filter(version="v2").update(trained_at=timezone.now())
    assert tasks.learn("daily") == "a candidate is in shadow and has time left; it is not displaced"
    tasks.learn("asked for")
    ModelVersion.objects.filter(version="v2").update(trained_at=timezone.now() - dt.timedelta(days=8))
    tasks.learn("daily")
    assert asked == ["asked for", "daily"]


def test_the_task_says_what_was_decided(pair: tuple[ModelVersion, ModelVersion]) -> None:
    assert tasks.judge_shadow() == "nothing to judge yet"
    ModelVersion.objects.filter(version="v2").update(trained_at=timezone.now())
    shadowed(pair[1], pair[0])
    assert tasks.judge_shadow().startswith("promote: Promoted after running in shadow.")


def test_the_sweep_has_a_candidate_judged_in_the_learn_queue_once_it_is_due(
    pair: tuple[ModelVersion, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(tasks.current_app, "send_task", lambda name, **_: sent.append(name))
    monkeypatch.setattr(state, "ring", lambda _: True)
    ModelVersion.objects.filter(version="v2").update(trained_at=timezone.now())
    tasks.sweep()
    assert tasks.judge_shadow.name not in sent
    shadowed(pair[1], pair[0])
    tasks.sweep()
    assert sent.count(tasks.judge_shadow.name) == 1
    assert app.conf.task_routes[tasks.judge_shadow.name] == {"queue": "learn"}


def test_models_lists_the_figures_of_the_shadow(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], pair[0], minutes=3)
    call_command("models", "--json", stdout=(out := StringIO()))
    found = {row["version"]: row for row in json.loads(out.getvalue())}
    assert found["v1"]["shadow"] is None
    assert (found["v2"]["shadow"]["events"], found["v2"]["shadow"]["minutes"]) == (210, 3)
    assert found["v2"]["shadow"]["pair"]["only_second"] == 3


def test_a_superseded_candidate_keeps_its_sums_and_its_minutes_go(pair: tuple[ModelVersion, ModelVersion]) -> None:
    shadowed(pair[1], pair[0], minutes=3)
    newer = enter("v3", "candidate", days_ago=0)
    assert promotion.supersede(newer) == 1
    shadow_figures.forget_decided()
    assert ModelVersion.objects.get(version="v2").metrics["shadow"]["events"] == 210
    assert (statuses(), ShadowTally.objects.count()) == ({"v1": "champion", "v2": "rejected", "v3": "candidate"}, 0)


def test_a_pass_after_promotion_is_scored_by_the_new_version(
    pair: tuple[ModelVersion, ModelVersion], source: Source
) -> None:
    shadowed(pair[1], pair[0])
    judging.judge_shadow(NOW)
    batch = make_batch(source, "noise")
    assert pipeline.process_pass("test") == 1
    batch.refresh_from_db()
    assert (batch.model_version, batch.flagged_count) == (pair[1], 0)
