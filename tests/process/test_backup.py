"""A backup restores into a fresh installation in which an old alert is scored again bit for bit."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import ROOT, Deployment, environment_for, own_database
from tests.process.test_up import ODD, USUAL

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]
KEYS = {"SECRET_KEY": secrets.token_urlsafe(40), "AUDIT_KEY": secrets.token_urlsafe(40)}
COUNTS = """{"events": Event.objects.count(), "alerts": Alert.objects.count(), "users": User.objects.count(),
"explanations": Explanation.objects.count(), "versions": ModelVersion.objects.count(),
"entries": AuditEntry.objects.count(), "batches": RawBatch.objects.count()}"""

LAST_ENTRIES = "list(AuditEntry.objects.order_by('id').values_list('action', flat=True))[-2:]"


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)


def asked(environment: dict[str, str], expression: str) -> dict[str, int]:
    code = f"import json; from triage.models import *; from alerts.models import *; print(json.dumps({expression}))"
    done = manage(environment, "shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def with_an_alert(winnow: Deployment) -> int:
    assert winnow.post([{"event": line} for line in USUAL]) == 200
    winnow.manage("drain", "--timeout", "60")
    deadline = time.monotonic() + 60
    while winnow.query("ModelVersion.objects.filter(status='champion').count()") != 1:
        assert time.monotonic() < deadline
    time.sleep(1.5)
    assert winnow.post([{"event": ODD}]) == 200
    winnow.manage("drain", "--timeout", "60")
    return winnow.query("AlertEvent.objects.get(event_id=Event.objects.get(source_ip='203.0.113.77').pk).alert_id")


def test_a_backup_of_a_running_installation_restores_and_replays(
    deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    winnow = deploy(LEARN_MIN_EVENTS="500", **KEYS)
    alert = with_an_alert(winnow)
    replayed = json.loads(winnow.manage("replay", str(alert), "--json"))
    assert replayed["identical"] is True
    backup = tmp_path / "backup"
    said = winnow.manage("backup", str(backup))  # while it runs
    assert said.splitlines()[-1] == str(backup)
    counts = winnow.query(COUNTS)
    assert counts["alerts"] >= 1
    assert winnow.stop() == 0

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    with own_database() as database:
        environment = environment_for(fresh, database, **KEYS)
        changed = tmp_path / "changed"
        shutil.copytree(backup, changed)
        victim = next(path for path in sorted(changed.rglob("*")) if path.suffix in {".zst", ".sqlite3"})
        with victim.open("r+b") as file:
            file.seek(victim.stat().st_size // 2)
            file.write(os.urandom(4))
        refused = manage(environment, "restore", str(changed))
        assert refused.returncode == 1
        assert f"{victim.relative_to(changed)} was changed" in refused.stderr

        done = manage(environment, "restore", str(backup))
        assert done.returncode == 0, done.stderr
        counts["entries"] += 1
        assert asked(environment, COUNTS) == counts
        assert asked(environment, LAST_ENTRIES) == ["backup.made", "backup.restored"]
        again = manage(environment, "replay", str(alert), "--json")
        assert json.loads(again.stdout) == replayed
        trail = manage(environment, "verify_audit")
        assert trail.returncode == 0, trail.stdout
        assert manage(environment, "migrate", "--check").returncode == 0
        assert manage(environment, "create_source", "another").returncode == 0  # ids go on where they were
        counts["entries"] += 1

        twice = manage(environment, "restore", str(backup))
        assert twice.returncode == 1
        assert "this installation is in use" in twice.stderr
        assert asked(environment, COUNTS) == counts  # nothing was written
    assert (
        manage(environment_for(fresh, {}, **KEYS), "backup", str(backup))
        .stderr.strip()
        .endswith("is not empty; each backup has a directory of its own")
    )
