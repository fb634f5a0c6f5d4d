"""Elasticsearch bulk bodies: an action line, then the document's line.

Handed: pairs of lines as the intake kept them (``create`` and ``index``; refused documents are gone). Hands on: one
record per document, with the name of its index, its data stream or its pipeline beside it. Format: Elasticsearch
reference, "Bulk API".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from triage.contracts import Envelope, Record
from triage.receivers import decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import MAX_TEXT, short_text

OPERATIONS = frozenset({"create", "index", "update", "delete"})
#: Different action lines whose meaning is remembered while a body is read.
MAX_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Action:
    """What an action line says. ``index`` is empty when the line names none."""

    operation: str
    index: str = ""
    id: str = ""
    pipeline: str = ""


def read_action(line: bytes, number: int) -> Action:
    """Return what an action line says; ``number`` is its 1-based place in the body.

    Parameters that mean nothing here (routing, version, ``_type`` and unknown ones) are passed over.
    Raises :class:`~triage.receivers.base.BodyError` ``invalid_format`` when it is no action.
    """
    try:
        value = decoding.loads(line)
    except BodyError as error:
        raise _malformed(number, "it is not valid JSON") from error
    if not isinstance(value, dict) or len(value) != 1:
        raise _malformed(number, "expected an object with one action")
    operation, settings = next(iter(value.items()))
    if operation not in OPERATIONS:
        raise _malformed(number, "expected one of the actions create, delete, index or update")
    if not isinstance(settings, dict):
        raise _malformed(number, "expected an object behind the action")
    index, identity, pipeline = (_text(settings.get(name), number) for name in ("_index", "_id", "pipeline"))
    if len(index) > MAX_TEXT:
        raise _malformed(number, "the name of the index is too long")
    if operation == "index" and settings.get("op_type") == "create":
        operation = "create"
    return Action(operation, index, identity, pipeline)


def read_document(line: bytes) -> dict[str, Any]:
    """Return the document of a line; raise ``invalid_format`` when it is no JSON object."""
    try:
        value = decoding.fast(line)
    except orjson.JSONDecodeError:
        value = decoding.loads(line)
    if type(value) is not dict:
        raise BodyError("invalid_format", "the document is not a JSON object")
    return value


def _text(value: Any, number: int) -> str:
    """Return a plain value as text, as Elasticsearch does with numbers."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise _malformed(number, "expected a simple value")
    return value if isinstance(value, str) else decoding.as_text(value)


def _malformed(number: int, detail: str) -> BodyError:
    return BodyError("invalid_format", f"Malformed action/metadata line [{number}], {detail}")


def _pairs(body: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield every action line with its number and its document's line; blank lines may stand between pairs."""
    lines = body.split(b"\n")
    number, count = 0, len(lines)
    while number < count:
        line, number = lines[number], number + 1
        if not line or line.isspace():
            continue
        if number == count:
            raise _malformed(number, "its document is missing")
        yield number, line, lines[number]
        number += 1


def _envelope(action: Action, parameters: Parameters) -> Envelope:
    pipeline = action.pipeline or parameters.get("pipeline", "")
    return Envelope(
        index=short_text(action.index or parameters.get("index", "")),
        fields={"pipeline": short_text(pipeline)} if pipeline else None,
    )


class EsBulk:
    """``/elastic/_bulk`` and single documents, which are stored as bulk bodies of one."""

    name = "es_bulk"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return one record per document; codes: no_data, invalid_format, too_many."""
        decoding.check_count(body.count(b"\n") // 2)
        decoding.check_size(body)
        envelopes: dict[bytes, Envelope] = {}
        records: list[Record] = []
        for number, line, source in _pairs(body):
            envelope = envelopes.get(line)
            if envelope is None:
                envelope = _envelope(read_action(line, number), parameters)
                if len(envelopes) < MAX_REMEMBERED:
                    envelopes[line] = envelope
            records.append(Record(read_document(source), envelope))
        if not records:
            raise BodyError("no_data", "no requests added")
        return records

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line of the document at a 0-based position, as it was sent."""
        for seen, (_, _, source) in enumerate(_pairs(body)):
            if seen == position:
                return decoding.decode_text(decoding.strip(source))
        raise IndexError(f"no record {position} in the body")


RECEIVER = EsBulk()
