"""What an event costs on disk, against its raw text.

Handed: the database a bench has filled. Hands on: bytes per event of each table with its indexes, and of the
same events as NDJSON, plain and gzipped.
"""

import gzip

TABLES = ("triage_event", "triage_eventchunk", "triage_rawbatch")


def bytes_per_event() -> dict[str, float]:
    """Return bytes per event by table (PostgreSQL), or of the whole file (SQLite)."""
    from django.db import connection

    from triage.models import Event

    events = Event.objects.count()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relname ~ %s",
                ["^(" + "|".join(TABLES) + ")(_|$)"],
            )
            sizes = dict.fromkeys(TABLES, 0)
            for name, size in cursor.fetchall():
                table = next(table for table in TABLES if name == table or name.startswith(f"{table}_"))
                sizes[table] += size
        else:
            cursor.execute("PRAGMA page_count")
            pages = cursor.fetchone()[0]
            cursor.execute("PRAGMA page_size")
            sizes = {"database": pages * cursor.fetchone()[0]}
    found = {name.removeprefix("triage_"): round(size / events, 1) for name, size in sizes.items()}
    return found | {"stored": round(sum(sizes.values()) / events, 1)}


def raw_bytes(body: bytes) -> dict[str, float]:
    """Return bytes per line of a body as it is and gzipped."""
    lines = body.count(b"\n") + 1
    return {"ndjson": round(len(body) / lines, 1), "ndjson_gzip": round(len(gzip.compress(body, 6)) / lines, 1)}
