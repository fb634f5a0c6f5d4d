"""People who promote and roll back: one audit entry, and nobody overwrites what somebody else decided."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from alerts.models import AuditEntry
from alerts.services import versions
from tests.triage.versions import spoil, store_version
from triage import champion, shadow
from triage.models import ModelVersion, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def models_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    champion.forget()
    yield tmp_path
    champion.forget()
    shadow.forget()


def statuses() -> dict[str, str]:
    return dict(ModelVersion.objects.order_by("version").values_list("version", "status"))


def test_a_lead_promotes_a_candidate_before_the_gate_has_decided(models_dir: Path, charlie: User) -> None:
    store_version(models_dir, "v1", status="champion")
    model = store_version(models_dir, "v2", decision="In shadow beside v1.")
    versions.promote_version(version_id=model.pk, user=charlie, expected_champion="v1")
    assert statuses() == {"v1": "retired", "v2": "champion"}
    assert ModelVersion.objects.get(version="v2").decision == "Promoted by charlie. Before: In shadow beside v1."
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.actor_kind) == ("promote_model", "charlie", "person")
    assert entry.details == {"version": "v2", "previous": "v1", "reason": "Promoted by charlie."}


def test_of_two_who_saw_the_same_champion_the_second_is_refused(models_dir: Path, charlie: User, dana: User) -> None:
    store_version(models_dir, "v1", status="champion")
    second, third = store_version(models_dir, "v2"), store_version(models_dir, "v3")
    versions.promote_version(version_id=second.pk, user=charlie, expected_champion="v1")
    with pytest.raises(versions.StaleVersionError, match="the champion is v2 now, not v1"):
        versions.promote_version(version_id=third.pk, user=dana, expected_champion="v1")
    with pytest.raises(versions.StaleVersionError, match="the champion is v2 now, not v1"):
        versions.roll_back(user=dana, expected_champion="v1")
    with pytest.raises(versions.StaleVersionError, match="v2 is the champion already"):
        versions.promote_version(version_id=second.pk, user=dana, expected_champion="v2")
    assert statuses() == {"v1": "retired", "v2": "champion", "v3": "candidate"}
    assert AuditEntry.objects.count() == 1


def test_a_refused_version_changes_nothing(models_dir: Path, charlie: User) -> None:
    store_version(models_dir, "v1", status="champion")
    model = store_version(models_dir, "v2")
    spoil(models_dir, "v2")
    with pytest.raises(versions.VersionRefusedError, match="v2 is refused, the champion goes on serving: "):
        versions.promote_version(version_id=model.pk, user=charlie, expected_champion="v1")
    assert statuses() == {"v1": "champion", "v2": "candidate"}
    assert AuditEntry.objects.count() == 0


def test_a_lead_rolls_back(models_dir: Path, charlie: User) -> None:
    store_version(models_dir, "v1", status="retired")
    store_version(models_dir, "v2", status="champion")
    assert versions.roll_back(user=charlie, expected_champion="v2").version == "v1"
    assert statuses() == {"v1": "champion", "v2": "rejected"}
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.details["version"]) == ("rollback_model", "charlie", "v1")
    with pytest.raises(versions.VersionRefusedError, match="there is no earlier champion to go back to"):
        versions.roll_back(user=charlie, expected_champion="v1")


def test_the_web_process_does_not_load_the_heavy_libraries_to_know_of_versions() -> None:
    import subprocess
    import sys

    code = (
        "import django, sys; django.setup()\n"
        "import alerts.views.models, alerts.selectors.versions, triage.views.health\n"
        "print(sorted({'sklearn', 'scipy', 'skops'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
