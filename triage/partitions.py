"""The day partitions of events and their chunks on PostgreSQL: made before a day's first row, dropped when it is over.

Handed: days. Hands on: nothing but tables; elsewhere there are no partitions, and nothing is done.
"""

import datetime as dt
import logging
from collections.abc import Iterable

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

PARTITIONED = ("triage_event", "triage_eventchunk")
#: How long dropping a partition may keep others waiting.
PATIENCE = "2s"


def ensure(days: Iterable[str]) -> None:
    """Make the PostgreSQL partitions of each day (``YYYY-MM-DD``) that has none yet.

    Called before the storing transaction, so that a rollback cannot take a partition away again and
    no row ever lands in the default partition.
    """
    if connection.vendor != "postgresql":
        return
    for day in days:
        start = dt.date.fromisoformat(day)
        for table in PARTITIONED:
            name = f"{table}_{start:%Y%m%d}"
            with connection.cursor() as cursor:
                cursor.execute("SELECT to_regclass(%s)", [name])
                if cursor.fetchone()[0] is None:
                    _make_partition(table, name, start)


def days_there() -> list[str]:
    """Return the days (``YYYY-MM-DD``) that have partitions on PostgreSQL, oldest first."""
    days = {suffix for table in PARTITIONED for _, suffix in _partitions(table)}
    return sorted(f"{dt.date.fromisoformat(suffix)}" for suffix in days)


def _partitions(table: str) -> list[tuple[str, str]]:
    """Return the partitions of days of a table: name and day (``YYYYMMDD``)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::text::regclass", [table])
        found = [(name, name.removeprefix(f"{table}_")) for (name,) in cursor.fetchall()]
    return [(name, suffix) for name, suffix in found if suffix.isdigit()]


def _make_partition(table: str, name: str, start: dt.date) -> None:
    """Make one day's partition; an advisory lock keeps two workers from doing it at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7461123)")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM (%s) TO (%s)",
            [f"{start} 00:00:00+00", f"{start + dt.timedelta(days=1)} 00:00:00+00"],
        )


def drop_before(first_kept: dt.date) -> int:
    """Drop the partitions of all days before one; return how many went.

    Dropping one waits for whoever reads the table, and everybody else then waits behind it: so it waits for
    :data:`PATIENCE` only. What is left is dropped the next time.
    """
    old = [name for table in PARTITIONED for name, suffix in _partitions(table) if suffix < f"{first_kept:%Y%m%d}"]
    return sum(_drop(name) for name in old)


def _drop(name: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
    except OperationalError as error:
        logger.warning("%s is in use and stays until the next time: %s", name, error)
        return False
    return True
