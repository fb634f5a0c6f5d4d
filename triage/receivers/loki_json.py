"""Grafana Loki's push in JSON: ``{"streams":[{"stream":{..},"values":[["<ns>","line",{..}]]}]}``.

Handed: one JSON object. Hands on: one record per entry whose time is a number and whose line is text. An entry
of another shape is left out and counted.
"""

from collections.abc import Iterator
from typing import Any

from triage.contracts import Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.loki import Labels, Push, labels_of, record_of, text_of

_MAX_DIGITS = 20
_BAD_ENTRY = "an entry is not a time in nanoseconds and a line of text"


class LokiJson:
    """``/loki/api/v1/push`` with ``application/json``."""

    name = "loki_json"
    joinable = False

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the lines in order; codes: no_data, invalid_format."""
        return self.read(body).records

    def read(self, body: bytes) -> Push:
        """Return the records of a body, and what is left out of it."""
        push = Push()
        for number, labels, values in _streams(body):
            for value in values:
                record = _record(value, labels)
                if record is None:
                    push.refuse(number, _BAD_ENTRY)
                else:
                    push.records.append(record)
        push.records = containers.expand_all(push.records)
        return push

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line of the record at a 0-based position; an element of a container in compact form."""
        records = (_record(value, labels) for _, labels, values in _streams(body) for value in values)
        return containers.at(((record, containers.as_sent(record)) for record in records if record), position)


RECEIVER = LokiJson()


def _streams(body: bytes) -> Iterator[tuple[int, Labels, list[Any]]]:
    """Yield (number, labels, entries) of each stream."""
    if not body.strip():
        raise BodyError("no_data", "the body is empty")
    request, count = decoding.document(body), 0
    streams = request.get("streams", []) if isinstance(request, dict) else None
    if not isinstance(streams, list) or not all(isinstance(stream, dict) for stream in streams):
        raise BodyError("invalid_format", "streams is not a list of objects")
    for number, stream in enumerate(streams):
        labels, values = stream.get("stream", {}), stream.get("values", [])
        if not isinstance(labels, dict) or not isinstance(values, list):
            raise BodyError("invalid_format", f"stream {number} has no labels or no values")
        count += len(values)
        decoding.check_count(count)
        yield number, labels_of({name: text_of(value) for name, value in labels.items()}), values


def _record(value: Any, labels: Labels) -> Record | None:
    """Return the record of an entry, or ``None`` when it is no ``[time, line]`` or ``[time, line, metadata]``."""
    if type(value) is not list or len(value) < 2 or type(value[1]) is not str:
        return None
    nanoseconds = _nanoseconds(value[0])
    if nanoseconds is None:
        return None
    metadata = value[2] if len(value) > 2 and type(value[2]) is dict else {}
    if metadata:
        metadata = {name: text_of(item) for name, item in metadata.items()}
    return record_of(value[1], nanoseconds, labels, metadata)


def _nanoseconds(value: Any) -> int | None:
    if type(value) is str and len(value) <= _MAX_DIGITS:
        try:
            return int(value)
        except ValueError:
            return None
    if type(value) is float and abs(value) < 2.0**64:
        return int(value)
    return value if type(value) is int else None
