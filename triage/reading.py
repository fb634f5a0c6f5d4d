"""From a stored batch to events: inflate, cut into records, parse.

Handed: a :class:`~triage.contracts.StoredBatch`. Hands on: its events in order, the same every time, so
that the pipeline, training, replay and "show raw" all see one truth.
"""

import zstandard

from triage import parsers, receivers
from triage.contracts import ParsedEvent, StoredBatch

COMPRESSION_LEVEL = 1


def compress(body: bytes) -> bytes:
    """Return the body as one zstd frame that carries its size."""
    return zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(body)


def inflate(body: bytes) -> bytes:
    """Return a stored body's bytes; raise ``zstandard.ZstdError`` when it is damaged."""
    return zstandard.ZstdDecompressor().decompress(body)


class RecordCountError(ValueError):
    """A stored body gives another number of records than was acknowledged."""


def read(batch: StoredBatch) -> list[ParsedEvent]:
    """Return one event per acknowledged record, in order.

    The memory of which parser fits which shape lives for one batch only: were it to outlive the batch,
    an event's meaning could depend on what came before it, and could not be replayed.
    """
    records = receivers.get(batch.receiver).records(inflate(batch.body), batch.parameters)
    if len(records) != batch.record_count:
        raise RecordCountError(f"{batch.record_count} records were acknowledged, {len(records)} are in the body")
    return parsers.parse(records, batch.received_at, pinned=batch.pinned_parser, memory={})


class DamagedRecordError(ValueError):
    """A stored body cannot be read any more, so a record in it cannot be shown."""


def raw(batch: StoredBatch, position: int) -> str:
    """Return the exact text of one record. Raises :class:`DamagedRecordError`."""
    try:
        return receivers.get(batch.receiver).raw(inflate(batch.body), batch.parameters, position)
    except (zstandard.ZstdError, ValueError, LookupError) as error:
        raise DamagedRecordError(f"the body of batch {batch.batch_id} cannot be read: {error}") from error
