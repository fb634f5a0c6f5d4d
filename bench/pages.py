"""How fast is every page with a month of data: 1,000,000 events, 50,000 alerts, on PostgreSQL?

Fills a database, then asks every path of the URL conf as an analyst: server time (p50 and p95 over the runs, in this
process, templates and middleware included), number of queries, bytes; then, in Chromium against a real web process, the
time until the largest part is painted. New pages are measured as soon as they are in the URL conf.

    python bench/pages.py [--json] [--quick] [--keep DIR] [--only NAME,...] [--no-browser]

``--quick``: a tenth of the data, fewer runs. ``--keep DIR``: the database stays in DIR and is used again. Needs the
development requirements (servers, Chromium).
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import kept  # noqa: E402 - the bench runs from a checkout, without installation

SERVER_P95_MS = 200.0
PAINT_MS = 1000.0
QUEUE_FIRST_BYTES, QUEUE_REFRESH_BYTES = 150_000, 30_000
#: What is slower to answer than a page with nothing asked for; added to the addresses the tests visit.
HEAVY = {
    "queue": (
        "?status=closed", "?q=rule+7", "?severity=high", "?assignee=nobody", "?technique=T1078", "?group=none",
        "?status=all",
    ),
    "events": (
        "?q=event.code:4003+-event.outcome:success", "?q=%22rule+399%22", "?q=host.name:nosuchhost", "?range=7d",
        "?q=user.name:{user}&range=7d", "?q=%22rule+399%22&range=7d", "?group=user.name", "?q=nosuchword",
        "?q=event.outcome:failure+rule",
    ),
    "event_rows": ("?q=user.name:{user}",),
    "event_histogram": ("?range=7d", "?q=event.outcome:failure", "?q=%22rule+399%22", "?q=nosuchword"),
    "entities": ("", "?kind=user", "?q=person"),
    "entity": ("?name={user}",),
    "overview": ("", "?range=30d"),
}  # fmt: skip


@dataclass(slots=True)
class Row:
    """What one address took."""

    name: str
    url: str
    status: int
    whole: bool
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    queries: int
    body_bytes: int
    paint_ms: float | None = None
    wire_bytes: float | None = None

    def broken(self) -> list[str]:
        """Return the bars this address does not hold."""
        found = []
        if self.p95_ms >= SERVER_P95_MS:
            found.append(f"p95 {self.p95_ms:.0f} ms")
        if self.paint_ms is not None and self.paint_ms >= PAINT_MS:
            found.append(f"painted after {self.paint_ms:.0f} ms")
        if self.name == "queue" and self.wire_bytes is not None and self.wire_bytes >= QUEUE_FIRST_BYTES:
            found.append(f"{self.wire_bytes / 1000:.0f} kB on the first load")
        if self.name == "queue_pulse" and self.body_bytes >= QUEUE_REFRESH_BYTES:
            found.append(f"{self.body_bytes / 1000:.0f} kB per refresh")
        return found


def samples() -> dict[str, Any]:
    """Return a value for each argument of the URL conf: the busiest user, an alert of theirs, and so on."""
    from django.db.models import Count

    from alerts.models import Alert, MuteRule, ReviewAction, SavedView
    from triage.models import ApiToken, ModelVersion, RawBatch, Source, User

    busiest = Alert.objects.values("entity").annotate(n=Count("pk")).order_by("-n").values_list("entity", flat=True)[0]
    alert = Alert.objects.filter(status="open", explanations__isnull=False, entity=busiest).first()
    alert = alert or Alert.objects.filter(explanations__isnull=False).latest("pk")
    kind, _, name = alert.entity.partition(":")
    first = {
        "source_id": Source, "batch_id": RawBatch, "version_id": ModelVersion, "user_id": User, "token_id": ApiToken,
        "rule_id": MuteRule, "view_id": SavedView, "action_id": ReviewAction,
    }  # fmt: skip
    found = {key: table._default_manager.order_by("pk").values_list("pk", flat=True)[0] for key, table in first.items()}
    event = alert.alert_events.values_list("event_id", flat=True)[0]
    given = {"alert_id": alert.pk, "event_id": event, "alarm_id": 1, "kind": kind, "entity_name": name, "user": name}
    return found | given


def addresses(given: dict[str, Any], only: set[str]) -> Iterator[tuple[str, str]]:
    """Yield every path of the URL conf, with its query strings and the heavy ones."""
    from tests import pages

    for pattern in pages.patterns():
        name = str(pattern.name)
        if only and name not in only:
            continue
        queries = dict.fromkeys((*pages.QUERIES.get(name, ("",)), *HEAVY.get(name, ())))
        for query in queries:
            yield name, pages.address(pattern, given) + query.format_map(given)


def percentile(values: list[float], share: float) -> float:
    """Return a percentile (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def busy_ms() -> float:
    """Return how long this process and its database connection have been on a processor, in milliseconds.

    Other than a clock it does not grow while something else has the processor. Parallel workers are not in it.
    """
    from django.db import connection

    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    return time.process_time() * 1000 + int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def ask(client: Any, url: str) -> tuple[Any, int, float, float]:
    """Return an answer read to its end, its bytes, and the time that took: by the clock, and busy (milliseconds)."""
    start, busy = time.perf_counter(), busy_ms()
    response = client.get(url)
    size = sum(map(len, response.streaming_content)) if response.streaming else len(response.content)
    return response, size, (time.perf_counter() - start) * 1000, busy_ms() - busy


def measure(client: Any, name: str, url: str, runs: int) -> Row | None:
    """Return what an address takes, ``None`` when there is nothing to read there."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.pages import is_page

    if client.get(url).status_code == 302:  # a part of a page: only a script is answered
        client.defaults["HTTP_HX_REQUEST"] = "true"
    with CaptureQueriesContext(connection) as captured:
        response, size, *_ = ask(client, url)
    queries = len(captured)  # now: the next request empties the log
    refused = response.status_code in {302, 403, 404, 405, 503}  # 503: no worker runs, says /readyz
    times = [] if refused else [ask(client, url)[2:] for _ in range(runs)]
    client.defaults.pop("HTTP_HX_REQUEST", None)
    if refused:
        return None
    clock, busy = ([one[part] for one in times] for part in (0, 1))
    p50, p95, cpu = percentile(clock, 0.5), percentile(clock, 0.95), percentile(busy, 0.5)
    return Row(name, url, response.status_code, is_page(response), p50, p95, cpu, queries, size)


def fill(quick: bool) -> None:
    """Fill an empty database."""
    from django.core.management import call_command
    from django.utils import timezone

    from bench import page_alerts, page_events

    call_command("migrate", interactive=False, verbosity=0)
    start, events, alerts = time.perf_counter(), 100_000 if quick else 1_000_000, 5_000 if quick else 50_000
    page_events.fill(events, timezone.now())
    page_alerts.fill(alerts, timezone.now())
    sys.stderr.write(f"filled in {time.perf_counter() - start:.0f} s\n")


def run(arguments: argparse.Namespace, filled: Path) -> list[Row]:
    """Fill unless that was done, measure every address, then paint the whole pages."""
    import django

    django.setup()
    from django.test import Client

    from triage.models import User

    # What is refused or broken is in the table, by its status.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    if not filled.exists():
        fill(arguments.quick)
        filled.touch()
    client = Client(headers={"Host": "127.0.0.1"}, raise_request_exception=False)
    client.force_login(User.objects.filter(role=arguments.role).order_by("pk")[0])
    _as_the_web_process(client)
    given, only = samples(), set(filter(None, arguments.only.split(",")))
    runs = 5 if arguments.quick else 20
    found = [measure(client, name, url, runs) for name, url in addresses(given, only)]
    rows = [row for row in found if row is not None]
    if not arguments.no_browser:
        _paint([row for row in rows if row.whole], client.cookies["sessionid"].value, 1 if arguments.quick else 3)
    return rows


def _as_the_web_process(client: Any) -> None:
    """Load templates and views, then let the garbage collector leave them alone, as the web process does."""
    client.get("/")
    from triage.asgi import settle

    settle()


def _paint(rows: list[Row], session: str, visits: int) -> None:
    from bench import page_paint

    with page_paint.web_process() as url:
        painted = page_paint.paint(url, session, [row.url for row in rows], visits)
    for row in rows:
        row.paint_ms, row.wire_bytes = painted[row.url].milliseconds, painted[row.url].wire_bytes


def show(rows: list[Row]) -> None:
    """Print a table for people."""
    print(
        f"{'p50 ms':>8} {'p95 ms':>8} {'busy ms':>8} {'queries':>8} {'kB':>7} {'paint ms':>9} {'wire kB':>8}  address"
    )
    for row in sorted(rows, key=lambda one: -one.p95_ms):
        paint = f"{row.paint_ms:9.0f}" if row.paint_ms is not None else " " * 9
        wire = f"{row.wire_bytes / 1000:8.0f}" if row.wire_bytes is not None else " " * 8
        broken = f"  <- {', '.join(row.broken())}" if row.broken() else ""
        problem = f"  [{row.status}]" if row.status != 200 else ""
        size = row.body_bytes / 1000
        figures = f"{row.p50_ms:8.1f} {row.p95_ms:8.1f} {row.cpu_ms:8.1f} {row.queries:8d} {size:7.1f} {paint} {wire}"
        print(f"{figures}  {row.url}{problem}{broken}")
    held = sum(not row.broken() and row.status < 500 for row in rows)
    print(f"{held} of {len(rows)} addresses hold every bar")


def main() -> int:
    """Run the bench; 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path, help="a directory for the database")
    parser.add_argument("--only", default="", help="names of the URL conf, with commas")
    parser.add_argument("--role", default="analyst")
    parser.add_argument("--no-browser", action="store_true")
    arguments = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "triage.settings"
    os.environ.setdefault("SECRET_KEY", "only-for-this-bench-" + "0123456789" * 4)
    with tempfile.TemporaryDirectory() as scratch:
        directory = arguments.keep or Path(scratch) / "database"
        with kept.variables(directory) as variables:
            os.environ.update(variables, WINNOW_DATA_DIR=scratch, WINNOW_MODELS_DIR=scratch)
            rows = run(arguments, directory / "filled")
        show(rows)
        if arguments.json:
            print(json.dumps({"pages": [asdict(row) | {"broken": row.broken()} for row in rows]}))
    return int(any(row.broken() or row.status >= 500 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
