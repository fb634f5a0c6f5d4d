"""A month of events for the bench of pages: a part through the real pipeline, the rest copies of it on other days.

Handed: how many. Hands on: filled tables of sources, raw batches, events, their documents and figures per minute. What
is copied keeps its documents and filters, with the times of its row and chunk moved; a search reads as much as ever.
"""

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import orjson
from django.db import connection

from triage import partitions, pipeline, reading
from triage.models import RawBatch, Source

SOURCES = (
    "windows domain", "linux auth", "web shop", "zeek sensor", "okta", "cloudtrail", "vpn gateway", "mail relay",
    "firewall berlin", "firewall lisbon", "kubernetes audit", "database audit",
)  # fmt: skip
ACTIONS = ("login", "logout", "create", "delete", "start", "stop", "connect", "read", "write", "deny")
DAYS = 30
BATCH = 1_000
TEMPLATES = 400
ENTITIES = 3_000


def people(rng: random.Random) -> tuple[list[str], list[str], list[str]]:
    """Return user names, host names and addresses: together :data:`ENTITIES`."""
    users = [f"{rng.choice('abcdefghijklmnoprstw')}.person{number:04d}" for number in range(ENTITIES // 3)]
    hosts = [f"{rng.choice(('ws', 'srv', 'db', 'app'))}-{number:04d}.corp.example" for number in range(ENTITIES // 3)]
    return (
        users,
        hosts,
        [f"10.{number // 250}.{number % 250}.{rng.randrange(1, 250)}" for number in range(ENTITIES // 3)],
    )


def records(count: int, source: int, start: dt.datetime, rng: random.Random) -> Iterator[bytes]:
    """Yield ECS records of one source, evenly over a day; few people and templates make most of them."""
    users, hosts, addresses = people(random.Random(1))
    for number in range(count):
        template = min(int(rng.paretovariate(0.6)), TEMPLATES) - 1
        when = start + dt.timedelta(seconds=86_400 * number / count)
        user, host = users[min(int(rng.paretovariate(0.5)), len(users)) - 1], rng.choice(hosts)
        record: dict[str, Any] = {
            "@timestamp": when.isoformat(), "host": {"name": host}, "user": {"name": user},
            "source": {"ip": rng.choice(addresses)}, "destination": {"ip": rng.choice(addresses[:40])},
            "process": {"name": f"service{template % 37}", "pid": rng.randrange(400, 32_000)},
            "event": {
                "category": ["authentication", "process", "network", "web", "file"][template % 5],
                "action": f"{ACTIONS[template % 10]}_{template % 60}", "code": str(4000 + template),
                "outcome": "failure" if rng.random() < 0.08 else "success",
            },
            "message": (
                f"service{template % 37}[{rng.randrange(400, 32_000)}]: {ACTIONS[template % 10]} of object"
                f" {rng.getrandbits(48):012x} by {user} on {host}, rule {template}, took {rng.randrange(9000)} ms"
            ),
        }  # fmt: skip
        yield orjson.dumps(record)


def fill(count: int, now: dt.datetime) -> None:
    """Make the sources and a month of events."""
    sources = Source.objects.bulk_create(
        Source(name=name, token_hash=f"{number:064d}") for number, name in enumerate(SOURCES)
    )
    # A tenth is read by the parsers and stored by the pipeline; it becomes the newest three days.
    through, rng = count // 10, random.Random(7)
    day = now - dt.timedelta(days=3)
    for third in range(3):
        start = day + dt.timedelta(days=third)
        for place, source in enumerate(sources):
            _receive(source, list(records(through // 3 // len(sources), place, start, rng)), start)
        while pipeline.process_pass("bench"):
            pass
    for copy in range(1, 10):
        _copy(dt.timedelta(days=3 * copy), now)
    _minutes(now)


def _receive(source: Source, lines: list[bytes], start: dt.datetime) -> None:
    """Store what a shipper would have sent over a day, in bodies of a thousand records."""
    batches = []
    for first in range(0, len(lines), BATCH):
        part = lines[first : first + BATCH]
        body = b"\n".join(part)
        when = start + dt.timedelta(seconds=86_400 * (first + len(part)) / len(lines))
        batches.append(
            RawBatch(
                source=source, receiver="ndjson", received_at=when, body=reading.compress(body), body_bytes=len(body),
                record_count=len(part),
            )
        )  # fmt: skip
    RawBatch.objects.bulk_create(batches)


def _copy(age: dt.timedelta, now: dt.datetime) -> None:
    """Copy the newest three days to an earlier time, with batch numbers that are free."""
    partitions.ensure({str((now - age - dt.timedelta(days=back)).date()) for back in range(-1, 5)})
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM triage_rawbatch")
        last = cursor.fetchone()[0]
        cursor.execute(
            "SELECT min(id), max(id) FROM triage_rawbatch WHERE received_at > %s", [now - dt.timedelta(days=3)]
        )
        first_new, last_new = cursor.fetchone()
        shift = last - first_new + 1
        moved = {
            "id": f"id + {shift}",
            "received_at": "received_at - %(age)s",
            "processed_at": "processed_at - %(age)s",
        }
        held = "id BETWEEN %(low)s AND %(high)s"
        _insert(cursor, RawBatch._meta.db_table, moved, held, {"age": age, "low": first_new, "high": last_new})
        bounds = {"age": age, "low": first_new << 20, "high": (last_new << 20) + 2**20 - 1}
        moved = {
            "id": f"id + {shift << 20}",
            "received_at": "received_at - %(age)s",
            "timestamp": "timestamp - %(age)s",
        }
        _insert(cursor, "triage_event", moved, held, bounds)
        times = {"first_at": "first_at - %(age)s", "last_at": "last_at - %(age)s"}
        moved = {"id": f"id + {shift << 20}", "received_at": "received_at - %(age)s"} | times
        _insert(cursor, "triage_eventchunk", moved, held, bounds)
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('triage_rawbatch', 'id'), (SELECT max(id) FROM triage_rawbatch))"
        )


def _insert(cursor: Any, table: str, moved: dict[str, str], held: str, values: dict[str, Any]) -> None:
    """Insert copies of a table's rows, some columns moved."""
    cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    columns = [name for (name,) in cursor.fetchall()]
    names = ", ".join(f'"{name}"' for name in columns)
    chosen = ", ".join(moved.get(name, f'"{name}"') for name in columns)
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {chosen} FROM {table} WHERE {held}", values)


def _minutes(now: dt.datetime) -> None:
    """Fill the figures per source and minute of the days that were copied."""
    minute = int(now.timestamp() // 60)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO triage_sourceminute (source_id, minute, records, bytes, events, fallback, unknown, future,"
            " ancient, inferred, lag_count, lag_sum, lag_medians, lag_min, lag_max,"
            " lag_0, lag_1, lag_2, lag_3, lag_4, lag_5, lag_6, lag_7)"
            " SELECT s.id, m, 2 + m %% 3, 900, 2 + m %% 3, CASE WHEN m %% 50 = 0 THEN 1 ELSE 0 END, 0, 0, 0, 0,"
            " 2, 6.0, 6.0, 1.0, 5.0, 0, 2, 0, 0, 0, 0, 0, 0 FROM triage_source s, generate_series(%s, %s) m"
            " ON CONFLICT DO NOTHING",
            [minute - DAYS * 1440, minute],
        )
        cursor.execute(
            "INSERT INTO triage_parserminute (source_id, minute, parser, events)"
            " SELECT source_id, minute, 'ecs_json', events - fallback FROM triage_sourceminute ON CONFLICT DO NOTHING"
        )
