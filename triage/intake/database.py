"""The group commit's side of the database: insert rows once, measure the backlog, ring the doorbell.

Handed: the submissions of one group. Hands on: committed rows, and a receipt for each submission. What a source
has sent before under the same key, a whole body or a piece of one, is left out: it is stored already, so its
sender gets the same success.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from triage import disk, reading, state, store
from triage.intake import acknowledgement, fairness, repeats
from triage.intake.commit import Batch, BusyError, Receipt, Submission, join
from triage.models import RawBatch

logger = logging.getLogger(__name__)


def insert(submissions: Sequence[Submission]) -> list[Receipt | BusyError]:
    """Commit a group in one transaction and return its receipts, in order; an error in place of a receipt refuses one.

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


def _insert_new(submissions: Sequence[Submission]) -> list[Receipt | BusyError]:
    with transaction.atomic():
        allotted = acknowledgement.allot(submissions)
        taken = [submission for position, submission in enumerate(submissions) if position not in allotted.refused]
        fresh, receipts = repeats.leave_out(taken)
        RawBatch.objects.bulk_create([_row(batch) for batch in join(fresh)])
    return _answers(receipts, allotted)


def _answers(receipts: Sequence[Receipt], allotted: acknowledgement.Allotment) -> list[Receipt | BusyError]:
    """Put the acknowledgement numbers into the receipts, and an error where there is no receipt."""
    waiting, answers = iter(receipts), list[Receipt | BusyError]()
    for position, number in enumerate(allotted.numbers):
        if position in allotted.refused:
            answers.append(BusyError("the source has too many channels in use"))
            continue
        receipt = next(waiting)
        answers.append(receipt if number is None else replace(receipt, ack_id=number))
    return answers


class Backlog:
    """How far the pipeline is behind, per source, and whether the disk has room: measured by the writer thread, at most
    once a second.
    """

    def __init__(self) -> None:
        self._held: Mapping[int, int] = {}
        self._total = 0
        self._asked = True
        self._no_room = disk.is_short()

    def is_full(self) -> bool:
        """Return whether senders should come back later; never waits."""
        self._asked = True
        return self._no_room or self._total > settings.MAX_BACKLOG_RECORDS

    def refuses(self, source_id: int) -> bool:
        """Return whether a source should come back later: all is full, or it holds more than its share; never waits."""
        held, limit = self._held.get(source_id, 0), settings.MAX_BACKLOG_RECORDS
        return self.is_full() or fairness.is_over(held, self._total, len(self._held), limit)

    def retry_seconds(self) -> int:
        """Return when a sender that is refused now should come back."""
        return fairness.retry_seconds(self._total, settings.MAX_BACKLOG_RECORDS)

    def measure(self) -> None:
        """Ask the database, unless nobody has asked since the last time."""
        if not self._asked:
            return
        self._asked = False
        self._no_room = disk.is_short()
        try:
            held = store.backlog_by_source()
        except (OperationalError, InterfaceError) as error:
            connection.close()
            logger.warning("cannot measure the backlog: %s", error)
            return
        self._held, self._total = held, sum(held.values())


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
