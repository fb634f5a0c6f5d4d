"""What events say in full: messages and ECS documents, compressed by the hundred beside the event rows.

Handed: the events of a batch. Hands on: one zstd chunk per :data:`CHUNK_EVENTS` of them, with what a search asks
before it opens one (see :mod:`triage.terms`); later, the document of any event. A document in its row would cost most
of the time of storing and most of the disk; the columns that are filtered and sorted by stay in the row.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson
import zstandard
from django.db import connection

from triage import terms
from triage.contracts import Fields, ParsedEvent
from triage.models import Event, EventChunk, batch_and_position, event_id

logger = logging.getLogger(__name__)

CHUNK_EVENTS = 512
#: A chunk is read back up to this size; parsers cap an event far below (bytes).
MAX_CHUNK_BYTES = 2**30
CHUNK_COLUMNS = ("id", "received_at", "events", "first_at", "last_at", "terms", "body")
_LEVEL = 1
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: Names of the exact terms that say where the events of a chunk come from (see :func:`triage.terms.mark`).
SOURCE_MARK, PARSER_MARK = "source", "parser"

ChunkRow = tuple[int, str, int, dt.datetime, dt.datetime, bytes | None, bytes]


@dataclass(frozen=True, slots=True)
class Document:
    """An event in full. ``fields`` is the flat ECS document."""

    message: str = ""
    fields: Fields | None = None


def line(event: ParsedEvent | Document) -> bytes:
    """Return an event's line in its chunk."""
    return orjson.dumps((event.message, event.fields))


def chunk_rows(
    batch_id: int, received_at: str, events: Sequence[ParsedEvent], source_id: int | None = None
) -> Iterator[ChunkRow]:
    """Yield the chunks of a batch's events, in :data:`CHUNK_COLUMNS` order."""
    press = zstandard.ZstdCompressor(level=_LEVEL).compress
    for start in range(0, len(events), CHUNK_EVENTS):
        part = events[start : start + CHUNK_EVENTS]
        times = [event.timestamp for event in part]
        body = b"\n".join(map(line, part))
        yield (
            event_id(batch_id, start), received_at, len(part), _moment(min(times)), _moment(max(times)),
            _terms(part, source_id), press(body),
        )  # fmt: skip


def _moment(seconds: float) -> dt.datetime:
    """Return a time as an event's row has it, to the microsecond."""
    return _EPOCH + dt.timedelta(microseconds=round(seconds * 1_000_000))


def _terms(events: Sequence[ParsedEvent], source_id: int | None) -> bytes | None:
    """Return the chunk's filter; what cannot be told in one is no reason not to store the events."""
    marks = [terms.mark(PARSER_MARK, parser) for parser in {event.parser for event in events}]
    if source_id is not None:
        marks.append(terms.mark(SOURCE_MARK, source_id))
    try:
        return terms.build([event.message for event in events], [event.fields for event in events], marks)
    except (TypeError, ValueError) as error:
        logger.error("a chunk gets no filter and will be read by every search: %s", error)
        return None


def insert(rows: Sequence[ChunkRow]) -> None:
    """Insert chunk rows, inside the caller's transaction."""
    if not rows:
        return
    columns = ", ".join(CHUNK_COLUMNS)
    time = connection.ops.adapt_datetimefield_value
    adapted = [(*row[:3], time(row[3]), time(row[4]), *row[5:]) for row in rows]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY triage_eventchunk ({columns}) FROM STDIN") as copy:
                for row in adapted:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(CHUNK_COLUMNS))
        cursor.executemany(f"INSERT INTO triage_eventchunk ({columns}) VALUES ({marks})", adapted)  # noqa: S608 - constants


def chunk_id(identifier: int) -> int:
    """Return the id of the chunk that holds an event's document."""
    batch_id, position = batch_and_position(identifier)
    return event_id(batch_id, position - position % CHUNK_EVENTS)


def inflate(first: int, body: bytes | memoryview) -> bytes:
    """Return a chunk's lines; a damaged one is told and counts as empty, so that one page still shows the rest."""
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(body), max_output_size=MAX_CHUNK_BYTES)
    except zstandard.ZstdError as error:
        logger.error("chunk %d cannot be read: %s", first, error)
        return b""


def read_line(text: bytes) -> Document:
    """Return what an event's line says; nothing where it is damaged."""
    try:
        message, fields = orjson.loads(text)
    except (ValueError, TypeError):
        return Document()
    if not isinstance(message, str) or not isinstance(fields, dict):
        return Document()
    return Document(message, fields)


def load(identifiers: Iterable[int]) -> dict[int, Document]:
    """Return the documents of events by id; an id whose chunk is gone is left out."""
    wanted: dict[int, list[int]] = {}
    for identifier in identifiers:
        wanted.setdefault(chunk_id(identifier), []).append(identifier)
    found: dict[int, Document] = {}
    ids = list(wanted)
    for start in range(0, len(ids), 500):
        rows = EventChunk.objects.filter(pk__in=ids[start : start + 500]).values_list("pk", "body")
        for first, body in rows.iterator(chunk_size=16):
            lines = inflate(first, body).split(b"\n")
            for identifier in wanted[first]:
                offset = identifier - first
                if offset < len(lines):
                    found[identifier] = read_line(lines[offset])
    return found


def prefetch(events: Iterable[Event]) -> None:
    """Read the documents of several event rows at once, for :func:`of`."""
    rows = list(events)
    found = load(row.pk for row in rows)
    for row in rows:
        row.__dict__["_document"] = found.get(row.pk, Document())


def of(event: Event) -> Document:
    """Return an event row's document; an empty one when it is gone."""
    if "_document" not in event.__dict__:
        prefetch([event])
    document: Document = event.__dict__["_document"]
    return document


def fields_of(event: Event) -> Fields:
    """Return an event row's flat ECS document, empty when it is gone."""
    return of(event).fields or {}
