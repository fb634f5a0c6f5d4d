"""How fast is the way from a shipper's request to stored, scored and grouped events?

Sends Splunk HEC batches of 1, 100 and 1,000 events over loopback to a real ``manage.py up`` until all is
drained. Beside it, in the same run on the same database, the limit: orjson + COPY (SQLite: executemany) of
the same rows with nothing else. Median of several runs; ratios first.

    python bench/ingest.py [--json] [--quick] [--postgres] [--pipeline-workers N]

``DATABASE_URL`` and ``REDIS_URL`` choose another database; ``--postgres`` brings a PostgreSQL and a Redis
of its own (needs the dev requirements).
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import storage  # noqa: E402 - the bench runs from a checkout, without installation
from bench.deployment import champion_ready, drained, manage, peak_rss_mib, winnow  # noqa: E402
from bench.load import PageVisitor, post, send  # noqa: E402
from bench.traffic import bodies, hec_events  # noqa: E402

HEC = "/services/collector/event"
HISTORY = 12_000


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of a list (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


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


def session() -> str:
    """Return the session cookie of an analyst."""
    code = (
        "from django.test import Client; from triage.models import User; client = Client();"
        " client.force_login(User.objects.get(username='bench')); print(client.cookies['sessionid'].value)"
    )
    return manage("shell", "-c", code).split()[-1]


def measure_half_load(port: int, token: str, rate: float, seconds: float) -> float:
    """Return the p99 reply time in milliseconds at half of a rate, in batches of 100."""
    count = max(2_000, int(rate / 2 * seconds)) // 100 * 100
    requests = [post(HEC, token, body) for body in bodies(hec_events(count, seed=7), 100)]
    return percentile(send(port, requests, clients=16, per_second=rate / 200), 0.99)


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
        with PageVisitor(port, session()) as visitor:
            for size, count in plan.items():
                runs = []
                for _ in range(repeats):
                    runs.append(measure(port, (intake, api), size, count, stored))
                    stored += count
                by_size[str(size)] = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        half_load = measure_half_load(port, intake, by_size["1000"]["events_per_s"], 3.0 if quick else 10.0)
        manage("drain")
        peaks = peak_rss_mib(process.pid)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")
    import django

    django.setup()
    from django.db import connection

    from bench.stages import stage_costs

    on_disk = storage.bytes_per_event()
    costs = stage_costs(8_000)
    best = by_size["1000"]["events_per_s"]
    limit = 1e6 / costs["limit"]
    return {
        "database": connection.vendor,
        "events_per_s": round(best),
        "limit_events_per_s": round(limit),
        "ratio_to_limit": round(best / limit, 4),
        "reply_p99_ms": round(by_size["1000"]["reply_p99_ms"], 2),
        "half_load_reply_p99_ms": round(half_load, 2),
        "page_p95_ms": round(percentile(visitor.times, 0.95), 1),
        "page_requests": len(visitor.times),
        "bytes_per_event": on_disk | storage.raw_bytes(bodies(hec_events(20_000), 20_000)[0]),
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
    print(
        f"at half load: reply p99 {report['half_load_reply_p99_ms']:.1f} ms; the queue page while intake runs:"
        f" p95 {report['page_p95_ms']:.0f} ms of {report['page_requests']}"
    )
    for label, key in (
        ("bytes per event", "bytes_per_event"),
        ("microseconds per event", "us_per_event"),
        ("peak resident MiB", "peak_rss_mib_by_role"),
    ):
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
