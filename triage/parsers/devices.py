"""Formats of network devices and services, alone on a line or inside a syslog message.

Handed: a message without its syslog header, and the program's name. Hands on: filled fields and the time the message
wrote itself. A format is a module with ``looks(app, text)``, which must be cheap and precise, and
``read(text, fields)``, which returns the message's own time text (``""`` when it has none) or ``None`` when the
message turns out to be of another format; it then has left ``fields`` as they were.
"""

from types import ModuleType

from triage.contracts import Fields, ParsedEvent, Record
from triage.parsers import (
    cef,
    cisco,
    dns_servers,
    fortigate,
    haproxy,
    leef,
    openvpn,
    packet_filters,
    packet_texts,
    palo_alto,
    squid,
    times,
)
from triage.parsers.finish import finish

#: First one that reads a message wins.
FORMATS: tuple[ModuleType, ...] = (
    cef,
    leef,
    cisco,
    fortigate,
    palo_alto,
    openvpn,
    packet_filters,
    packet_texts,
    squid,
    haproxy,
    dns_servers,
)
#: Messages that begin so have no program's name before a colon.
UNTAGGED = ("%", "CEF:", "LEEF:")


def read(app: str, text: str, fields: Fields) -> str | None:
    """Fill the fields of a device's message; return its own time text, ``None`` when no format is its own."""
    for form in FORMATS:
        if form.looks(app, text):
            stamp: str | None = form.read(text, fields)
            if stamp is not None:
                return stamp
    return None


class Devices:
    """A device's message alone on its line."""

    name = "devices"
    takes = str

    def claim(self, record: Record) -> int:
        content = record.content
        return 70 if isinstance(content, str) and any(form.looks("", content) for form in FORMATS) else 0

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        content = record.content
        if not isinstance(content, str):
            return None
        fields: Fields = {}
        stamp = read("", content, fields)
        if stamp is None:
            return None
        when = times.from_text(stamp) if stamp else None
        return finish(self.name, record, received_at, fields, message=content, when=when, stamp=stamp)
