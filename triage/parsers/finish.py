"""The last step of every parser: settle the time, add the envelope, keep the caps, build the event.

Handed: flat fields as a parser filled them, and the message. Hands on: a :class:`ParsedEvent` that every
store and every JSON writer accepts: no NUL, no lone surrogate, no NaN, nothing over its cap.
"""

import math
from itertools import islice
from typing import Any

import orjson

from triage.contracts import NO_ENVELOPE, Envelope, Fields, ParsedEvent, Record
from triage.parsers.times import AHEAD, BEHIND, DAY, EARLIEST, FLAG, INFERRED, doubts, oddity

MAX_FIELDS = 256
MAX_FLATTENED = 232  # leaves room for the ECS names and the envelope beside a document's own
MAX_TEXT = 8_192
MAX_MESSAGE = 32_768
MAX_DEPTH = 20
MAX_LIST = 64
MAX_NAME = 256
LARGEST = 2**63 - 1
SMALLEST = -(2**63)
REPLACEMENT = "\ufffd"


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """Cut to ``limit`` and replace what PostgreSQL text and UTF-8 refuse (NUL, lone surrogates)."""
    text = text[:limit]
    if not text.isascii():
        text = "".join(REPLACEMENT if "\ud800" <= char <= "\udfff" else char for char in text)
    return text.replace("\x00", REPLACEMENT)


def clean_scalar(value: Any) -> Any:
    """Return a value the stores accept, or ``None`` for what cannot be a field."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if SMALLEST <= value <= LARGEST:
            return value
        # str() of an int refuses more than 4,300 digits; hex() does not, and a number this long is not one to read.
        return str(value) if value.bit_length() < 4_096 else hex(value)[:MAX_TEXT]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return None


def clean_fields(fields: Fields) -> None:
    """Bring every name and value under its cap, in place; what is over the field cap is dropped from the end."""
    kept: Fields = {}
    for name, value in fields.items():
        if len(kept) == MAX_FIELDS:
            break
        if isinstance(value, list | tuple):
            cleaned: Any = [item for item in map(clean_scalar, value[:MAX_LIST]) if item is not None]
        else:
            cleaned = clean_scalar(value)
        if cleaned is not None and cleaned != []:
            kept[clean_text(name, MAX_NAME)] = cleaned
    fields.clear()
    fields.update(kept)


def is_sound(message: str, fields: Fields) -> bool:
    """Return True when one pass of the JSON writer proves that nothing has to be cleaned.

    The writer refuses surrogates and huge integers, writes NaN as null and NUL as an escape, and its
    output is longer than its longest text; so a short clean output needs no walk over the fields.
    """
    try:
        written = orjson.dumps([message, fields])
    except (TypeError, ValueError):
        return False
    if len(written) >= MAX_TEXT or len(fields) > MAX_FIELDS or b"\\u0000" in written:
        return False
    # A null stands behind one of these marks; "null" alone is also a word, and some vendors write it as text.
    return b"null" not in written or not (b":null" in written or b",null" in written or b"[null" in written)


def flatten(content: dict[str, Any], fields: Fields, prefix: str = "", depth: int = 1) -> None:
    """Add every scalar of a nested object under its dotted path; nulls and empty containers are left out.

    The same path in several objects of a list becomes one list, as search engines see it.
    """
    room = MAX_FLATTENED - len(fields)
    items = content.items() if len(content) <= room else islice(content.items(), max(room, 0))
    for key, value in items:
        kind = type(value)
        if kind is str or kind is int or kind is float or kind is bool:
            fields[prefix + key] = value
        elif kind is dict:
            if depth < MAX_DEPTH:
                flatten(value, fields, f"{prefix}{key}.", depth + 1)
        elif kind is list and value:
            _flatten_list(value, fields, prefix + key, depth)


def _flatten_list(values: list[Any], fields: Fields, name: str, depth: int) -> None:
    scalars: list[Any] = []
    for value in values[:MAX_LIST]:
        if isinstance(value, dict):
            if depth < MAX_DEPTH:
                part: Fields = {}
                flatten(value, part, f"{name}.", depth + 1)
                _gather(part, fields)
        elif isinstance(value, list):
            scalars.extend(item for item in value[:MAX_LIST] if isinstance(item, str | int | float))
        elif value is not None:
            scalars.append(value)
    if scalars and len(fields) < MAX_FLATTENED:
        fields[name] = scalars[:MAX_LIST]


def _gather(part: Fields, fields: Fields) -> None:
    for name, value in part.items():
        known = fields.get(name)
        added = value if isinstance(value, list) else [value]
        if isinstance(known, list):
            known.extend(added[: MAX_LIST - len(known)])
        elif known is not None:
            fields[name] = [known, *added][:MAX_LIST]
        elif len(fields) < MAX_FLATTENED:
            fields[name] = added


def settle_time(
    when: float | None, stamp: Any, envelope: Envelope, received_at: float, fields: Fields
) -> tuple[float, str]:
    """Return the event's time and its origin; an unreadable or absurd time is kept as text.

    What had to be supposed about the time, and what is odd about it, is marked.
    """
    latest = received_at + DAY
    if when is not None and EARLIEST <= when <= latest:
        if type(stamp) is str:
            supposed = doubts(stamp)
            if supposed:
                fields[INFERRED] = supposed
        if not received_at - BEHIND <= when <= received_at + AHEAD:
            fields[FLAG] = oddity(when, received_at)
        return when, "event"
    if stamp is not None and stamp != "":
        fields["winnow.time_unparsed"] = str(stamp)[:MAX_NAME]
    if when is not None:
        fields[FLAG] = oddity(when, received_at)
    fields.pop(INFERRED, None)
    told = envelope.time
    if told is not None:
        if not received_at - BEHIND <= told <= received_at + AHEAD:
            fields.setdefault(FLAG, oddity(told, received_at))
        if EARLIEST <= told <= latest:
            return told, "envelope"
    return received_at, "received"


def ends(fields: Fields) -> str:
    """Return ``source:port -> destination:port`` for a summary."""
    get = fields.get
    source = f"{get('source.ip', '-')}:{get('source.port', '-')}"
    return f"{source} -> {get('destination.ip', '-')}:{get('destination.port', '-')}"


def add_envelope(envelope: Envelope, fields: Fields) -> None:
    """Add what the protocol said; the record itself wins."""
    if envelope.host:
        fields.setdefault("host.name", envelope.host)
    if envelope.source:
        fields.setdefault("log.file.path", envelope.source)
    if envelope.sourcetype:
        fields["winnow.sourcetype"] = envelope.sourcetype
    if envelope.index:
        fields["winnow.index"] = envelope.index
    if envelope.ecs:
        for name, value in envelope.ecs.items():
            if fields.setdefault(name, value) != value:
                fields[f"labels.{name}"] = value
    if envelope.fields:
        flatten(dict(envelope.fields), fields, "labels.")


def finish(
    parser: str,
    record: Record,
    received_at: float,
    fields: Fields,
    *,
    message: str,
    when: float | None = None,
    stamp: Any = None,
    reason: str = "",
) -> ParsedEvent:
    """Build the event of one record. ``when`` is the record's own time, ``stamp`` how it wrote it."""
    envelope = record.envelope
    if envelope is not NO_ENVELOPE:
        add_envelope(envelope, fields)
    timestamp, origin = settle_time(when, stamp, envelope, received_at, fields)
    if not is_sound(message, fields):
        message = clean_text(message, MAX_MESSAGE)
        clean_fields(fields)
    return ParsedEvent(timestamp, origin, parser, message, fields, reason)
