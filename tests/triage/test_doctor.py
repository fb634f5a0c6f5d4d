"""Doctor: every failing line carries its fix, and one failure is enough for exit status 1."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from tests.factories import make_batch, make_source
from tests.triage.versions import spoil, store_version
from triage import champion, hooks
from triage.management import diagnosis
from triage.models import BatchStatus, ModelStatus, ModelVersion, WorkerHeartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    champion.forget()


def beat(*roles: str) -> None:
    for role in roles:
        WorkerHeartbeat.objects.create(name=f"host:{role}-0", role=role, seen_at=timezone.now())


def run() -> tuple[int, list[str]]:
    out = StringIO()
    try:
        call_command("doctor", stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_a_healthy_deployment_has_no_failing_line() -> None:
    beat("pipeline", "explain", "learn")
    status, lines = run()
    assert status == 0
    assert [line[:5] for line in lines] == ["ok   "] * (len(diagnosis.CHECKS) + len(hooks.findings()))
    assert "ok   audit trail: 0 entries sealed, 0 wait for their seal" in lines
    assert "ok   champion: learning: 0 of 5,000 events" in lines


def test_missing_workers_fail_with_their_fix() -> None:
    beat("learn")
    status, lines = run()
    assert status == 1
    place = lines.index("FAIL workers: none alive for: explain, pipeline")
    assert lines[place + 1] == "     fix: Start them with: manage.py up"


def test_a_refused_champion_fails_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    beat("pipeline", "explain", "learn")
    ModelVersion.objects.create(
        version="20260101-000000-gone", detector="baseline_forest", status=ModelStatus.CHAMPION,
        artefact_sha256="0" * 64, trained_at=timezone.now(),
    )  # fmt: skip
    status, lines = run()
    assert status == 1
    (failing,) = [line for line in lines if line.startswith("FAIL")]
    assert failing.startswith("FAIL champion: champion 20260101-000000-gone is refused: ")
    assert "     fix: Run: manage.py rollback, or manage.py train" in lines


def test_what_serves_instead_of_a_refused_champion_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path)
    beat("pipeline", "explain", "learn")
    store_version(tmp_path, "v1", status="retired")
    store_version(tmp_path, "v2", status="champion")
    spoil(tmp_path, "v2")
    status, lines = run()
    assert status == 1
    (failing,) = [line for line in lines if line.startswith("FAIL")]
    assert failing.startswith("FAIL champion: champion v2 is refused: version v2 has been changed: ")
    assert failing.endswith("; version v1 goes on serving")
    champion.forget()


def test_quarantine_is_not_overlooked() -> None:
    beat("pipeline", "explain", "learn")
    make_batch(make_source(), "a", "b", status=BatchStatus.QUARANTINED)
    status, lines = run()
    assert status == 1
    assert "FAIL backlog: 0 records waiting, 2 in quarantine" in lines


def test_open_hosts_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    beat("pipeline", "explain", "learn")
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["*"])
    status, lines = run()
    assert status == 1
    assert "FAIL hosts: *" in lines


def test_an_unreachable_llm_fails_but_names_what_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LLM_BASE_URL", "http://127.0.0.1:9/v1")
    finding = diagnosis.llm()
    assert finding.healthy is False
    assert finding.fix == "Check LLM_BASE_URL and LLM_API_KEY; alerts keep their evidence text."
