"""The group commit's side of the database: insert rows once, measure the backlog, ring the doorbell.

Handed: the submissions of one group. Hands on: committed rows, and a receipt for each submission. What a source
has sent before under the same key, a whole body or a piece of one, is left out: it is stored already, so its
sender gets the same success.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from triage import reading, state, store
from triage.intake import repeats
from triage.intake.commit import Batch, BusyError, Receipt, Submission, join
from triage.models import RawBatch

logger = logging.getLogger(__name__)


def insert(submissions: Sequence[Submission]) -> list[Receipt]:
    """Commit a group in one transaction and return its receipts, in order.

    Raises :class:`BusyError` when the database is not there.
    """
    try:
        try:
            return _insert_new(submissions)
        except IntegrityError:  # another process has committed one of the keys since the look-up
            return _insert_new(submissions)
    except (OperationalError, InterfaceError) as error:
        connection.close()
        logger.warning("the database does not take batches: %s", error)
        raise BusyError("the database does not answer") from error


def _row(batch: Batch) -> RawBatch:
    first = batch.first
    return RawBatch(
        source_id=first.source_id,
        receiver=first.receiver,
        parameters=dict(first.parameters),
        idempotency_key=first.idempotency_key,
        received_at=timezone.now(),
        body=reading.compress(batch.body()),
        body_bytes=batch.body_bytes,
        record_count=batch.record_count,
    )


def _insert_new(submissions: Sequence[Submission]) -> list[Receipt]:
    with transaction.atomic():
        fresh, receipts = repeats.leave_out(submissions)
        RawBatch.objects.bulk_create([_row(batch) for batch in join(fresh)])
    return receipts


class Backlog:
    """How far the pipeline is behind, measured at most once a second by the writer thread."""

    def __init__(self) -> None:
        self._records = 0
        self._asked = True

    def is_full(self) -> bool:
        """Return whether senders should come back later; never waits."""
        self._asked = True
        return self._records > settings.MAX_BACKLOG_RECORDS

    def measure(self) -> None:
        """Ask the database, unless nobody has asked since the last time."""
        if not self._asked:
            return
        self._asked = False
        try:
            self._records = store.backlog_records()
        except (OperationalError, InterfaceError) as error:
            connection.close()
            logger.warning("cannot measure the backlog: %s", error)


class Doorbell:
    """Wakes the pipeline after a commit; ``wake`` sends the message.

    A bell that nobody hears loses nothing: a sweep finds the rows.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._wanted = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Ask for a message to be sent; returns at once, whatever the broker does."""
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None

    def _run(self) -> None:
        while not self._closing:
            self._wanted.wait()
            self._wanted.clear()
            if not self._closing:
                self._ring_once()

    def _ring_once(self) -> None:
        """Send the message unless one is under way; whatever a broker throws is logged and that is all."""
        try:
            if state.ring("pipeline"):
                self._wake()
        except Exception as error:
            logger.warning("cannot wake the pipeline: %s: %s", type(error).__name__, error)


def close_connection() -> None:
    """Give the writer thread's connection back."""
    connection.close()
