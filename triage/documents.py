"""What events say in full: messages and ECS documents, compressed by the hundred beside the event rows.

Handed: the events of a batch. Hands on: one zstd chunk per :data:`CHUNK_EVENTS` of them; later, the
document of any event, and the events whose document holds a text. A document in its row would cost most of
the time of storing and most of the disk; the columns that are filtered and sorted by stay in the row.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson
import zstandard
from django.db import connection

from triage.contracts import Fields, ParsedEvent
from triage.models import Event, EventChunk, batch_and_position, event_id

logger = logging.getLogger(__name__)

CHUNK_EVENTS = 512
#: A chunk is read back up to this size; parsers cap an event far below (bytes).
MAX_CHUNK_BYTES = 2**30
CHUNK_COLUMNS = ("id", "received_at", "body")
_LEVEL = 1
#: Chunks per look at the database while searching.
_SEARCH_CHUNKS = 64

ChunkRow = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Document:
    """An event in full. ``fields`` is the flat ECS document."""

    message: str = ""
    fields: Fields | None = None


def line(event: ParsedEvent) -> bytes:
    """Return an event's line in its chunk."""
    return orjson.dumps((event.message, event.fields))


def chunk_rows(batch_id: int, received_at: str, events: Sequence[ParsedEvent]) -> Iterator[ChunkRow]:
    """Yield the chunks of a batch's events, in :data:`CHUNK_COLUMNS` order."""
    press = zstandard.ZstdCompressor(level=_LEVEL).compress
    for start in range(0, len(events), CHUNK_EVENTS):
        body = b"\n".join(map(line, events[start : start + CHUNK_EVENTS]))
        yield event_id(batch_id, start), received_at, press(body)


def insert(rows: Sequence[ChunkRow]) -> None:
    """Insert chunk rows, inside the caller's transaction."""
    if not rows:
        return
    columns = ", ".join(CHUNK_COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY triage_eventchunk ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        cursor.executemany(f"INSERT INTO triage_eventchunk ({columns}) VALUES (%s, %s, %s)", rows)  # noqa: S608 - constants


def _chunk_id(identifier: int) -> int:
    batch_id, position = batch_and_position(identifier)
    return event_id(batch_id, position - position % CHUNK_EVENTS)


def _inflate(chunk_id: int, body: bytes | memoryview) -> bytes:
    """Return a chunk's lines; a damaged one is told and counts as empty, so that one page still shows the rest."""
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(body), max_output_size=MAX_CHUNK_BYTES)
    except zstandard.ZstdError as error:
        logger.error("chunk %d cannot be read: %s", chunk_id, error)
        return b""


def _document(text: bytes) -> Document:
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
        wanted.setdefault(_chunk_id(identifier), []).append(identifier)
    found: dict[int, Document] = {}
    ids = list(wanted)
    for start in range(0, len(ids), 500):
        rows = EventChunk.objects.filter(pk__in=ids[start : start + 500]).values_list("pk", "body")
        for chunk_id, body in rows.iterator(chunk_size=16):
            lines = _inflate(chunk_id, body).split(b"\n")
            for identifier in wanted[chunk_id]:
                offset = identifier - chunk_id
                if offset < len(lines):
                    found[identifier] = _document(lines[offset])
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


def find(text: str, *, before: int | None = None) -> Iterator[list[int]]:
    """Yield, newest chunk first, the ids of events whose message or document holds a text.

    ``before``: only ids below it. A document is JSON, so the text is looked for as JSON writes it.
    """
    needle = orjson.dumps(text)[1:-1]
    rows = EventChunk.objects.order_by("-pk")
    while True:
        page = list((rows if before is None else rows.filter(pk__lt=before)).values_list("pk", "body")[:_SEARCH_CHUNKS])
        for chunk_id, body in page:
            lines = _inflate(chunk_id, body)
            if needle in lines:
                found = _holding(lines, needle, chunk_id)
                yield [identifier for identifier in reversed(found) if before is None or identifier < before]
        if len(page) < _SEARCH_CHUNKS:
            return
        before = page[-1][0]


def _holding(lines: bytes, needle: bytes, chunk_id: int) -> list[int]:
    return [chunk_id + offset for offset, text in enumerate(lines.split(b"\n")) if needle in text]
