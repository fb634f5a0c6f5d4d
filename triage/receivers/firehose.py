"""AWS Firehose: what its records carry, in base64 and often in gzip, as log records.

Handed: the JSON body of a delivery, then the stored body that is made of it. Hands on: one record per line or JSON
object inside a delivered record; a CloudWatch Logs subscription becomes one record per log event. What is stored
are the delivered records themselves, decoded and inflated, each behind its length (``5:hello`` and a newline), so
that their bytes stay as they were and nothing is ever inflated twice.
Formats: AWS, "HTTP endpoint delivery request and response specifications" and "Subscription filters".
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from triage.contracts import Envelope, Record
from triage.receivers import containers, decoding, lines
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults, seconds, short_text
from triage.receivers.inflating import Budget, inflate

GZIP = b"\x1f\x8b"
MAX_FIELDS = 50
_LENGTH = re.compile(rb"[ \t\r\n]*(?:([0-9]{1,12}):|\Z)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: its id (empty when the body has none) and its records, decoded and inflated."""

    request_id: str
    records: tuple[bytes, ...]


def delivery(body: bytes, budget: Budget) -> Delivery:
    """Read a request's body; what its records inflate to is taken from the budget.

    Raises :class:`BodyError`: no_data, invalid_format (with the number of the record), too_large.
    """
    if not decoding.strip(body):
        raise BodyError("no_data", "No data")
    value = decoding.loads(decoding.strip(body))
    delivered = value.get("records") if isinstance(value, dict) else None
    if not isinstance(delivered, list):
        raise BodyError("invalid_format", "not an object with an array of records")
    decoding.check_count(len(delivered))
    request_id = value.get("requestId")
    return Delivery(
        request_id=request_id if isinstance(request_id, str) else "",
        records=tuple(_data(record, number, budget) for number, record in enumerate(delivered)),
    )


def _data(record: Any, number: int, budget: Budget) -> bytes:
    data = record.get("data") if isinstance(record, dict) else None
    if not isinstance(data, str):
        raise BodyError("invalid_format", f"record {number} has no data", number)
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BodyError("invalid_format", f"the data of record {number} is not base64", number) from error
    return inflated(decoded, budget)


def inflated(data: bytes, budget: Budget) -> bytes:
    """Return data without its gzip; what only looks like gzip stays as it is. Raises too_large."""
    if not data.startswith(GZIP):
        return data
    try:
        return inflate(data, "gzip", budget)
    except BodyError as error:
        if error.code == "too_large":
            raise
        return data


def packed(records: Sequence[bytes]) -> bytes:
    r"""Return the body that is stored for delivered records.

    >>> packed([b"one", b""])
    b'3:one\n0:\n'
    """
    return b"".join(b"%d:%b\n" % (len(record), record) for record in records)


def _unpacked(body: bytes) -> Iterator[bytes]:
    position = 0
    while True:
        match = _LENGTH.match(body, position)
        if match is None:
            raise BodyError("invalid_format", "not packed records")
        if match.group(1) is None:
            return
        position = match.end() + int(match.group(1))
        if position > len(body):
            raise BodyError("invalid_format", "a packed record is cut short")
        yield body[match.end() : position]


class Firehose:
    """``/api/v1/ingest/firehose``."""

    name = "firehose"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the log records in the delivered records; codes: no_data, invalid_format, too_many."""
        if not decoding.strip(body):
            raise BodyError("no_data", "No data")
        decoding.check_size(body)
        found: list[Record] = []
        for record, _ in _pairs(body, _shared(parameters)):
            found.append(record)
            decoding.check_count(len(found))
        return containers.expand_all(found)

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line, the JSON object or the log event's message at a 0-based position, as it was sent."""
        return containers.at(_pairs(body, _shared(parameters)), position)


def _shared(parameters: Parameters) -> Envelope:
    """Return the envelope of a delivery; ``fields`` are its common attributes as JSON."""
    envelope = defaults(parameters)
    if not parameters.get("fields"):
        return envelope
    try:
        value = orjson.loads(parameters["fields"])
    except orjson.JSONDecodeError:
        return envelope
    return replace(envelope, fields=value) if isinstance(value, dict) else envelope


def common_fields(header: str) -> str:
    """Return the attributes of ``{"commonAttributes":{..}}`` as capped JSON; empty when there are none.

    >>> common_fields('{"commonAttributes":{"stage":"test"}}')
    '{"stage":"test"}'
    """
    try:
        value = decoding.loads(header.encode("utf-8", "replace"))
    except BodyError:
        return ""
    attributes = value.get("commonAttributes") if isinstance(value, dict) else None
    if not isinstance(attributes, dict):
        return ""
    fields = {str(name)[:256]: short_text(text) for name, text in list(attributes.items())[:MAX_FIELDS]}
    return decoding.as_text(fields) if fields else ""


def _pairs(body: bytes, shared: Envelope) -> Iterator[tuple[Record, str]]:
    """Yield the log records of a stored body with their texts, containers not yet cut."""
    for data in _unpacked(body):
        for value, text in _values(data):
            if isinstance(value, dict) and _is_subscription(value):
                yield from _log_events(value, shared)
            else:
                yield Record(value, shared), text


def _values(data: bytes) -> Iterator[tuple[str | dict[str, Any], str]]:
    """Yield the JSON objects of a delivered record with their texts, or its lines when it is not all objects."""
    if decoding.strip(data[:256])[:1] == b"{":
        found = objects(data)
        if found:
            yield from found
            return
    for line in lines.split(data):
        text = decoding.decode_text(line)
        yield text, text


def objects(data: bytes) -> list[tuple[dict[str, Any], str]]:
    """Return the objects of a stream, or nothing when it is anything else."""
    decoding.check_size(data)
    pieces = decoding.pieces(data)
    decoding.check_count(len(pieces))
    try:
        values = [(decoding.fast(piece), decoding.decode_text(decoding.strip(piece))) for piece in pieces]
    except orjson.JSONDecodeError:
        values = _slowly(data)
    except BodyError:  # nested too deeply
        return []
    return values if all(isinstance(value, dict) for value, _ in values) else []


def _slowly(data: bytes) -> list[tuple[Any, str]]:
    try:
        return list(decoding.values_with_spans(data))
    except BodyError:
        return []


def _is_subscription(value: dict[str, Any]) -> bool:
    return isinstance(value.get("messageType"), str) and isinstance(value.get("logEvents"), list)


def _log_events(value: dict[str, Any], shared: Envelope) -> Iterator[tuple[Record, str]]:
    """Yield the events of a CloudWatch Logs subscription; its control messages are records like others.

    Were control messages left out, whoever writes the log could hide a line by calling it one.
    """
    fields = dict(shared.fields or {})
    for name, key in (("log_group", "logGroup"), ("log_stream", "logStream"), ("account_id", "owner")):
        text = short_text(value.get(key))
        if text:
            fields[name] = text
    envelope = replace(shared, source=short_text(value.get("logGroup")) or shared.source, fields=fields or None)
    for event in value["logEvents"]:
        if isinstance(event, dict) and isinstance(event.get("message"), str):
            text = event["message"]
            yield Record(text, replace(envelope, time=seconds(event.get("timestamp")))), text
        else:
            content = event if isinstance(event, str | dict) else decoding.as_text(event)
            yield Record(content, envelope), decoding.as_text(event)


RECEIVER = Firehose()
