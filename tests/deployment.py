"""Real deployments: ``manage.py up`` with every child, on a database of its own."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[1]


class Deployment:
    """A running Winnow, seen from outside."""

    def __init__(self, environment: dict[str, str], arguments: tuple[str, ...], directory: Path = ROOT) -> None:
        self.environment = environment
        self.manage("migrate", "--verbosity", "0")
        self.token = self.manage("create_source", "edge").split()[-1]
        self.log = Path(environment["WINNOW_DATA_DIR"]) / "up.log"
        self.arguments, self.directory = arguments, directory
        self.start()

    def start(self, port: int = 0) -> None:
        """Start every process, the first time or again after :meth:`stop`."""
        with self.log.open("ab") as log:
            command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(port), *self.arguments]
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=self.environment, cwd=self.directory
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("ready http://127.0.0.1:"), (line, self.log.read_text())
        self.port = int(line.rsplit(":", 1)[1])

    def close(self) -> None:
        """End every process, however the test went."""
        children = self.children()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def manage(self, *arguments: str) -> str:
        """Run a management command against the same database."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def query(self, expression: str) -> Any:
        """Evaluate a Django expression inside the deployment and return it as JSON."""
        code = f"import json; from triage.models import *; from alerts.models import *; print(json.dumps({expression}))"
        return json.loads(self.manage("shell", "--no-imports", "-c", code).splitlines()[-1])

    def post(self, events: list[dict[str, Any]]) -> int:
        """Send one HEC batch; return the status."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(link):
            body = "\n".join(json.dumps(event) for event in events)
            link.request("POST", "/services/collector/event", body, {"Authorization": f"Splunk {self.token}"})
            return link.getresponse().status

    def children(self) -> dict[int, str]:
        """Return process ids of the children and what each is."""
        found = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, IndexError):
                if int(status.read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                    words = (status.parent / "environ").read_bytes().split(b"\0")
                    role = next((word[12:].decode() for word in words if word.startswith(b"WINNOW_ROLE=")), "")
                    command = (status.parent / "cmdline").read_bytes()
                    found[int(status.parent.name)] = role or ("web" if b"management.web" in command else "beat")
        return found

    def stop(self) -> int:
        """Ask it to stop, give it the promised ten seconds, and return its exit status."""
        self.process.terminate()
        status = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextlib.contextmanager
def own_database() -> Iterator[dict[str, str]]:
    """Yield the variables of a fresh PostgreSQL database, or none for SQLite in the data directory."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        yield {}
        return
    name = f"process_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        yield {"DATABASE_URL": url.rsplit("/", 1)[0] + f"/{name}"}
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


def environment_for(directory: Path, database: dict[str, str], **variables: str) -> dict[str, str]:
    """Return the environment of a deployment whose files are in a directory."""
    (directory / "models").mkdir(exist_ok=True)
    paths = {"CANARY_MINUTES": "0", "WINNOW_DATA_DIR": str(directory), "WINNOW_MODELS_DIR": str(directory / "models")}
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "triage.settings"} | paths | database | variables
    if environment.get("REDIS_URL"):  # the suite's own tests use database 0
        environment["REDIS_URL"] = environment["REDIS_URL"].rsplit("/", 1)[0] + "/1"
    return environment
