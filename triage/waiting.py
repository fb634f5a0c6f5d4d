"""What waits in the queue: whose turn it is, and the oldest batches of each source.

Handed: nothing, or a source. Hands on: batches, locked until the caller's transaction ends, so that no other worker
takes them too. Each look is a short walk through an index, however much waits and however long the history is.
"""

import datetime as dt
from collections.abc import Iterable

from django.db import connection
from django.db.models import QuerySet

from triage import turns
from triage.models import BatchStatus, RawBatch

_rotation = turns.Rotation()
#: What waits, in the words of the partial index ``rawbatch_waiting``.
_RECEIVED = {"status": BatchStatus.RECEIVED, "processed_at__isnull": True}


def locked(rows: QuerySet[RawBatch]) -> QuerySet[RawBatch]:
    """Lock rows for this transaction; SQLite's immediate transactions lock the whole database already."""
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True, of=("self",))
    return rows


def expired(now: dt.datetime, limit: int) -> dict[int, list[turns.Waiting]]:
    """Lock and return, per source, the batches whose worker lost its lease; they are older than those that wait."""
    rows = locked(RawBatch.objects.filter(status=BatchStatus.PROCESSING, lease_until__lt=now)).order_by("id")
    found: dict[int, list[turns.Waiting]] = {}
    for source_id, *row in rows.values_list("source", "pk", "record_count", "body_bytes")[:limit]:
        found.setdefault(source_id, []).append(turns.Waiting(*row))
    return found


def turn(expired_sources: Iterable[int]) -> list[int]:
    """Return the sources that are looked at in this claim, the one whose turn it is first."""
    # Said by what it is not, so that the databases read it from the partial index alone; a search per source could
    # walk through all the history of one that has nothing waiting.
    others = [BatchStatus.PROCESSING, BatchStatus.DONE, BatchStatus.QUARANTINED]
    received = RawBatch.objects.filter(processed_at__isnull=True).exclude(status__in=others)
    waiting = received.order_by().values_list("source", flat=True).distinct()
    return _rotation.next(sorted({*waiting, *expired_sources}))


def head(source_id: int, limit: int) -> list[turns.Waiting]:
    """Lock and return the oldest waiting batches of a source."""
    rows = locked(RawBatch.objects.filter(source=source_id, **_RECEIVED)).order_by("id")
    return [turns.Waiting(*row) for row in rows.values_list("pk", "record_count", "body_bytes")[:limit]]
