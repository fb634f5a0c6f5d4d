"""What would a column store make of our events? Bytes an event and search times of ClickHouse, in this process by chdb.

Parses synthetic traffic as the pipeline does, loads it into a MergeTree ordered by time, and asks what the events page
asks. Beside it stands what the same documents take as our compressed chunks. ``chdb`` is no requirement of Winnow:
install it into an environment of your own. For docs/growth.md.

    python bench/column_store.py [--events N]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.traffic import bodies, hec_events  # noqa: E402 - the bench runs from a checkout, without installation

COLUMNS = {
    "host": "host.name", "user": "user.name", "source": "source.ip", "action": "event.action",
    "outcome": "event.outcome", "process": "process.name",
}  # fmt: skip
TABLE = """CREATE TABLE events (
    at DateTime64(3), host LowCardinality(String), user String, source String, action LowCardinality(String),
    outcome LowCardinality(String), process LowCardinality(String), message String CODEC(ZSTD(3)),
    document String CODEC(ZSTD(3)),
    INDEX words (message) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1
) ENGINE = MergeTree ORDER BY at"""
SEARCHES = {
    "a user": "SELECT count() FROM events WHERE user = '{user}'",
    "an address that is nowhere": "SELECT count() FROM events WHERE source = '203.0.113.250'",
    "a word that is nowhere": "SELECT count() FROM events WHERE hasToken(message, 'mimikatz')",
    "part of a word, in every message": "SELECT count() FROM events WHERE message ILIKE '%imikat%'",
    "most frequent hosts": "SELECT host, count() AS n FROM events GROUP BY host ORDER BY n DESC LIMIT 12",
    "events by hour": "SELECT toStartOfHour(at) AS hour, count() FROM events GROUP BY hour",
    "newest 50": "SELECT at, host, user, message FROM events ORDER BY at DESC LIMIT 50",
}


def write(path: Path, count: int) -> tuple[int, str]:
    """Write events as JSON lines, spread over 30 days; return the bytes of their documents and a user that occurs."""
    from triage import parsers, receivers

    size, user, start = 0, "", 1_790_000_000.0
    with path.open("w", encoding="utf-8") as file:
        for number in range(0, count, 10_000):
            body = bodies(hec_events(min(10_000, count - number), seed=number), 10_000)[0]
            events = parsers.parse(receivers.get("hec_event").records(body, {}), time.time(), memory={})
            for place, event in enumerate(events):
                document = json.dumps(event.fields, separators=(",", ":"), default=str)
                size += len(document)
                row = {name: str(event.fields.get(field, "")) for name, field in COLUMNS.items()}
                user = user or row["user"]
                row |= {
                    "at": start + 2_592_000 * (number + place) / count,
                    "message": event.message,
                    "document": document,
                }
                file.write(json.dumps(row) + "\n")
    return size, user


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    try:
        from chdb import session
    except ImportError:
        raise SystemExit("chdb is not installed; it is no requirement of Winnow") from None
    with tempfile.TemporaryDirectory(prefix="winnow-columns-") as scratch:
        lines = Path(scratch) / "events.ndjson"
        size, user = write(lines, arguments.events)
        store = session.Session(f"{scratch}/store")
        store.query("SET max_threads = 2")
        store.query(TABLE)
        start = time.perf_counter()
        store.query(f"INSERT INTO events SELECT * FROM file('{lines}', JSONEachRow)")
        took = time.perf_counter() - start
        store.query("OPTIMIZE TABLE events FINAL")
        found = store.query("SELECT sum(data_compressed_bytes) FROM system.columns WHERE table = 'events'")
        stored = int(str(found).strip().strip('"'))
        print(f"{arguments.events:,} events, documents of {size / arguments.events:.0f} bytes")
        rate, each = arguments.events / took, stored / arguments.events
        print(f"loaded at {rate:,.0f} events/s from JSON lines, {each:.0f} bytes an event")
        for name, sql in SEARCHES.items():
            times = []
            for _ in range(7):
                start = time.perf_counter()
                store.query(sql.format(user=user))
                times.append((time.perf_counter() - start) * 1000)
            print(f"{statistics.median(times):8.1f} ms  {name}")
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
