"""What a page weighs and when its largest part is painted, in a real Chromium against a real web process.

Handed: addresses and a session. Hands on, for each: the time until its largest part is painted (largest contentful
paint, milliseconds), and the bytes that crossed the wire for it with an empty cache.
"""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
PAINTED = """() => new Promise((resolve) => {
  const done = [];
  const observer = new PerformanceObserver((list) => done.push(...list.getEntries()));
  observer.observe({ type: "largest-contentful-paint", buffered: true });
  setTimeout(() => {
    const files = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    resolve([done.length ? done.at(-1).startTime : 0, files.reduce((sum, one) => sum + one.transferSize, 0)]);
  }, 250);
})"""


@dataclass(frozen=True, slots=True)
class Painted:
    """Medians over the visits."""

    milliseconds: float
    wire_bytes: float


@contextlib.contextmanager
def web_process() -> Iterator[str]:
    """Run one web process, as ``manage.py up`` starts it, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "triage.management.web", str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=(listener.fileno(),), cwd=ROOT, env=os.environ)
        try:
            _wait(f"{url}/healthz")
            yield url
        finally:
            process.terminate()
            process.wait(15)


def _wait(url: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=2).close()
            return
        time.sleep(0.1)
    raise SystemExit("the web process did not answer")


def paint(url: str, session: str, paths: Sequence[str], visits: int) -> dict[str, Painted]:
    """Visit each path some times with an empty cache."""
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        _visit(browser, url, session, paths[0])  # the first page of a new process is not a page of its day
        for path in paths:
            times, sizes = zip(*(_visit(browser, url, session, path) for _ in range(visits)), strict=True)
            found[path] = Painted(statistics.median(times), statistics.median(sizes))
        browser.close()
    return found


def _visit(browser: Any, url: str, session: str, path: str) -> tuple[float, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    page = context.new_page()
    page.goto(url + path)
    milliseconds, size = page.evaluate(PAINTED)
    context.close()
    return milliseconds, size
