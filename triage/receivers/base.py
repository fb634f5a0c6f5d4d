"""The shape of a receiver: how bytes arrive.

A receiver is handed the inflated body of one request and its parameters, and hands on records. The same
function runs twice: in the web process to validate before the reply, and in the pipeline to read the
stored body. It must be pure and give the same records both times.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from triage.contracts import Record

#: What a request says about all of its records: defaults from the query string or headers.
Parameters = Mapping[str, str]


class BodyError(ValueError):
    """The body breaks its protocol.

    ``code`` is the receiver's own word for what is wrong (``no_data``, ``invalid_format``,
    ``event_required``, ``event_blank``, ``nested_fields``, ``too_many``; of compressed parts ``too_large``,
    ``damaged``, ``encoding``); ``event_number`` is the 0-based record it was found at, where known.
    """

    def __init__(self, code: str, message: str, event_number: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.event_number = event_number


class Receiver(Protocol):
    """One protocol's body format."""

    name: str
    #: Bodies of two requests may be stored as one, joined by a newline.
    joinable: bool

    def records(self, body: bytes, parameters: Parameters) -> Sequence[Record]:
        """Return the records of a body in order; raise :class:`BodyError` when it breaks the protocol."""

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the exact text of the record at a 0-based position, for "show raw"."""
