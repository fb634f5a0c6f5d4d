"""A small store of events for searches: three sources, several chunks, old chunks without a filter."""

import datetime as dt

from triage import documents, ecs, partitions, reading, store
from triage.contracts import ParsedEvent
from triage.models import BatchStatus, Event, EventChunk, RawBatch, Source, event_id

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


def parsed(number: int, **fields: object) -> ParsedEvent:
    """One event, a second after the one before it."""
    at = NOON.timestamp() + number
    named = {name.replace("__", "."): value for name, value in fields.items() if name != "message"}
    return ParsedEvent(at, "event", "syslog", str(fields.get("message", f"line {number}")), named)


def put(
    source: Source, events: list[ParsedEvent], *, flagged: tuple[int, ...] = (), filtered: bool = True
) -> list[int]:
    """Store a batch as the pipeline does; every position in ``flagged`` is flagged. Return the events' ids."""
    defaults = {"receiver": "lines", "parameters": {}, "body_bytes": 1, "status": BatchStatus.DONE}
    defaults["body"] = reading.compress(b"\n".join(event.message.encode() for event in events))
    count = {"record_count": len(events), "event_count": len(events)}
    batch = RawBatch.objects.create(source=source, received_at=NOON, **defaults, **count)
    (received,) = store.timestamp_texts([NOON.timestamp()])
    times = store.timestamp_texts(event.timestamp for event in events)
    rows = [
        (
            event_id(batch.pk, place), source.pk, received, time, event.timestamp_origin, event.parser,
            *ecs.columns(event.fields), ecs.entity(event.fields), event.message[:160],
            float(place), 1 / (place + 1), place in flagged, False, "", None, None,
        )
        for place, (event, time) in enumerate(zip(events, times, strict=True))
    ]  # fmt: skip
    partitions.ensure([str(NOON.date())])
    store.insert_events(rows)
    documents.insert(list(documents.chunk_rows(batch.pk, received, events, source.pk)))
    if not filtered:
        EventChunk.objects.filter(pk=event_id(batch.pk, 0)).update(terms=None, events=None, first_at=None, last_at=None)
    return [event_id(batch.pk, place) for place in range(len(events))]


def ids(events: list[Event]) -> list[int]:
    """The ids of events, in their order."""
    return [event.pk for event in events]
