"""Events as a file: CSV for spreadsheets, NDJSON for scripts, as they are found.

Handed: a search and who asks. Hands on: an audit entry, and the file in pieces, newest event first. At most
:data:`MAX_EVENTS` of them: a file that was cut off says so in its last line.
"""

from collections.abc import Iterator
from itertools import islice

import orjson

from alerts.exports import csv_cell
from alerts.models import AlertEvent, AlertOrigin, AlertStatus
from alerts.selectors.event_filter import EventFilter
from alerts.services import audit
from triage import documents, ecs
from triage.models import Event, User
from triage.searching import results
from triage.searching.walk import UNLIMITED, Progress

MAX_EVENTS = 100_000
FORMATS = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_PIECE = 200
COLUMNS = ("id", "timestamp", "received_at", "source", "parser", *ecs.COLUMNS, "score", "p_value", "flagged", "message")


def record(*, asked: EventFilter, form: str, user: User) -> None:
    """Write down that a person takes a search's events out."""
    details = {"query": asked.query, "filter": asked.without("group", "cols"), "format": form, "at_most": MAX_EVENTS}
    audit.record_person(action="events.exported", user=user, details=details)


def file_of(asked: EventFilter, form: str) -> Iterator[bytes]:
    """Yield the file in pieces of some hundred events."""
    write = _csv_line if form == "csv" else _json_line
    if form == "csv":
        yield (",".join(map(csv_cell, COLUMNS)) + "\r\n").encode()
    names, hidden = results.source_names(), _hidden()
    events = _events(asked)
    left = MAX_EVENTS
    while piece := list(islice(events, min(_PIECE, left + 1))):
        documents.prefetch([event for event in piece if "_document" not in event.__dict__])
        yield b"".join(write(event, names.get(event.source_id, ""), event.pk in hidden) for event in piece[:left])
        if len(piece) > left:
            yield _note(form)
            return
        left -= len(piece)


def _events(asked: EventFilter) -> Iterator[Event]:
    for found in results.matches(asked.whole(), Progress(None, UNLIMITED)):
        yield from found


def _hidden() -> frozenset[int]:
    """Return the events of open blind audits: their score is kept from whoever reviews them, here too."""
    links = AlertEvent.objects.filter(alert__origin=AlertOrigin.BLIND_AUDIT, alert__status=AlertStatus.OPEN)
    return frozenset(links.values_list("event_id", flat=True))


def _values(event: Event, source: str, hidden: bool) -> dict[str, object]:
    return {
        "id": event.pk,
        "timestamp": event.timestamp.isoformat(),
        "received_at": event.received_at.isoformat(),
        "source": source,
        "parser": event.parser,
        **{name: getattr(event, column) for name, column in ecs.COLUMNS.items()},
        "score": None if hidden else event.score,
        "p_value": None if hidden else event.p_value,
        "flagged": event.flagged,
        "message": documents.of(event).message or event.message,
    }


def _csv_line(event: Event, source: str, hidden: bool) -> bytes:
    values = _values(event, source, hidden)
    line = ",".join(csv_cell(values[name]) for name in COLUMNS) + "\r\n"
    return line.encode("utf-8", "replace")


def _json_line(event: Event, source: str, hidden: bool) -> bytes:
    values = _values(event, source, hidden)
    own = {name: values[name] for name in COLUMNS if name not in ecs.COLUMNS}
    return orjson.dumps(own | {"fields": documents.fields_of(event)}) + b"\n"


def _note(form: str) -> bytes:
    text = f"cut off after {MAX_EVENTS:,} events; narrow the search or its time range for the rest"
    return (csv_cell(text) + "\r\n").encode() if form == "csv" else orjson.dumps({"note": text}) + b"\n"
