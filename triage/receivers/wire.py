"""The frame of protobuf messages, walked without building them.

Handed: a serialised message. Hands on: where the parts of one field begin and end. A message of two bytes per
element becomes thirty times its size once it is built; so what holds many elements is cut here, counted, and built
one element at a time. Format: Protocol Buffers documentation, "Encoding".
"""

from collections.abc import Iterator

from triage.receivers.base import BodyError
from triage.receivers.decoding import MAX_RECORDS

#: An element is walked over twice, and so is what holds it.
MAX_STEPS = 4 * MAX_RECORDS


def malformed() -> BodyError:
    """Return the error of a body that is no such message."""
    return BodyError("invalid_format", "not a valid protobuf message")


class Walker:
    """Walks over one body; the steps of all walks together are capped."""

    __slots__ = ("_left", "body")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._left = MAX_STEPS

    def parts(self, number: int, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where each part of a length-delimited field begins and ends, in the message at ``start:end``.

        Raises :class:`~triage.receivers.base.BodyError` ``invalid_format`` or ``too_many``.
        """
        body, wanted, position = self.body, number << 3 | 2, start
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise BodyError("too_many", "too many fields")
            tag = body[position]
            position += 1
            if tag >= 0x80:
                tag, position = self._varint(position - 1, end)
            if tag & 7 != 2:
                position = self._skip(tag, position, end)
                continue
            length, begin = body[position] if position < end else 0x80, position + 1
            if length >= 0x80:
                length, begin = self._varint(position, end)
            position = begin + length
            if position > end or tag < 8:
                raise malformed()
            if tag == wanted:
                yield begin, position

    def joined(self, number: int, start: int, end: int) -> bytes:
        """Return the parts of a field one behind the other, which is how protobuf merges a message."""
        found = [self.body[begin:stop] for begin, stop in self.parts(number, start, end)]
        return found[0] if len(found) == 1 else b"".join(found)

    def last(self, number: int, start: int, end: int) -> bytes:
        """Return the last part of a field, which is the one that counts for text."""
        found = b""
        for begin, stop in self.parts(number, start, end):
            found = self.body[begin:stop]
        return found

    def _skip(self, tag: int, position: int, end: int) -> int:
        kind = tag & 7
        if kind == 0:
            _, position = self._varint(position, end)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:  # groups are no part of these protocols
            raise malformed()
        if position > end or tag < 8:
            raise malformed()
        return position

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = shift = 0
        body = self.body
        while position < end and shift < 64:
            byte = body[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
        raise malformed()
