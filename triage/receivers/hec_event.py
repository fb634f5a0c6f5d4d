"""Splunk HEC events: a stream of JSON objects, any or no blanks between them.

Handed: the body of ``/services/collector/event`` and the metadata of its query string. Hands on: one record
per object (one per element where the event is a container of many), whose envelope inherits from the request
what the object leaves out. All or nothing: the first event that breaks the protocol refuses the body, with its
number counted from 0.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from triage.contracts import NO_ENVELOPE, Envelope, Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import LATEST_SECONDS, MAX_TEXT, defaults, seconds, short_text


class HecEvent:
    """``/services/collector/event``."""

    name = "hec_event"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the events in order; codes: no_data, invalid_format, event_required, event_blank, nested_fields."""
        inherited = shared(parameters)
        return containers.expand_all([record_of(value, inherited, number) for number, value in enumerate(values(body))])

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the JSON object at a 0-based position, as it was sent; an element of a container in compact form."""
        pairs = (
            (record_of(value, NO_ENVELOPE, number), text) for number, (value, text) in enumerate(_with_texts(body))
        )
        return containers.at(pairs, position)


def _with_texts(body: bytes) -> list[tuple[Any, str]]:
    """Return every value of a body with its text, read the same way as :meth:`HecEvent.records` reads them."""
    pieces = decoding.pieces(body)
    try:
        return [(decoding.fast(piece), decoding.decode_text(decoding.strip(piece))) for piece in pieces]
    except orjson.JSONDecodeError:
        return list(decoding.values_with_spans(body))


def shared(parameters: Parameters) -> Envelope:
    """Return what a request says about all of its events; ``time`` is theirs where they have none."""
    envelope = defaults(parameters)
    return replace(envelope, time=seconds(parameters["time"])) if "time" in parameters else envelope


def values(body: bytes) -> list[Any]:
    """Return the JSON values of a body; codes: no_data, invalid_format."""
    found = decoding.stream(body)
    if not found:
        raise BodyError("no_data", "No data")
    return found


def record_of(value: Any, inherited: Envelope, number: int) -> Record:
    """Return one event; codes: invalid_format, event_required, event_blank, nested_fields."""
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
    when, host, source = value.get("time"), value.get("host"), value.get("source")
    kind, index = value.get("sourcetype"), value.get("index")
    # The usual shapes inline: this runs for every event, at the intake and again in the pipeline.
    if type(when) is not float or not 0.0 <= when < LATEST_SECONDS:
        when = seconds(when)
    return Envelope(
        inherited.time if when is None else when,
        host if type(host) is str and 0 < len(host) <= MAX_TEXT else short_text(host) or inherited.host,
        source if type(source) is str and 0 < len(source) <= MAX_TEXT else short_text(source) or inherited.source,
        kind if type(kind) is str and 0 < len(kind) <= MAX_TEXT else short_text(kind) or inherited.sourcetype,
        index if type(index) is str and 0 < len(index) <= MAX_TEXT else short_text(index) or inherited.index,
        fields or None,
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
