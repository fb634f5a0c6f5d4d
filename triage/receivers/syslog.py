"""Syslog lines over HTTP: one record per line, whatever its syntax.

Handed: text, by habit what a syslog daemon's template wrote. Hands on: one text record per line that is not
blank; telling RFC 5424 from RFC 3164 and from plain text is the parsers' work.
"""

from triage.contracts import NO_ENVELOPE, Record
from triage.receivers.base import Parameters
from triage.receivers.lines import raw_line, text_records


class Syslog:
    """``/api/v1/ingest/syslog``."""

    name = "syslog"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return one text record per line; code: no_data."""
        return text_records(body, NO_ENVELOPE)

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line at a 0-based position."""
        return raw_line(body, position)


RECEIVER = Syslog()
