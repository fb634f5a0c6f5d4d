"""What this web process did for each source, written down about once a second.

Handed: refusals, and what limited sources sent. Hands on: rows of ``IntakeMinute``, and to the limits what the other
processes took. A process that dies takes a second of these figures with it, never a record.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.db import Error, connection

from triage import minutes
from triage.authentication import SourceIdentity
from triage.intake import errors
from triage.intake.limits import Limits, is_limited
from triage.minutes import Taken

logger = logging.getLogger(__name__)

#: Why a request is refused -> the column that counts it. What is missing here is counted as ``refused_other``.
COLUMNS: Mapping[str, str] = {
    errors.BUSY: "refused_busy",
    errors.RATE: "refused_rate",
    errors.TOO_LARGE: "refused_too_large",
    errors.DAMAGED: "refused_damaged",
    errors.ENCODING: "refused_damaged",
    errors.TIMEOUT: "refused_damaged",
    errors.INVALID_FORMAT: "refused_invalid",
    errors.EVENT_REQUIRED: "refused_invalid",
    errors.EVENT_BLANK: "refused_invalid",
    errors.NESTED_FIELDS: "refused_invalid",
    errors.NO_DATA: "refused_invalid",
    errors.MEDIA_TYPE: "refused_invalid",
}
#: Declared lengths are a sender's word; one request adds at most this much.
MAX_DECLARED = 2**32


class Tally:
    """Counts in memory; :meth:`flush` writes, from the writer thread."""

    def __init__(self, limits: Limits, *, now: Callable[[], float] = time.time) -> None:
        self._limits, self._now = limits, now
        self._rows: dict[tuple[int, int], Taken] = {}
        #: (source, day) -> records and bytes that this process has written down.
        self._written: dict[tuple[int, int], tuple[int, int]] = {}
        self._lock = threading.Lock()

    def refused(self, source: SourceIdentity, reason: str, declared_length: int | None) -> None:
        """Count a refused request."""
        with self._lock:
            row = self._row(source.id)
            column = COLUMNS.get(reason, "refused_other")
            setattr(row, column, getattr(row, column) + 1)
            row.refused_bytes += min(MAX_DECLARED, declared_length or 0)

    def took(self, source: SourceIdentity, records: int, size: int) -> None:
        """Count what a source with a limit sent."""
        if not is_limited(source):
            return
        with self._lock:
            row = self._row(source.id)
            row.taken_records += records
            row.taken_bytes += size

    def load(self, source: SourceIdentity) -> None:
        """Ask the database what a source has sent today; may wait."""
        self._hear(source.id)

    def flush(self) -> None:
        """Write down what was counted and hear what others took; figures that cannot be written are kept."""
        with self._lock:
            rows, self._rows = self._rows, {}
        try:
            minutes.add_taken(rows.values())
        except Error as error:
            connection.close()
            self._keep(rows)
            logger.warning("cannot write the intake's figures: %s", error)
            return
        self._note_written(rows)
        try:
            for source_id in self._limits.sources():
                self._hear(source_id)
        except Error as error:
            connection.close()
            logger.warning("cannot read what other processes took: %s", error)

    def _hear(self, source_id: int) -> None:
        day = self._limits.today()
        with self._lock:
            own_records, own_bytes = self._written.get((source_id, day), (0, 0))
        records, size = minutes.day_usage(source_id, day)
        self._limits.hear(source_id, day, records - own_records, size - own_bytes)

    def _note_written(self, rows: Mapping[tuple[int, int], Taken]) -> None:
        today = self._limits.today()
        with self._lock:
            self._written = {key: value for key, value in self._written.items() if key[1] >= today - 1}
            for row in rows.values():
                key = (row.source_id, row.minute // minutes.DAY_MINUTES)
                records, size = self._written.get(key, (0, 0))
                if row.taken_records:
                    self._written[key] = (records + row.taken_records, size + row.taken_bytes)

    def _keep(self, rows: Mapping[tuple[int, int], Taken]) -> None:
        with self._lock:
            for key, row in rows.items():
                mine = self._rows.setdefault(key, Taken(*key))
                for name in minutes.INTAKE_COLUMNS[2:]:
                    setattr(mine, name, getattr(mine, name) + getattr(row, name))

    def _row(self, source_id: int) -> Taken:
        key = (source_id, minutes.minute_of(self._now()))
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Taken(*key)
        return row
