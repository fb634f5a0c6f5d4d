"""What a format hands the sender: one log record with the envelope its shipper would add.

Handed: nothing. Hands on: :class:`Message` and the two ways a record travels.
"""

import json
from dataclasses import dataclass
from typing import Any

#: Records that travel by Splunk HEC, and records that travel as NDJSON to ``/api/v1/ingest``.
HEC = "hec"
NDJSON = "ndjson"


@dataclass(frozen=True, slots=True)
class Message:
    """One record. ``time`` is seconds since the epoch, UTC; ``content`` is a raw line or a JSON object."""

    time: float
    host: str
    source: str
    sourcetype: str
    content: str | dict[str, Any]
    route: str = HEC

    def text(self) -> str:
        """Return the record as its shipper would print it."""
        if isinstance(self.content, str):
            return self.content
        return json.dumps(self.content, separators=(",", ":"))

    def encode(self) -> bytes:
        """Return the bytes of this record in a request body of its route, without a line end."""
        if self.route == NDJSON:
            return self.text().encode()
        wrapped = {
            "time": round(self.time, 3),
            "host": self.host,
            "source": self.source,
            "sourcetype": self.sourcetype,
            "event": self.content,
        }
        return json.dumps(wrapped, separators=(",", ":")).encode()
