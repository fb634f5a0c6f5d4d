"""Azure Monitor Logs Ingestion: an array of records.

Handed: the body of a call, one JSON array (or several, where bodies were joined). Hands on: one record per element,
with ``TimeGenerated`` on its envelope. All or nothing: a body that is not arrays to its end is refused.
Format: Microsoft, "Logs Ingestion API in Azure Monitor".
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from triage.contracts import Envelope, Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults, seconds

TIME = "TimeGenerated"


class Azure:
    """``/dataCollectionRules/{rule}/streams/{stream}``."""

    name = "azure"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the elements in order, none for an empty array; codes: no_data, invalid_format, too_many."""
        return containers.expand_all(list(_records(body, defaults(parameters))))

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the element at a 0-based position as compact JSON."""
        pairs = ((record, containers.as_sent(record)) for record in _records(body, defaults(parameters)))
        return containers.at(pairs, position)


def _records(body: bytes, envelope: Envelope) -> Iterator[Record]:
    arrays = _arrays(body)
    decoding.check_count(sum(len(array) for array in arrays))
    for array in arrays:
        for element in array:
            yield _record(element, envelope)


def _arrays(body: bytes) -> list[list[Any]]:
    stripped = decoding.strip(body)
    if not stripped:
        raise BodyError("no_data", "the body is empty")
    try:
        values = [decoding.loads(stripped)]
    except BodyError:
        values = [value for value, _ in decoding.values_with_spans(stripped)]
    if not all(isinstance(value, list) for value in values):
        raise BodyError("invalid_format", "the body is not a JSON array")
    return values


def _record(element: Any, envelope: Envelope) -> Record:
    if not isinstance(element, dict):
        return Record(element if isinstance(element, str) else decoding.as_text(element), envelope)
    when = seconds(element.get(TIME))
    return Record(element, envelope if when is None else replace(envelope, time=when))


RECEIVER = Azure()
