"""From history to a serving model: learn, gate, promote, refuse, replay."""

import hashlib
import json
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from alerts.models import Alert, AlertEvent, Verdict
from alerts.services.grouping import group_flagged
from alerts.services.replaying import ReplayError, replay
from tests.factories import make_batch, make_source
from triage import champion, judging, learning, pipeline, promotion, store, training
from triage.hooks import Decider
from triage.models import AlertPolicy, Event, LearnState, ModelStatus, ModelVersion, RawBatch, Source, User
from triage.registry.sealed import ArtefactError

pytestmark = [pytest.mark.django_db, pytest.mark.once]

LINES = [
    f"Nov 22 10:{number // 60:02d}:{number % 60:02d} srv-{number % 5} sshd[{400 + number % 9}]: Accepted publickey for "
    f"user{number % 7} from 10.0.0.{number % 20} port {40_000 + number % 50} ssh2"
    for number in range(400)
]
ODD = "Nov 22 10:09:59 srv-1 sshd[401]: Failed password for invalid user xX-oracle-Xx from 203.0.113.77 port 6 ssh2"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "LEARN_MIN_EVENTS", 300)
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    champion.forget()


@pytest.fixture
def history() -> Source:
    source = make_source()
    make_batch(source, *LINES)
    drain()
    return source


def drain() -> None:
    while pipeline.process_pass("test"):
        pass


def flagged_alert(source: Source) -> Alert:
    make_batch(source, ODD)
    drain()
    group_flagged()
    return AlertEvent.objects.get(event_id=Event.objects.get(source_ip="203.0.113.77").pk).alert


def test_the_first_model_is_promoted_and_serves(history: Source, tmp_path: Path) -> None:
    assert training.first_model_is_due() is True

    model = training.learn("first model")

    assert (model.status, model.manifest["reason"]) == (ModelStatus.CHAMPION, "first model")
    assert model.manifest["window"]["n_events"] == 400
    assert sorted(path.name for path in (tmp_path / model.version).iterdir()) == ["manifest.json", "pipeline.skops"]
    assert champion.current().version == model.version  # type: ignore[union-attr]
    assert training.first_model_is_due() is False
    assert LearnState.objects.get().phase == "idle"


def test_a_refused_first_model_does_not_serve_and_is_not_tried_again_at_once(
    history: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "gate", lambda *_, **__: learning.Decision(promote=False, reason="flags too much"))

    model = training.learn("first model")

    assert (model.status, model.decision) == (ModelStatus.REJECTED, "flags too much")
    assert champion.current() is None
    assert training.first_model_is_due() is False
    LearnState.objects.update(phase="idle")
    assert training.first_model_is_due() is True


def test_a_later_model_runs_in_shadow_and_the_champion_goes_on(history: Source) -> None:
    first = training.learn("first model")
    second = training.learn("daily")
    statuses = dict(ModelVersion.objects.values_list("version", "status"))
    assert statuses == {first.version: "champion", second.version: "candidate"}
    assert second.decision.startswith(f"In shadow beside {first.version}. On held-back history: within its budget")
    assert LearnState.objects.get().phase == "idle"


def test_a_newer_candidate_takes_the_place_of_the_one_in_shadow(history: Source) -> None:
    first, second, third = (training.learn(reason) for reason in ("first model", "daily", "daily"))
    statuses = dict(ModelVersion.objects.values_list("version", "status"))
    assert statuses == {first.version: "champion", second.version: "rejected", third.version: "candidate"}
    second.refresh_from_db()
    assert second.decision.startswith(f"Superseded by {third.version} before it was decided. Before: In shadow beside")


def test_a_first_model_whose_worker_died_before_it_was_promoted_serves_at_the_next_look(
    history: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(training, "follow_up", lambda _: None)
        model = training.learn("first model")
    assert ModelVersion.objects.get().status == ModelStatus.CANDIDATE
    now = timezone.now()
    assert judging.is_due(now) is True
    judging.judge_shadow(now)
    assert champion.current().version == model.version  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wishes", "alerts"),
    [
        ({}, 150.0),
        ({"alerts_per_day": 40}, 40.0),
        ({"alerts_per_day": 40, "hours_per_day": 3, "minutes_per_alert": 6}, 30.0),
        ({"alerts_per_day": 40, "usd_per_day": 5, "usd_per_alert": 0.5, "hours_per_day": None}, 10.0),
    ],
)
def test_a_candidate_learns_for_the_budget_people_wished_for_last(wishes: dict[str, float], alerts: float) -> None:
    model = ModelVersion.objects.create(version="v1", detector="d", artefact_sha256="0", trained_at=timezone.now())
    AlertPolicy.objects.create(created_by="dana", wishes={"alerts_per_day": 7}, model_version=model, threshold=1.0)
    AlertPolicy.objects.create(created_by="dana", wishes=wishes, model_version=model, threshold=1.0)
    assert training.alerts_per_day() == alerts


def test_progress_is_told_phase_by_phase(history: Source) -> None:
    told: list[str] = []
    seen: list[str] = []

    def progress(phase: str, detail: str) -> None:
        told.append(f"{phase}: {detail.partition(':')[0]}")
        seen.append(LearnState.objects.get().phase)

    training.learn("first model", progress)
    assert told == [
        "collecting: step 1 of 4",
        "measuring: step 2 of 4",
        "learning: step 3 of 4",
        "storing: step 4 of 4",
    ]
    assert seen == ["collecting", "measuring", "learning", "storing"]


def test_collecting_says_how_far_it_is(history: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(training.time, "monotonic", lambda: float(next(clock)))
    make_batch(history, "one", "two")
    drain()
    told: list[tuple[str, str]] = []
    training.collect_history(1_000, lambda *said: told.append(said))
    assert told == [
        ("collecting", "step 1 of 4: 400 events, 1 of 2 batches read"),
        ("collecting", "step 1 of 4: 402 events, 2 of 2 batches read"),
    ]


def test_the_manifest_says_which_labels_there_were_and_what_code_it_was(history: Source) -> None:
    model = training.learn("first model")
    nothing = hashlib.sha256().hexdigest()
    assert model.manifest["label_set"] == {
        "n": 0, "n_malicious": 0, "first_event_id": None, "last_event_id": None, "sha256": nothing,
        "learned_from": False,
    }  # fmt: skip
    assert set(model.manifest["libraries"]) == {"numpy", "scikit-learn", "scipy", "skops"}
    assert {len(digest) for digest in model.manifest["code_sha256"].values()} == {64}


def test_there_is_nothing_to_roll_back_to_before_a_second_model(history: Source) -> None:
    training.learn("first model")
    with pytest.raises(CommandError, match="no earlier champion"):
        call_command("rollback")
    assert ModelVersion.objects.get().status == ModelStatus.CHAMPION


def test_a_tampered_version_is_refused_and_the_champion_goes_on(history: Source, tmp_path: Path) -> None:
    first = training.learn("first model")
    second = training.learn("daily")
    artefact = tmp_path / second.version / "pipeline.skops"
    artefact.chmod(0o600)
    artefact.write_bytes(artefact.read_bytes()[:-1] + b"x")

    with pytest.raises(CommandError, match="is refused, the champion goes on serving"):
        call_command("promote", second.version)

    assert ModelVersion.objects.get(status=ModelStatus.CHAMPION).pk == first.pk
    assert champion.current().version == first.version  # type: ignore[union-attr]


def test_a_champion_that_is_damaged_while_serving_is_said_and_the_loaded_one_goes_on(
    history: Source, tmp_path: Path
) -> None:
    first = training.learn("first model")
    assert champion.current() is not None
    ModelVersion.objects.filter(pk=first.pk).update(status=ModelStatus.RETIRED)
    bad = ModelVersion.objects.create(
        version="20200101-000000-bad", detector=first.detector, status=ModelStatus.CHAMPION,
        artefact_sha256="0" * 64, trained_at=first.trained_at,
    )  # fmt: skip
    champion._serving.checked_at = 0.0

    assert champion.current().version == first.version  # type: ignore[union-attr]
    assert champion.problem().startswith(f"champion {bad.version} is refused: ")


def test_replay_is_bit_for_bit_across_a_retrain(history: Source) -> None:
    first = training.learn("first model")
    alert = flagged_alert(history)
    second = training.learn("daily")
    promotion.promote(second, by=Decider("dana"), words="by hand")

    call_command("replay", str(alert.pk), "--json", stdout=(out := StringIO()))

    result = json.loads(out.getvalue())
    assert result["identical"] is True
    (row,) = result["events"]
    assert (row["version"], row["champion"]) == (first.version, second.version)
    assert row["old_score"] == row["new_score"] == AlertEvent.objects.get().score
    assert row["difference"] == row["champion_score"] - row["old_score"]


def test_replay_notices_a_score_that_was_changed(history: Source) -> None:
    training.learn("first model")
    alert = flagged_alert(history)
    AlertEvent.objects.update(score=1.25)
    assert replay(alert=alert)["identical"] is False


def test_replay_says_when_the_raw_record_is_gone(history: Source) -> None:
    training.learn("first model")
    alert = flagged_alert(history)
    Event.objects.all().delete()
    RawBatch.objects.all().delete()
    with pytest.raises(ReplayError, match="past the retention period"):
        replay(alert=alert)


def test_an_artefact_error_is_what_promote_raises(history: Source, tmp_path: Path) -> None:
    model = training.learn("first model")
    (tmp_path / model.version / "pipeline.skops").unlink()
    with pytest.raises(ArtefactError):
        promotion.promote(model, by=Decider("dana"), words="by hand")


def test_events_to_learn_from_are_the_newest_in_order(history: Source) -> None:
    make_batch(history, "one", "two")
    drain()
    assert [event.message for event in training.collect_history(2).events] == ["one", "two"]
    assert len(training.collect_history(10_000).events) == 402
    assert store.recent_batches(2) == [RawBatch.objects.latest("id").pk]


def test_what_was_flagged_is_not_learned_until_a_person_finds_it_harmless(history: Source, alice: User) -> None:
    training.learn("first model")
    alert = flagged_alert(history)
    flagged = Event.objects.filter(flagged=True).count()
    odd = Event.objects.get(source_ip="203.0.113.77").pk

    found = training.collect_history(10_000)
    events, suspects = found.events, found.suspects
    assert (len(events), sum(suspects)) == (401, flagged)
    assert suspects[-1]
    assert odd in training.suspects_among(store.recent_batches(10_000))

    Verdict.objects.create(alert=alert, value="tp_impact", decided_by="person", user=alice)
    assert training.collect_history(10_000).suspects == suspects
    Verdict.objects.create(alert=alert, value="benign_tp", decided_by="automation")
    assert training.collect_history(10_000).suspects == suspects
    Verdict.objects.create(alert=alert, value="benign_tp", decided_by="person", user=alice)
    assert not training.collect_history(10_000).suspects[-1]


def test_a_person_may_let_what_was_flagged_be_learned(history: Source) -> None:
    training.learn("first model")
    flagged_alert(history)
    flagged = Event.objects.filter(flagged=True).count()
    assert training.learn("daily").manifest["window"]["n_suspects"] == flagged >= 1
    call_command("train", "--learn-flagged", stdout=StringIO(), stderr=StringIO())
    assert ModelVersion.objects.latest("id").manifest["window"]["n_suspects"] == 0
