"""A Winnow for a bench: started, waited for, asked what it holds, and weighed.

Handed: command-line arguments of ``manage.py up``. Hands on: its port and process, and figures about it.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def manage(*arguments: str) -> str:
    """Run a management command and return its standard output."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout


@contextlib.contextmanager
def winnow(*arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run ``manage.py up`` on a free port; yield the port and the process."""
    command = [sys.executable, str(ROOT / "manage.py"), "up", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"Winnow did not start: {line!r}")
        yield int(line.rsplit(":", 1)[1]), process
    finally:
        process.terminate()
        process.wait(15)


def drained(port: int, api_token: str, target: int) -> None:
    """Wait until a number of events is stored."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        link.request("GET", "/api/v1/stats", headers={"Authorization": f"Bearer {api_token}"})
        stats = json.loads(link.getresponse().read())
        if stats["events"] >= target:
            link.close()
            return
        time.sleep(0.05)
    raise SystemExit(f"not drained: {stats}")


def champion_ready(port: int) -> None:
    """Wait until a model serves."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if '"champion"' in manage("models", "--json"):
            time.sleep(1.5)
            return
        time.sleep(0.5)
    raise SystemExit("no champion after 180 s")


def peak_rss_mib(parent: int) -> dict[str, float]:
    """Return the peak resident size of each child of ``up``, in MiB, by role."""
    peaks: dict[str, float] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            if int(fields["PPid"]) != parent or "VmHWM" not in fields:
                continue
            words = (status.parent / "environ").read_bytes().split(b"\0")
            role = next((word[12:].decode() for word in words if word.startswith(b"WINNOW_ROLE=")), "web or beat")
            peaks[role] = max(peaks.get(role, 0.0), int(fields["VmHWM"].split()[0]) / 1024)
    return peaks
