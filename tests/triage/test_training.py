"""From history to a serving model, and back: learn, gate, promote, refuse, roll back, replay."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from alerts.models import Alert, AlertEvent
from alerts.services.grouping import group_flagged
from alerts.services.replaying import ReplayError, replay
from tests.factories import make_batch, make_source
from triage import champion, learning, pipeline, store, training
from triage.models import Event, LearnState, ModelStatus, ModelVersion, RawBatch, Source
from triage.registry.artefact import ArtefactError

pytestmark = pytest.mark.django_db

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
    monkeypatch.setattr(learning, "gate", lambda *_: learning.Decision(promote=False, reason="flags too much"))

    model = training.learn("first model")

    assert (model.status, model.decision) == (ModelStatus.REJECTED, "flags too much")
    assert champion.current() is None
    assert training.first_model_is_due() is False
    LearnState.objects.update(phase="idle")
    assert training.first_model_is_due() is True


def test_a_later_model_retires_the_champion_and_rollback_brings_it_back(history: Source) -> None:
    first = training.learn("first model")
    second = training.learn("daily")
    statuses = dict(ModelVersion.objects.values_list("version", "status"))
    assert statuses == {first.version: "retired", second.version: "champion"}

    call_command("rollback", stdout=(out := StringIO()))

    assert out.getvalue() == f"champion {first.version}\n"
    assert champion.current().version == first.version  # type: ignore[union-attr]
    assert ModelVersion.objects.filter(status=ModelStatus.CHAMPION).count() == 1


def test_there_is_nothing_to_roll_back_to_before_a_second_model(history: Source) -> None:
    training.learn("first model")
    with pytest.raises(CommandError, match="no earlier champion"):
        call_command("rollback")
    assert ModelVersion.objects.get().status == ModelStatus.CHAMPION


def test_a_tampered_version_is_refused_and_the_champion_goes_on(history: Source, tmp_path: Path) -> None:
    first = training.learn("first model")
    second = training.learn("daily")
    training.promote(ModelVersion.objects.get(pk=first.pk))
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
    champion.forget()

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
        training.promote(model)


def test_events_to_learn_from_are_the_newest_in_order(history: Source) -> None:
    make_batch(history, "one", "two")
    drain()
    assert [event.message for event in training.collect_events(2)] == ["one", "two"]
    assert len(training.collect_events(10_000)) == 402
    assert store.recent_batches(2) == [RawBatch.objects.latest("id").pk]
