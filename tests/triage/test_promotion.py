"""Which version serves: by a person, back again, refused, and two who decide at once."""

import json
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from alerts.models import AuditEntry
from tests.triage.versions import spoil, store_version
from triage import champion, hooks, promotion, shadow
from triage.hooks import ChampionChange, Decider
from triage.models import ModelStatus, ModelVersion
from triage.registry import artefact
from triage.registry.sealed import ArtefactError

pytestmark = pytest.mark.django_db
DANA = Decider("dana")


@pytest.fixture(autouse=True)
def models_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    champion.forget()
    shadow.forget()
    yield tmp_path
    champion.forget()
    shadow.forget()


def statuses() -> dict[str, str]:
    return dict(ModelVersion.objects.order_by("version").values_list("version", "status"))


def serving() -> str | None:
    now = champion.current()
    return None if now is None else now.version


def audited() -> list[tuple[str, str, str, dict[str, object]]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "actor", "actor_kind", "details"))


def test_a_candidate_promoted_by_a_person_serves_and_is_written_down_once(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="champion")
    model = store_version(models_dir, "v2", decision="In shadow beside v1.")
    assert promotion.promote(model, by=DANA, words="Promoted by dana.", expected="v1") is True
    assert statuses() == {"v1": "retired", "v2": "champion"}
    assert serving() == "v2"
    assert model.status == ModelStatus.CHAMPION
    assert model.decision == "Promoted by dana. Before: In shadow beside v1."
    assert "shadow" not in ModelVersion.objects.get(version="v2").metrics
    details = {"version": "v2", "previous": "v1", "reason": "Promoted by dana."}
    assert audited() == [("promote_model", "dana", "person", details)]


def test_the_champion_is_not_promoted_again(models_dir: Path) -> None:
    model = store_version(models_dir, "v1", status="champion")
    before = ModelVersion.objects.get().promoted_at
    assert promotion.promote(model, by=DANA, words="again") is False
    assert ModelVersion.objects.get().promoted_at == before
    assert audited() == []


def test_somebody_who_saw_another_champion_changes_nothing(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="champion")
    model = store_version(models_dir, "v2")
    with pytest.raises(promotion.StaleChampionError, match="the champion is v1 now, not none"):
        promotion.promote(model, by=DANA, words="", expected="")
    with pytest.raises(promotion.StaleChampionError, match="the champion is v1 now, not v0"):
        promotion.promote(model, by=DANA, words="", expected="v0")
    assert statuses() == {"v1": "champion", "v2": "candidate"}
    assert audited() == []


def test_rollback_goes_back_one_by_one_and_never_to_what_was_rolled_back(models_dir: Path) -> None:
    for number, status in ((1, "retired"), (2, "retired"), (3, "champion")):
        store_version(models_dir, f"v{number}", status=status, minutes_ago=10 - number)
    assert promotion.rollback(by=DANA, expected="v3").version == "v2"
    assert statuses() == {"v1": "retired", "v2": "champion", "v3": "rejected"}
    assert ModelVersion.objects.get(version="v3").decision.startswith("Rolled back by dana on ")
    assert promotion.rollback(by=DANA).version == "v1"
    assert statuses() == {"v1": "champion", "v2": "rejected", "v3": "rejected"}
    assert serving() == "v1"
    with pytest.raises(promotion.NothingEarlierError):
        promotion.rollback(by=DANA)
    assert [(action, details["version"], details["previous"]) for action, _, _, details in audited()] == [
        ("rollback_model", "v2", "v3"), ("rollback_model", "v1", "v2"),
    ]  # fmt: skip


def test_what_a_listener_raises_undoes_the_change(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(change: ChampionChange) -> None:
        raise RuntimeError("the audit trail is away")

    store_version(models_dir, "v1", status="champion")
    model = store_version(models_dir, "v2")
    monkeypatch.setattr(hooks, "_listeners", [refuse])
    with pytest.raises(RuntimeError, match="audit trail"):
        promotion.promote(model, by=DANA, words="")
    assert statuses() == {"v1": "champion", "v2": "candidate"}


def test_the_commands_change_the_champion_and_are_audited(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="champion")
    store_version(models_dir, "v2", status="rejected", decision="Refused after running in shadow.")
    call_command("promote", "v2", stdout=(out := StringIO()))
    assert out.getvalue() == "champion v2\n"
    call_command("promote", "v2", stdout=(out := StringIO()))
    assert out.getvalue() == "champion v2 (as before)\n"
    call_command("rollback", stdout=(out := StringIO()))
    assert out.getvalue() == "champion v1\n"
    assert [(action, kind, details["version"]) for action, _, kind, details in audited()] == [
        ("promote_model", "person", "v2"), ("rollback_model", "person", "v1"),
    ]  # fmt: skip
    assert all(actor.endswith(" (manage.py)") for _, actor, _, _ in audited())


def tampered(folder: Path) -> None:
    spoil(folder, "v2")


def truncated(folder: Path) -> None:
    path = folder / "v2" / "pipeline.skops"
    path.write_bytes(path.read_bytes()[:1000])


def swapped(folder: Path) -> None:
    (folder / "v2").rename(folder / "aside")
    (folder / "v1").rename(folder / "v2")
    (folder / "aside").rename(folder / "v1")


def too_new(folder: Path) -> None:
    path = folder / "v2" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": artefact.FORMAT + 1}))


def gone(folder: Path) -> None:
    (folder / "v2" / "pipeline.skops").unlink()


REFUSALS = [
    (tampered, "version v2 has been changed: its sha256 is"),
    (truncated, "version v2 has been changed: its sha256 is"),
    (swapped, "the manifest in folder v2 is that of 'v1'"),
    (too_new, "version v2 has format 2; this Winnow reads up to 1: upgrade it"),
    (gone, "v2/pipeline.skops cannot be read: No such file"),
]


@pytest.mark.parametrize(("damage", "words"), REFUSALS)
def test_what_is_refused_is_not_promoted_and_the_champion_goes_on(models_dir: Path, damage: object, words: str) -> None:
    store_version(models_dir, "v0", status="champion")
    store_version(models_dir, "v1", status="retired")
    model = store_version(models_dir, "v2")
    damage(models_dir)  # type: ignore[operator]
    with pytest.raises(ArtefactError, match=words.replace(".", r"\.")):
        promotion.promote(model, by=DANA, words="")
    with pytest.raises(CommandError, match="v2 is refused, the champion goes on serving: "):
        call_command("promote", "v2")
    assert statuses() == {"v0": "champion", "v1": "retired", "v2": "candidate"}
    assert serving() == "v0"
    assert audited() == []


@pytest.mark.parametrize(("damage", "words"), [row for row in REFUSALS if row[0] is not swapped])
def test_a_process_that_starts_beside_a_refused_champion_serves_the_one_before(
    models_dir: Path, damage: object, words: str
) -> None:
    store_version(models_dir, "v0", status="retired", minutes_ago=30)
    store_version(models_dir, "v1", status="retired", minutes_ago=20)
    store_version(models_dir, "v2", status="champion")
    damage(models_dir)  # type: ignore[operator]
    assert serving() == "v1"
    assert champion.problem().startswith(f"champion v2 is refused: {words}")
    assert champion.problem().endswith("; version v1 goes on serving")


def test_of_the_earlier_ones_the_newest_that_opens_serves(models_dir: Path) -> None:
    store_version(models_dir, "v0", status="retired", minutes_ago=30)
    store_version(models_dir, "v1", status="retired", minutes_ago=20)
    store_version(models_dir, "v2", status="champion")
    spoil(models_dir, "v1")
    spoil(models_dir, "v2")
    assert serving() == "v0"


def test_where_none_opens_nothing_serves_and_that_is_said(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="rejected")
    store_version(models_dir, "v2", status="champion")
    spoil(models_dir, "v2")
    assert serving() is None
    assert champion.problem().endswith("; no earlier version opens: events stay unscored")


def test_a_champion_whose_file_is_put_back_is_taken_up_again(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_version(models_dir, "v1", status="retired")
    store_version(models_dir, "v2", status="champion")
    spoil(models_dir, "v2")
    assert serving() == "v1"
    spoil(models_dir, "v2")  # the same bit once more: as it was
    champion._serving.checked_at = 0.0
    assert serving() == "v1"
    monkeypatch.setattr(champion, "RETRY_SECONDS", 0.0)
    champion._serving.checked_at = 0.0
    assert (serving(), champion.problem()) == ("v2", "")


def test_rolling_back_from_a_refused_champion_ends_the_problem(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="retired")
    store_version(models_dir, "v2", status="champion")
    spoil(models_dir, "v2")
    assert champion.current() is not None
    kept = champion._serving.champion
    ModelVersion.objects.filter(version="v2").update(status="rejected")
    ModelVersion.objects.filter(version="v1").update(status="champion")
    champion._serving.checked_at = 0.0
    assert champion.current() is kept
    assert champion.problem() == ""


@pytest.mark.parametrize("state", [{}, {"baseline": 1}, {"usual": "x"}])
def test_a_state_of_another_kind_of_model_is_refused_and_breaks_nothing(
    models_dir: Path, state: dict[str, object]
) -> None:
    sha256 = artefact.save(models_dir, "odd", state, {})
    row = store_version(models_dir, "v1", status="retired")
    ModelVersion.objects.create(
        version="odd", detector="baseline_forest", artefact_sha256=sha256, status="champion", trained_at=row.trained_at
    )
    assert serving() == "v1"
    assert "version odd does not fit this Winnow: " in champion.problem()


def test_a_detector_nobody_knows_is_refused(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="retired")
    store_version(models_dir, "v2", status="champion")
    ModelVersion.objects.filter(version="v2").update(detector="of_tomorrow")
    assert serving() == "v1"
    assert "PluginError: there is no detector 'of_tomorrow'" in champion.problem()


@pytest.mark.django_db(transaction=True)
def test_two_people_who_promote_at_once_promote_once(models_dir: Path) -> None:
    store_version(models_dir, "v1", status="champion")
    rivals = [store_version(models_dir, name) for name in ("v2", "v3")]
    barrier = threading.Barrier(2)
    ended: list[str] = []

    def decide(model: ModelVersion) -> None:
        barrier.wait(10)
        try:
            promotion.promote(model, by=Decider(model.version), words="by hand", expected="v1")
            ended.append("promoted")
        except promotion.StaleChampionError:
            ended.append("stale")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(model,)) for model in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ended) == ["promoted", "stale"]
    assert sorted(statuses().values()) == ["candidate", "champion", "retired"]
    assert AuditEntry.objects.count() == 1
