"""How fast is the way from a shipper's request to stored, scored and grouped events?

Sends Splunk HEC batches of 1, 100 and 1,000 events over loopback to a real ``manage.py up`` until all is
drained. Beside it, in the same run on the same database, the limit: orjson + COPY (SQLite: executemany) of
the same rows with nothing else. Median of several runs; ratios first.

    python bench/ingest.py [--json] [--quick] [--postgres] [--pipeline-workers N]

``DATABASE_URL`` and ``REDIS_URL`` choose another database; ``--postgres`` brings a PostgreSQL and a Redis
of its own (needs the dev requirements).
"""

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.load import post, send  # noqa: E402 - the bench runs from a checkout, without installation
from bench.traffic import hec_events  # noqa: E402 - the bench runs from a checkout, without installation

HEC = "/services/collector/event"
HISTORY = 12_000


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


def bodies(events: list[dict[str, Any]], size: int) -> list[bytes]:
    """Return HEC request bodies of a number of events each."""
    lines = [json.dumps(event).encode() for event in events]
    return [b"\n".join(lines[start : start + size]) for start in range(0, len(lines), size)]


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


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of a list (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


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


def measure(port: int, tokens: tuple[str, str], size: int, count: int, stored: int) -> dict[str, float]:
    """Send a number of events in batches of a size; return rates from the first byte until drained."""
    requests = [post(HEC, tokens[0], body) for body in bodies(hec_events(count, seed=size + stored), size)]
    start = time.perf_counter()
    times = send(port, requests, clients=64 if size == 1 else 4)
    accepted = time.perf_counter() - start
    drained(port, tokens[1], stored + count)
    total = time.perf_counter() - start
    return {
        "events_per_s": count / total,
        "accepted_per_s": count / accepted,
        "reply_p50_ms": percentile(times, 0.5),
        "reply_p99_ms": percentile(times, 0.99),
    }


def stage_costs(count: int) -> dict[str, float]:
    """Return microseconds per event of each stage, in this process, one after the other."""
    from django.db import transaction

    from triage import champion, parsers, pipeline, receivers, store
    from triage.contracts import StoredBatch

    body = bodies(hec_events(count, seed=99), count)[0]
    costs: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        start = time.perf_counter()
        result = work()
        costs[name] = (time.perf_counter() - start) / count * 1e6
        return result

    champion.current()
    records = timed("receive", lambda: receivers.get("hec_event").records(body, {}))
    events = timed("parse", lambda: parsers.parse(records, time.time(), memory={}))
    model_id, scores = timed("score", lambda: pipeline.score(events))
    item = pipeline.ReadBatch(StoredBatch(2**30, 1, "hec_event", {}, time.time(), b"", count), events)
    rows = timed("rows", lambda: list(pipeline.event_rows(item, scores, model_id)))
    chunks = timed("documents", lambda: list(pipeline.document_chunks(item)))
    store.ensure_partitions({rows[0][2][:10]})
    with transaction.atomic():  # as the pipeline does
        timed("store", partial(store_all, rows, chunks))
    costs["limit"] = limit_cost(body, rows)
    return costs


def store_all(rows: list[Any], chunks: list[Any]) -> None:
    """Store events and their documents."""
    from triage import documents, store

    store.insert_events(rows)
    documents.insert(chunks)


def limit_cost(body: bytes, rows: list[Any]) -> float:
    """Return microseconds per event of orjson + COPY of the same rows into a bare table."""
    import orjson
    from django.db import connection

    from triage.store import EVENT_COLUMNS

    columns = ", ".join(EVENT_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bench_limit AS SELECT {columns} FROM triage_event LIMIT 0")
        start = time.perf_counter()
        for line in body.split(b"\n"):
            orjson.loads(line)
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY bench_limit ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(EVENT_COLUMNS))
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(f"INSERT INTO bench_limit VALUES ({marks})", rows)
            cursor.execute("COMMIT")
        cost = (time.perf_counter() - start) / len(rows) * 1e6
        cursor.execute("DROP TABLE bench_limit")
    return cost


def run(*, quick: bool, workers: int | None) -> dict[str, Any]:
    """Run every measurement and return one report."""
    plan = {1: 1_500, 100: 10_000, 1_000: 20_000} if quick else {1: 5_000, 100: 40_000, 1_000: 80_000}
    repeats = 1 if quick else 3
    with winnow(*([f"--pipeline-workers={workers}"] if workers else [])) as (port, process):
        intake = manage("create_source", "bench").split()[-1]
        manage("shell", "-c", "from triage.models import User; User.objects.create_user('bench')")
        api = manage("create_token", "bench").split()[-1]
        send(port, [post(HEC, intake, body) for body in bodies(hec_events(HISTORY), 1_000)], clients=2)
        stored = HISTORY
        drained(port, api, stored)
        champion_ready(port)
        manage("drain")
        by_size: dict[str, dict[str, float]] = {}
        for size, count in plan.items():
            runs = []
            for _ in range(repeats):
                runs.append(measure(port, (intake, api), size, count, stored))
                stored += count
            by_size[str(size)] = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        peaks = peak_rss_mib(process.pid)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")
    import django

    django.setup()
    from django.db import connection

    costs = stage_costs(8_000)
    best = by_size["1000"]["events_per_s"]
    limit = 1e6 / costs["limit"]
    return {
        "database": connection.vendor,
        "events_per_s": round(best),
        "limit_events_per_s": round(limit),
        "ratio_to_limit": round(best / limit, 4),
        "reply_p99_ms": round(by_size["1000"]["reply_p99_ms"], 2),
        "peak_rss_mib": round(max(peaks.values()), 1),
        "peak_rss_mib_by_role": {role: round(size, 1) for role, size in peaks.items()},
        "by_batch_size": {size: {key: round(value, 2) for key, value in row.items()} for size, row in by_size.items()},
        "us_per_event": {name: round(cost, 2) for name, cost in costs.items()},
        "runs": repeats,
        "pipeline_workers": workers,
    }


def show(report: dict[str, Any]) -> None:
    """Print the report for people."""
    rate, limit = report["events_per_s"], report["limit_events_per_s"]
    workers = report["pipeline_workers"] or "as up chooses"
    print(f"database {report['database']}, median of {report['runs']} runs, pipeline workers: {workers}")
    print(f"ratio to limit {report['ratio_to_limit']:.3f}  ({rate:,} of {limit:,} events/s)")
    print(f"{'batch':>6} {'events/s':>10} {'accepted/s':>11} {'p50 ms':>8} {'p99 ms':>8}")
    for size, row in report["by_batch_size"].items():
        print(
            f"{size:>6} {row['events_per_s']:>10,.0f} {row['accepted_per_s']:>11,.0f}"
            f" {row['reply_p50_ms']:>8.1f} {row['reply_p99_ms']:>8.1f}"
        )
    for label, key in (("microseconds per event", "us_per_event"), ("peak resident MiB", "peak_rss_mib_by_role")):
        print(f"{label}: " + "  ".join(f"{name} {value:.1f}" for name, value in report[key].items()))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--pipeline-workers", type=int, help="default: what `manage.py up` chooses")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WINNOW_DATA_DIR"] = os.environ["WINNOW_MODELS_DIR"] = folder
        if options.postgres:
            from tests.servers import servers

            with servers(durable=True) as environment:
                os.environ.update(environment)
                report = run(quick=options.quick, workers=options.pipeline_workers)
        else:
            report = run(quick=options.quick, workers=options.pipeline_workers)
    show(report)
    if options.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
