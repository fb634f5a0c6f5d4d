"""NDJSON: one JSON object per line, and the choice of format for ``/api/v1/ingest``.

Handed: a body and its Content-Type. Hands on: the records, which receiver reads the stored body again, and
every line that was refused with its number. A refused line is reported to the sender and is no record; a
body without any good line is refused as a whole.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from triage.contracts import NO_ENVELOPE, Record
from triage.receivers import containers, decoding, json_values, lines
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults

JSON_MARKS = ("json", "ndjson", "jsonl", "jsonlines")


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A line that is no record: its 1-based number and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How a body was read: the receiver's name, its records, and the refused lines."""

    receiver: str
    records: list[Record]
    rejected: tuple[RejectedLine, ...] = ()


class NdJson:
    """JSON lines on ``/api/v1/ingest``."""

    name = "ndjson"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return one record per line that is a JSON object; codes: no_data, invalid_format."""
        return read_lines(body, parameters).records

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line of the record at a 0-based position; refused lines don't count."""
        good = ((value, line) for line in lines.split(body) if isinstance(value := _object(line), dict))
        pairs = ((Record(value, NO_ENVELOPE), decoding.decode_text(line)) for value, line in good)
        return containers.at(pairs, position)


RECEIVER = NdJson()


def _object(line: bytes) -> Any:
    """Return a line's value, or the reason as text when it is no JSON object."""
    try:
        value = decoding.loads(line)
    except BodyError as error:
        return str(error)
    return value if isinstance(value, dict) else "not a JSON object"


def read_lines(body: bytes, parameters: Parameters) -> Reading:
    """Read JSON lines, keeping apart what is no object."""
    decoding.check_count(body.count(b"\n"))
    decoding.check_size(body)
    envelope, records, rejected = defaults(parameters), [], []
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip(b" \t\r"):
            continue
        value = _object(line)
        if isinstance(value, dict):
            records.append(Record(value, envelope))
        else:
            rejected.append(RejectedLine(number, value))
    if not records:
        raise BodyError("invalid_format" if rejected else "no_data", rejected[0].reason if rejected else "No data")
    return Reading("ndjson", containers.expand_all(records), tuple(rejected))


def _read_json(body: bytes, parameters: Parameters) -> Reading:
    """Read a body that should be JSON: clean lines, else whole values, else lines with some refused."""
    decoding.check_size(body)
    envelope = defaults(parameters)
    try:
        values = [decoding.fast(line) for line in lines.split(body)]
    except (orjson.JSONDecodeError, BodyError):
        values = []
    if values and all(isinstance(value, dict) for value in values):
        return Reading("ndjson", containers.expand_all([Record(value, envelope) for value in values]))
    try:
        return Reading("json", json_values.RECEIVER.records(body, parameters))
    except BodyError:
        return read_lines(body, parameters)


def read(body: bytes, content_type: str, parameters: Parameters) -> Reading:
    """Read a body in the format its Content-Type names, or by looking at it when that says nothing.

    Raises :class:`BodyError` with the code no_data or invalid_format.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    start = decoding.strip(body[:256])[:1]
    if any(mark in media_type for mark in JSON_MARKS):
        return _read_json(body, parameters)
    if start == b"{" and not media_type.startswith("text/"):
        return _read_json(body, parameters)
    if start == b"[":
        try:
            return Reading("json", json_values.RECEIVER.records(body, parameters))
        except BodyError:
            return Reading("lines", lines.RECEIVER.records(body, parameters))
    return Reading("lines", lines.RECEIVER.records(body, parameters))
