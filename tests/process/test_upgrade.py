"""A populated database of the release before migrates while shippers send: they are told "busy", and lose nothing."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import ROOT, Deployment, environment_for, own_database

pytestmark = [pytest.mark.process, pytest.mark.second, pytest.mark.timeout(240)]

TOKEN = "wi_of-the-release-before"
#: The last migrations of that release.
BEFORE = {"triage": "0008_workspace", "alerts": "0007_fill_workspace"}
FILL = Path(__file__).with_name("release_before.py")
FILLED = {"events": 12_000, "alerts": 300, "entries": 900, "waiting": 40}


class Shipper(threading.Thread):
    """Sends one numbered record after the other, each until it is acknowledged, and keeps what it was told."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.acknowledged: list[str] = []
        self.refused: Counter[tuple[int, bool]] = Counter()
        self.finished = threading.Event()

    def run(self) -> None:
        while not self.finished.is_set():
            name = f"sent-{len(self.acknowledged)}"
            try:
                status, retry_after = self._post(name)
            except OSError:
                status, retry_after = 0, False
            if status == 200:
                self.acknowledged.append(name)
            else:
                self.refused[status, retry_after] += 1
                time.sleep(0.2)

    def _post(self, name: str) -> tuple[int, bool]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": name}
            link.request("POST", "/api/v1/ingest", json.dumps({"message": name}), headers)
            reply = link.getresponse()
            return reply.status, bool(reply.getheader("Retry-After"))
        finally:
            link.close()


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def environment(tmp_path: Path):
    with own_database() as database:
        prepared = environment_for(tmp_path, database)
        for app, name in BEFORE.items():
            manage(prepared, "migrate", app, name, "--verbosity", "0")
        for app in ("auth", "sessions"):
            manage(prepared, "migrate", app, "--verbosity", "0")
        subprocess.run(
            [sys.executable, str(FILL), TOKEN, json.dumps(FILLED)], check=True, cwd=ROOT,
            env=prepared | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        yield prepared


def test_migrating_a_populated_database_while_shippers_send(environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    web = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "process", "web", "--port", str(port)], env=environment, cwd=ROOT
    )
    shipper = Shipper(port)
    try:
        shipper.start()
        until(lambda: shipper.refused[503, True] >= 5)  # the new release, before its tables are there
        assert shipper.acknowledged == []
        manage(environment, "migrate", "--verbosity", "0")
        until(lambda: len(shipper.acknowledged) >= 50, 30)
    finally:
        shipper.finished.set()
        web.send_signal(signal.SIGTERM)
        web.wait(15)
    shipper.join(30)
    assert {status for status, _ in shipper.refused} <= {0, 503}  # not there yet, or busy: both are tried again
    assert shipper.refused[503, False] == 0

    winnow = Deployment.__new__(Deployment)
    winnow.environment, winnow.log, winnow.arguments, winnow.directory = environment, tmp_path / "log", (), ROOT
    winnow.start()
    try:
        counts = json.loads(winnow.manage("drain", "--timeout", "90"))
        assert counts["quarantined"] == 0
        stored = Counter(winnow.query("list(Event.objects.values_list('message', flat=True))"))
        assert {name: stored[name] for name in shipper.acknowledged} == dict.fromkeys(shipper.acknowledged, 1)
        assert {name: count for name, count in stored.items() if name.startswith("waited-")} == {
            f"waited-{number}": 1 for number in range(FILLED["waiting"])
        }
        assert sum(count for name, count in stored.items() if name.startswith("old-")) == FILLED["events"]
        assert winnow.query("Alert.objects.filter(fingerprint__startswith='old-').count()") == FILLED["alerts"]
        assert winnow.query("AuditEntry.objects.filter(action='old').count()") == FILLED["entries"]
        winnow.manage("verify_audit")
    finally:
        winnow.close()
    assert os.environ.get("DATABASE_URL") or (tmp_path / "winnow.sqlite3").exists()
