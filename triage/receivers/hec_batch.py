"""Splunk HEC events of one request, of which later ones leave out what an earlier one has said.

Handed: the body of ``/services/collector/event`` and the metadata of its query string. Hands on: the records of
:mod:`triage.receivers.hec_event`, where host, source, sourcetype and index hold until an event says otherwise.
Few bodies need it; they are stored alone, so that nothing carries over from one request into the next.
"""

from collections.abc import Sequence
from dataclasses import replace

from triage.contracts import Record
from triage.receivers import containers
from triage.receivers.base import Parameters
from triage.receivers.hec_event import HecEvent, record_of, shared, values


class HecBatch(HecEvent):
    """``/services/collector/event`` with metadata that carries on."""

    name = "hec_batch"
    joinable = False

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return the events in order; codes as in :class:`~triage.receivers.hec_event.HecEvent`."""
        first = inherited = shared(parameters)
        found: list[Record] = []
        for number, value in enumerate(values(body)):
            record = record_of(value, inherited, number)
            inherited = replace(record.envelope, time=first.time, fields=None)
            found.append(record)
        return containers.expand_all(found)


def is_needed(records: Sequence[Record], parameters: Parameters) -> bool:
    """Return whether some events say what others leave out, given the records of :class:`HecEvent`."""
    said = {
        (envelope.host, envelope.source, envelope.sourcetype, envelope.index)
        for envelope in (record.envelope for record in records)
    }
    if len(said) < 2:
        return False
    default = shared(parameters)
    unsaid = (default.host, default.source, default.sourcetype, default.index)
    return any(
        nothing in column and len(set(column)) > 1
        for nothing, column in zip(unsaid, zip(*said, strict=True), strict=True)
    )


RECEIVER = HecBatch()
