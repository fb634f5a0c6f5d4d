"""JSON values: one object, an array, or several of them in a row, pretty-printed or not.

Handed: a body of whole JSON values. Hands on: one record per object; an array or a container stands for its
elements. All or nothing: a body that is not JSON to its end is refused.
"""

from collections.abc import Iterator
from typing import Any

from triage.contracts import NO_ENVELOPE, Envelope, Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults


class JsonValues:
    """Whole JSON values on ``/api/v1/ingest``."""

    name = "json"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the objects in order, none for an empty array; codes: no_data, invalid_format."""
        values = _values(body)
        if not values:
            raise BodyError("no_data", "No data")
        envelope = defaults(parameters)
        return containers.expand_all(
            [record for number, value in enumerate(values) for record in _flatten(value, envelope, number)]
        )

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the text of the object at a 0-based position.

        An object is returned as it was sent; an element of an array or of a container in compact form.
        """
        return containers.at(_with_texts(body), position)


def _with_texts(body: bytes) -> Iterator[tuple[Record, str]]:
    for number, (value, text) in enumerate(decoding.values_with_spans(body)):
        for record in _flatten(value, NO_ENVELOPE, number):
            yield record, containers.as_sent(record) if isinstance(value, list) else text


def _values(body: bytes) -> list[Any]:
    stripped = decoding.strip(body)
    if not stripped:
        return []
    try:
        return [decoding.loads(stripped)]
    except BodyError:
        return decoding.stream(stripped)


def _flatten(value: Any, envelope: Envelope, number: int) -> list[Record]:
    if isinstance(value, dict):
        return [Record(value, envelope)]
    if isinstance(value, list):
        decoding.check_count(len(value))
        return [Record(item if isinstance(item, str | dict) else decoding.as_text(item), envelope) for item in value]
    raise BodyError("invalid_format", "neither a JSON object nor an array", number)


RECEIVER = JsonValues()
