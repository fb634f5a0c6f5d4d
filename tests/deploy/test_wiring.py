"""The wiring of a deployment, process by process behind a TLS proxy, without containers."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment import ROOT, environment_for, own_database
from tests.servers import free_port

pytestmark = [pytest.mark.process, pytest.mark.second, pytest.mark.timeout(300)]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    if not shutil.which("caddy"):
        assert not os.environ.get("CI"), "caddy is not installed"
        pytest.skip("caddy is not installed: nothing speaks TLS")
    if not os.environ.get("REDIS_URL"):
        pytest.skip("needs PostgreSQL and Redis")
    with own_database() as database:
        told = {
            "SECRET_KEY": secrets.token_urlsafe(40), "WINNOW_HOST": f"localhost:{free_port()}",
            "WINNOW_PORT": str(free_port()), "PIPELINE_WORKERS": "1", "XDG_DATA_HOME": str(tmp_path / "caddy"),
            "WINNOW_PROXY_OPTIONS": "auto_https disable_redirects\n\tskip_install_trust", "HOME": str(tmp_path),
        }  # fmt: skip
        yield environment_for(tmp_path, database, **told)


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [str(ROOT / ".venv/bin/python"), "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(environment: dict[str, str], path: str, **how: object) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of what the proxy answers over TLS that is checked."""
    root = Path(environment["XDG_DATA_HOME"]) / "caddy/pki/authorities/local/root.crt"
    request = urllib.request.Request(f"https://{environment['WINNOW_HOST']}{path}", **how)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=root), timeout=10) as reply:
        return reply.status, dict(reply.headers), reply.read()


def wait_until_ready(environment: dict[str, str], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            return assert_ready(environment)
        except (OSError, AssertionError):
            time.sleep(0.3)
    raise AssertionError(log.read_text())


def assert_ready(environment: dict[str, str]) -> None:
    assert answer(environment, "/readyz")[0] == 200


def test_a_record_goes_through_tls_to_the_database_and_everything_ends(environment, tmp_path):
    log = tmp_path / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [ROOT / "deploy/run.sh"], env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until_ready(environment, process, log)
        token = manage(environment, "create_source", "edge").split()[-1]
        headers = {"Authorization": f"Splunk {token}", "Content-Type": "application/json"}
        body = json.dumps({"event": "Failed password for root from 203.0.113.9 port 4 ssh2"}).encode()
        status, told, _ = answer(environment, "/services/collector/event", data=body, headers=headers)
        assert status == 200
        counts = json.loads(manage(environment, "drain", "--timeout", "60"))
        assert (counts["accepted"], counts["events"], counts["quarantined"]) == (1, 1, 0)
        status, told, page = answer(environment, "/login/")
        assert status == 200
        assert b"csrfmiddlewaretoken" in page
        assert told["Strict-Transport-Security"] == "max-age=31536000"
        assert "; Secure" in told["Set-Cookie"] or "; secure" in told["Set-Cookie"]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
        assert subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, check=False).stdout == b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
