"""The deployed intake against a black-box checker of the wire behaviour that real shippers rely on."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment import Deployment

pytestmark = [pytest.mark.process, pytest.mark.shared, pytest.mark.timeout(300)]


def test_every_protocol_behaves_as_its_shippers_rely_on(
    deploy: Callable[..., Deployment], intake_checker: Path
) -> None:
    winnow = deploy()
    winnow.manage("shell", "-c", "from triage.models import User; User.objects.create_user('reader')")
    api = winnow.manage("create_token", "reader").split()[-1]
    ack = winnow.manage("create_source", "acknowledged", "--ack").split()[-1]
    disabled = winnow.manage("create_source", "disabled").split()[-1]
    winnow.manage(
        "shell", "-c", "from triage.models import Source; Source.objects.filter(name='disabled').update(enabled=False)"
    )
    base = f"http://127.0.0.1:{winnow.port}"
    web = next(pid for pid, role in winnow.children().items() if role == "web")
    command = [
        sys.executable, str(intake_checker), base, winnow.token, "--protocols", "all",
        "--path", "es=/elastic", "--path", "bulk=/elastic/_bulk", "--ack-token", ack, "--disabled-token", disabled,
        "--require-effects", "--verify-url", f"{base}/api/v1/events?contains={{marker}}", "--verify-token", api,
        "--pid", str(web), "--quiet",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout, done.stdout
