"""The database as a queue and as a log store: claim batches, store events once, read raw text back.

Handed: values from ``contracts``. Hands on: rows, and counts. The only module, beside ``state`` and the
settings, that knows which database is running. Work is claimed with a lease; a worker that dies loses
its lease and the batch is taken up again. Event ids derive from batch and position, and a batch is marked
done in the transaction that stores its events, so nothing is lost and nothing is doubled.
"""

import contextlib
import datetime as dt
import errno
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Max, Q, QuerySet, Sum
from django.utils import timezone

from triage import deleting, documents, minutes, partitions, reading, shadow_figures, tallies, turns, waiting
from triage.contracts import StoredBatch
from triage.models import (
    BatchStatus,
    Event,
    EventChunk,
    ModelStatus,
    ModelVersion,
    RawBatch,
    batch_and_position,
    event_id,
)

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
#: Of SQLSTATE: connection, transaction rolled back, resources, operator (one is about a statement), system.
OUTAGE_CLASSES, STATEMENT_TIMEOUT = frozenset({"08", "40", "53", "57", "58"}), "57014"
#: A batch that was claimed this often without being finished has killed its workers.
MAX_ATTEMPTS = 4
#: Rows looked at in one claim, over all its sources, and the most inflated bytes it takes on.
CLAIM_ROWS = 256
CLAIM_BYTES = 64 * 2**20
EVENT_COLUMNS = (
    "id", "source_id", "received_at", "timestamp", "timestamp_origin", "parser",
    "event_category", "event_action", "event_outcome", "event_code", "log_level",
    "host_name", "user_name", "source_ip", "destination_ip", "process_name",
    "entity", "message", "score", "p_value", "flagged", "grouped", "reasons", "model_version_id", "windows",
)  # fmt: skip


class LostLeaseError(RuntimeError):
    """Another worker took the batch over; this one's result is thrown away."""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of one batch: its counts, for the row that is marked done."""

    batch_id: int
    event_count: int
    flagged_count: int
    parser_counts: dict[str, int]
    discard_counts: dict[str, int]
    model_version_id: int | None


def claim(owner: str, max_records: int) -> list[StoredBatch]:
    """Take waiting batches, up to a number of records (at least one batch, if any waits).

    Oldest first within a source; over sources in turns, so that a million records of one do not delay ten of another.
    """
    now = timezone.now()
    with transaction.atomic():
        expired = waiting.expired(now, CLAIM_ROWS)
        turn = waiting.turn(expired)
        rows_each = CLAIM_ROWS // max(1, len(turn))  # what is locked here, another worker passes over
        queues = {source: [*expired.get(source, ()), *waiting.head(source, rows_each)] for source in turn}
        chosen = turns.choose(queues, max_records=max_records, max_bytes=CLAIM_BYTES, max_batches=CLAIM_ROWS)
        if not chosen:
            return []
        RawBatch.objects.filter(pk__in=chosen).update(
            status=BatchStatus.PROCESSING,
            lease_owner=owner,
            lease_until=now + dt.timedelta(seconds=LEASE_SECONDS),
            attempts=F("attempts") + 1,
        )
    _quarantine_killers(chosen)
    return list(stored_batches(RawBatch.objects.filter(pk__in=chosen, status=BatchStatus.PROCESSING)))


def _quarantine_killers(batch_ids: Sequence[int]) -> None:
    """A batch that took several workers down with it must not take the next one."""
    killers = RawBatch.objects.filter(pk__in=batch_ids, attempts__gt=MAX_ATTEMPTS).values_list("pk", flat=True)
    for batch_id in list(killers):
        quarantine(batch_id, f"given up after {MAX_ATTEMPTS} tries: a worker died or lost its lease each time")


def stored_batches(rows: QuerySet[RawBatch]) -> Iterator[StoredBatch]:
    """Hand rows on as values, oldest first."""
    for row in rows.select_related("source").order_by("id").iterator(chunk_size=64):
        yield StoredBatch(
            batch_id=row.pk,
            source_id=row.source_id,
            receiver=row.receiver,
            parameters=row.parameters,
            received_at=row.received_at.timestamp(),
            body=bytes(row.body),
            record_count=row.record_count,
            pinned_parser=row.source.parser,
            body_bytes=row.body_bytes,
            synthetic=row.source.synthetic,
        )


def finish(
    owner: str,
    outcomes: Sequence[BatchOutcome],
    rows: Sequence[tuple[Any, ...]],
    chunks: Sequence[documents.ChunkRow] = (),
    figures: Sequence[minutes.Minute] = (),
    found: Sequence[tallies.Tally] = (),
    beside: Sequence[shadow_figures.Shadowed] = (),
) -> None:
    """Store events (tuples in :data:`EVENT_COLUMNS` order) with their documents and mark their batches done.

    All in one transaction, the sources' figures too. Raises :class:`LostLeaseError`, storing nothing, when any of
    the batches is no longer this owner's.
    """
    now = timezone.now()
    partitions.ensure({row[2][:10] for row in rows})
    with connection.wrap_database_errors, transaction.atomic():  # COPY goes past Django, its errors are the driver's
        mine = RawBatch.objects.filter(
            pk__in=[outcome.batch_id for outcome in outcomes], status=BatchStatus.PROCESSING, lease_owner=owner
        )
        if _locked_count(mine) != len(outcomes):
            raise LostLeaseError(f"{owner} lost a lease")
        insert_events(rows)
        documents.insert(chunks)
        for outcome in outcomes:
            RawBatch.objects.filter(pk=outcome.batch_id).update(
                status=BatchStatus.DONE,
                lease_owner="",
                lease_until=None,
                reason="",
                processed_at=now,
                event_count=outcome.event_count,
                flagged_count=outcome.flagged_count,
                parser_counts=outcome.parser_counts,
                discard_counts=outcome.discard_counts,
                model_version_id=outcome.model_version_id,
            )
        tallies.insert(found)
        shadow_figures.add(beside)
        minutes.add(figures)  # last, because another worker's pass may wait for the same rows


def _locked_count(rows: QuerySet[RawBatch]) -> int:
    """Count rows and keep them from being claimed until the transaction ends."""
    if connection.features.has_select_for_update:
        rows = rows.select_for_update()
    return len(rows.values_list("pk", flat=True))


def insert_events(rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert event rows as fast as the database allows; an id that exists already is an error."""
    if not rows:
        return
    columns = ", ".join(f'"{column}"' for column in EVENT_COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY triage_event ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(EVENT_COLUMNS))
        cursor.executemany(f"INSERT INTO triage_event ({columns}) VALUES ({marks})", rows)  # noqa: S608 - constants


def timestamp_texts(times: Iterable[float]) -> list[str]:
    """Return the database's text form of times (UTC); both databases read them back as the same instants."""
    zone = "+00" if connection.vendor == "postgresql" else ""
    return [
        f"{_second_text(int(micros // 1_000_000))}.{micros % 1_000_000:06d}{zone}" for micros in map(_micros, times)
    ]


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    """Return a whole second as text; the events of a pass share few of them."""
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def release(owner: str, *, tries: int = 0) -> int:
    """Give back what this worker, or a dead one of its name, holds; return how many batches. ``tries`` do not count."""
    return RawBatch.objects.filter(status=BatchStatus.PROCESSING, lease_owner=owner).update(
        status=BatchStatus.RECEIVED, lease_owner="", lease_until=None, attempts=F("attempts") - tries
    )


def is_outage(error: BaseException) -> bool:
    """Return whether the database or a disk could not do its work, whatever it was asked to do.

    A full disk, a server that is going down or was cut off, a deadlock: no record is to blame for them. What PostgreSQL
    could not do with these values (a limit, a time-out of one statement) is not one.
    """
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}
    state = getattr(error.__cause__, "sqlstate", None) or ""  # none without a connection, and none from SQLite
    told = state[:2] in OUTAGE_CLASSES and state != STATEMENT_TIMEOUT
    return isinstance(error, InterfaceError) or (isinstance(error, OperationalError) and (not state or told))


@contextlib.contextmanager
def given_back_in_outage(owner: str) -> Iterator[None]:
    """Give back what a worker holds, as if it had not been tried, when the block ends in an outage; raise it on."""
    try:
        yield
    except Exception as error:
        if is_outage(error):  # with no connection left this fails too, and the lease runs out
            release(owner, tries=1)
        raise


def blame(batch_id: int, error: Exception) -> None:
    """Set a batch aside for what it did; raise the error again when it was an outage."""
    if is_outage(error):
        raise error
    logger.error("batch %d breaks the pipeline", batch_id, exc_info=error)
    quarantine(batch_id, f"{type(error).__name__}: {error}")


def quarantine(batch_id: int, reason: str) -> None:
    """Set a batch aside with its reason; it stays visible and can be replayed."""
    logger.error("batch %s goes to quarantine: %s", batch_id, reason)
    RawBatch.objects.filter(pk=batch_id).exclude(status=BatchStatus.DONE).update(
        status=BatchStatus.QUARANTINED, lease_owner="", lease_until=None, reason=reason[:4000]
    )


def requeue(batch_id: int) -> bool:
    """Send a quarantined batch through the pipeline again; False when it is not in quarantine."""
    changed = RawBatch.objects.filter(pk=batch_id, status=BatchStatus.QUARANTINED).update(
        status=BatchStatus.RECEIVED, attempts=0, reason=""
    )
    return changed == 1


def backlog_records() -> int:
    """Return how many acknowledged records are not stored as events yet (quarantine apart)."""
    held = RawBatch.objects.filter(status__in=[BatchStatus.RECEIVED, BatchStatus.PROCESSING])
    return held.aggregate(total=Sum("record_count"))["total"] or 0


def backlog_by_source() -> dict[int, int]:
    """Return per source how many acknowledged records are not stored as events yet (quarantine apart)."""
    # As in waiting.turn: from the partial index alone.
    held = RawBatch.objects.filter(processed_at__isnull=True).exclude(
        status__in=[BatchStatus.DONE, BatchStatus.QUARANTINED]
    )
    return dict(held.order_by().values_list("source").annotate(Sum("record_count")))


def stage_counts() -> dict[str, int]:
    """Return records accepted and quarantined, events and flagged events, over all kept batches."""
    totals = RawBatch.objects.filter(source__synthetic=False).aggregate(
        accepted=Sum("record_count"),
        events=Sum("event_count"),
        flagged=Sum("flagged_count"),
        quarantined=Sum("record_count", filter=Q(status=BatchStatus.QUARANTINED)),
    )
    return {name: value or 0 for name, value in totals.items()}


def ungrouped_exist() -> bool:
    """Return whether a flagged event still waits for its alert."""
    return Event.objects.filter(flagged=True, grouped=False).exists()


def raw_text(event_id: int) -> str | None:
    """Return the exact text of an event's record, or None when there is none (any more).

    Raises :class:`triage.reading.DamagedRecordError`.
    """
    batch_id, position = batch_and_position(event_id)
    batch = next(stored_batches(RawBatch.objects.filter(pk=batch_id)), None)
    return reading.raw(batch, position) if batch is not None and position < batch.record_count else None


def unscored_exist() -> bool:
    """Return whether a champion is serving while stored batches still have no score."""
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).exists()
    return serving and _unscored().exists()


def _unscored() -> QuerySet[RawBatch]:
    return RawBatch.objects.filter(status=BatchStatus.DONE, model_version__isnull=True, event_count__gt=0)


def unscored(limit: int) -> list[StoredBatch]:
    """Return the oldest batches that were stored while no model was serving."""
    ids = list(_unscored().order_by("id").values_list("pk", flat=True)[:limit])
    return list(stored_batches(RawBatch.objects.filter(pk__in=ids)))


def write_scores(outcomes: Sequence[BatchOutcome], rows: Sequence[tuple[Any, ...]]) -> None:
    """Give stored events their scores, in one transaction with their batches.

    ``rows`` are ``(score, p_value, flagged, reasons, model_version_id, event_id)``. A batch that another
    worker scored meanwhile is left as it is.
    """
    with transaction.atomic():
        ids = [outcome.batch_id for outcome in outcomes]
        lockable = RawBatch.objects.filter(pk__in=ids, model_version__isnull=True)
        still = set(waiting.locked(lockable).values_list("pk", flat=True))
        todo = [row for row in rows if batch_and_position(row[5])[0] in still]
        _update_scores(todo)
        for outcome in outcomes:
            if outcome.batch_id in still:
                RawBatch.objects.filter(pk=outcome.batch_id).update(
                    model_version_id=outcome.model_version_id, flagged_count=outcome.flagged_count
                )


def _update_scores(rows: Sequence[tuple[Any, ...]]) -> None:
    names = "score, p_value, flagged, reasons, model_version_id"
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            assignments = ", ".join(f"{name} = %s" for name in names.split(", "))
            cursor.executemany(f"UPDATE triage_event SET {assignments} WHERE id = %s", rows)  # noqa: S608 - constants
            return
        cursor.execute("DROP TABLE IF EXISTS pg_temp.scored")
        cursor.execute(
            "CREATE TEMP TABLE scored (score float8, p_value float8, flagged bool, reasons text,"
            " model_version_id bigint, id bigint) ON COMMIT DROP"
        )
        with cursor.copy("COPY scored FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            "UPDATE triage_event e SET score = s.score, p_value = s.p_value, flagged = s.flagged,"
            " reasons = s.reasons, model_version_id = s.model_version_id FROM scored s WHERE e.id = s.id"
        )


def recent_batches(max_records: int) -> list[int]:
    """Return ids of the newest stored batches that hold up to a number of records, oldest first."""
    chosen: list[int] = []
    total = 0
    rows = RawBatch.objects.filter(status=BatchStatus.DONE).order_by("-id").values_list("pk", "record_count")
    for batch_id, count in rows.iterator():
        if chosen and total + count > max_records:
            break
        chosen.append(batch_id)
        total += count
    return chosen[::-1]


def expire(before: dt.datetime) -> int:
    """Drop events and raw batches received before a time; return how many batches went.

    On PostgreSQL whole day partitions are dropped; rows of a part-day stay until their day is over. What has to be
    deleted row by row goes in parts, each a short transaction of its own, so that nobody waits for the rest.
    """
    if connection.vendor == "postgresql":
        partitions.drop_before(before.date())
    else:
        # Ids grow with the time of receipt: below the last old batch's, so that what is kept is not looked through.
        last = RawBatch.objects.filter(received_at__lt=before).aggregate(last=Max("id"))["last"] or 0
        for table in (Event, EventChunk):
            deleting.in_parts(table._default_manager.filter(pk__lt=event_id(last + 1, 0), received_at__lt=before))
    minutes.expire(before)
    done = RawBatch.objects.exclude(status__in=[BatchStatus.RECEIVED, BatchStatus.PROCESSING])
    return deleting.in_parts(done.filter(received_at__lt=before))
