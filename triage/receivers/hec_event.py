"""Splunk HEC events: a stream of JSON objects, any or no blanks between them.

Handed: the body of ``/services/collector/event`` and the metadata of its query string. Hands on: one record
per object, whose envelope inherits from the request what the object leaves out. All or nothing: the first
event that breaks the protocol refuses the body, with its number counted from 0.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from triage.contracts import Envelope, Record
from triage.receivers import decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults, seconds, short_text


class HecEvent:
    """``/services/collector/event``."""

    name = "hec_event"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the events in order; codes: no_data, invalid_format, event_required, event_blank, nested_fields."""
        values = decoding.stream(body)
        if not values:
            raise BodyError("no_data", "No data")
        inherited = defaults(parameters)
        return [_record(value, inherited, number) for number, value in enumerate(values)]

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the JSON object at a 0-based position, as it was sent."""
        pieces = decoding.pieces(body)
        try:
            for piece in pieces:
                decoding.fast(piece)
        except orjson.JSONDecodeError:
            return [text for _, text in decoding.values_with_spans(body)][position]
        return decoding.decode_text(decoding.strip(pieces[position]))


def _record(value: Any, inherited: Envelope, number: int) -> Record:
    if not isinstance(value, dict):
        raise BodyError("invalid_format", "an event is a JSON object", number)
    return Record(_content(value, number), _envelope(value, inherited, number))


def _content(value: dict[str, Any], number: int) -> str | dict[str, Any]:
    event = value.get("event")
    if event is None:
        raise BodyError("event_required", "Event field is required", number)
    if event in ("", {}):
        raise BodyError("event_blank", "Event field cannot be blank", number)
    return event if isinstance(event, str | dict) else decoding.as_text(event)


def _envelope(value: dict[str, Any], inherited: Envelope, number: int) -> Envelope:
    fields = value.get("fields")
    if fields is not None:
        _check_fields(fields, number)
    return Envelope(
        time=seconds(value.get("time")),
        host=short_text(value.get("host")) or inherited.host,
        source=short_text(value.get("source")) or inherited.source,
        sourcetype=short_text(value.get("sourcetype")) or inherited.sourcetype,
        index=short_text(value.get("index")) or inherited.index,
        fields=fields or None,
    )


def _check_fields(fields: Any, number: int) -> None:
    """Indexed fields are flat: scalars, or lists of scalars."""
    if not isinstance(fields, Mapping):
        raise BodyError("nested_fields", "fields is not an object", number)
    for item in fields.values():
        inner = item if isinstance(item, list) else [item]
        if any(isinstance(part, dict | list) for part in inner):
            raise BodyError("nested_fields", "fields holds a nested value", number)


RECEIVER = HecEvent()
