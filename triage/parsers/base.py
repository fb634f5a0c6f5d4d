"""The shape of a parser: what a record means.

A parser is handed one record and hands on one event in ECS terms. Parsers are pure and never raise on
purpose: the room's ``parse`` turns an exception into a fallback event with a counted reason.
"""

from typing import Protocol, Self, runtime_checkable

from triage.contracts import ParsedEvent, Record


class Parser(Protocol):
    """One log format.

    A parser that reads nothing but text, or nothing but objects, may say so in an attribute ``takes`` (``str`` or
    ``dict``); it is then not asked about the other.
    """

    name: str

    def claim(self, record: Record) -> int:
        """Return how sure the parser is that the record is its own: 0 (no) to 100 (certain).

        Must be cheap: it runs for every parser whenever a source sends something unfamiliar.
        """

    def parse(self, record: Record, received_at: float) -> ParsedEvent | None:
        """Return the event, or ``None`` when the record turns out not to be of this format."""


@runtime_checkable
class BatchParser(Parser, Protocol):
    """A format whose records explain each other: column headers, several records of one event.

    What one record says about another counts within one batch only, so that a stored batch means the same
    whenever it is read.
    """

    def for_batch(self) -> Self:
        """Return a fresh instance that is used for the records of one batch."""

    def settle(self) -> None:
        """Called once after the batch's last record: complete the ``fields`` of events handed out before."""
