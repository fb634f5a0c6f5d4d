"""The shape of one intrusion: what is sent, and what only the answer key knows.

Handed: nothing. Hands on: :class:`Story`.
"""

from dataclasses import dataclass

from bench.company.message import Message


@dataclass(frozen=True, slots=True)
class Story:
    """One intrusion.

    ``markers`` are texts that occur in this story's records and in no other record of the stream: an
    address, a name, a command. The records that carry one are decisive: at least one of them has to be
    flagged for the story to count as surfaced.
    """

    kind: str
    title: str
    technique: str
    markers: tuple[str, ...]
    messages: tuple[Message, ...]

    def decisive(self) -> tuple[Message, ...]:
        """Return the records that carry a marker."""
        return tuple(message for message in self.messages if carries(message.text(), self.markers))


def carries(text: str, markers: tuple[str, ...]) -> bool:
    """Tell whether a text holds one of the markers as a whole, not as part of a longer address or name.

    >>> carries("from 192.0.2.77 port 22", ("192.0.2.7",))
    False
    """
    return any(_holds(text, marker) for marker in markers)


def _holds(text: str, marker: str) -> bool:
    place = text.find(marker)
    while place >= 0:
        after = text[place + len(marker) : place + len(marker) + 1]
        before = text[place - 1 : place] if place else ""
        if not (marker[-1:].isalnum() and after.isalnum()) and not (marker[:1].isdigit() and before.isdigit()):
            return True
        place = text.find(marker, place + 1)
    return False
