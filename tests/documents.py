"""Documents of event rows that tests make one by one."""

import datetime as dt
from typing import Any

import orjson
import zstandard

from triage import partitions
from triage.documents import CHUNK_EVENTS
from triage.models import EventChunk, batch_and_position, event_id


def write_document(identifier: int, message: str, fields: Any, received_at: dt.datetime) -> None:
    """Put one event's document into its chunk."""
    write_line(identifier, orjson.dumps((message, fields)), received_at)


def write_line(identifier: int, line: bytes, received_at: dt.datetime) -> None:
    """Put a line, sound or not, into an event's place in its chunk."""
    batch_id, position = batch_and_position(identifier)
    chunk_id = event_id(batch_id, position - position % CHUNK_EVENTS)
    partitions.ensure([str(received_at.date())])
    row = EventChunk.objects.filter(pk=chunk_id).first()
    lines = zstandard.ZstdDecompressor().decompress(bytes(row.body)).split(b"\n") if row else []
    lines += [b""] * (identifier - chunk_id + 1 - len(lines))
    lines[identifier - chunk_id] = line
    body = zstandard.ZstdCompressor().compress(b"\n".join(lines))
    EventChunk.objects.filter(pk=chunk_id).delete()
    EventChunk.objects.create(pk=chunk_id, received_at=received_at, body=body)
