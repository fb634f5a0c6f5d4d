"""Notifications of a real worker: sent beside its own work, and once more under the same id when it is killed."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.deployment import ROOT, environment_for

pytestmark = [pytest.mark.process, pytest.mark.once]
#: A channel, and an alert that it wants to know of.
NOTE = """
from django.core.management import call_command
from django.utils import timezone
call_command("migrate", verbosity=0)
from alerts.models import Alert
from alerts.services import channels, notifying
from triage.models import Source, User
admin = User.objects.create_superuser("dana", password="correct horse battery", role="admin")
channels.create_channel(by=admin, kind="webhook", place="http://127.0.0.1:%d/very-secret", wishes={"name": "soc"})
now = timezone.now()
alert = Alert.objects.create(
    fingerprint="f" * 64, severity="critical", severity_rank=4, title="eve logged in",
    source=Source.objects.create(name="edge", token_hash="0" * 64), first_seen_at=now, last_seen_at=now,
)
notifying.note_alerts([alert])
"""


def wait_for(condition: Callable[[], object], seconds: float = 50.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@contextmanager
def explain_worker(environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one worker of the explain queue, as ``manage.py up`` does."""
    command = [sys.executable, "-m", "celery", "-A", "triage.celery", "worker", "--pool", "solo", "-Q", "explain"]
    with log.open("ab") as output:
        worker = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=output)
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait(10)


def test_a_worker_that_is_killed_while_it_sends_leaves_it_to_the_next_under_the_same_id(tmp_path: Path) -> None:
    taken: list[tuple[str, bytes]] = []
    let_go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.headers["webhook-id"], self.rfile.read(int(self.headers["Content-Length"]))))
            let_go.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # whoever asked was killed
                self.close_connection = True

    worker_is = {"WINNOW_ROLE": "explain", "WINNOW_WORKER": "test:explain-0"}
    environment = environment_for(tmp_path, {}, OUTBOUND_ALLOW="127.0.0.1", LOG_LEVEL="DEBUG", **worker_is)
    log = tmp_path / "worker.log"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        note = [sys.executable, "manage.py", "shell", "--no-imports", "-c", NOTE % server.server_port]
        subprocess.run(note, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with explain_worker(environment, log):
            wait_for(lambda: taken)
        let_go.set()
        with closing(sqlite3.connect(tmp_path / "winnow.sqlite3", timeout=30, isolation_level=None)) as rows:
            state = "SELECT state, attempts, count FROM alerts_delivery"
            assert rows.execute(state).fetchall() == [("sending", 1, 1)]
            rows.execute("UPDATE alerts_delivery SET lease_until = '2026-01-01'")  # five minutes pass
            with explain_worker(environment, log):
                wait_for(lambda: rows.execute(state).fetchall() == [("sent", 2, 1)])
        server.shutdown()
    assert len(taken) == 2
    assert taken[0] == taken[1]
    assert b"eve logged in" in taken[0][1]
    assert "very-secret" not in log.read_text()
