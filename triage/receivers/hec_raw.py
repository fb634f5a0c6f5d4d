"""Splunk HEC raw: one event per line of text.

Handed: the body of ``/services/collector/raw`` and the metadata of its query string. Hands on: one text
record per line that is not blank, all with the request's metadata.
"""

from triage.contracts import Record
from triage.receivers.base import Parameters
from triage.receivers.hec_event import shared
from triage.receivers.lines import raw_line, text_records


class HecRaw:
    """``/services/collector/raw``."""

    name = "hec_raw"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return one text record per line; code: no_data."""
        return text_records(body, shared(parameters))

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line at a 0-based position."""
        return raw_line(body, position)


RECEIVER = HecRaw()
