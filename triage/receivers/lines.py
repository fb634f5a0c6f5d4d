"""Text lines: one record per line; a line that is a JSON object is handed on decoded.

Handed: any text. Hands on: one record per line that is not blank. Only a line feed ends a line, so that no
other character can forge a record. Nothing is refused for its syntax.
"""

import re

import orjson

from triage.contracts import NO_ENVELOPE, Envelope, Record
from triage.receivers import containers, decoding
from triage.receivers.base import BodyError, Parameters
from triage.receivers.envelope import defaults

_MARKS = re.compile(rb"(?:\xef\xbb\xbf)+")


def split(body: bytes) -> list[bytes]:
    r"""Return the lines that are not blank, without their line ends.

    >>> split(b"one\r\n\n two")
    [b'one', b' two']
    """
    decoding.check_count(body.count(b"\n"))
    lines = [_without_mark(line) for line in body.split(b"\n")]
    return [line.rstrip(b"\r") for line in lines if line.strip(b" \t\r")]


def _without_mark(line: bytes) -> bytes:
    """Drop byte order marks: where bodies are joined, one may stand before any line."""
    marks = _MARKS.match(line)
    return line[marks.end() :] if marks else line


def text_records(body: bytes, envelope: Envelope) -> list[Record]:
    """Return one text record per line; raise ``no_data`` when there is none."""
    records = [Record(decoding.decode_text(line), envelope) for line in split(body)]
    if not records:
        raise BodyError("no_data", "No data")
    return containers.expand_all(records)


def raw_line(body: bytes, position: int) -> str:
    """Return the line at a 0-based position; an element of a container in compact form."""
    texts = map(decoding.decode_text, split(body))
    return containers.at(((Record(text, NO_ENVELOPE), text) for text in texts), position)


def _content(line: bytes) -> str | dict[str, object]:
    """Decode a line that is a JSON object; anything else, broken JSON too, is text."""
    if line.lstrip().startswith(b"{"):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return decoding.decode_text(line)
        if isinstance(value, dict):
            return value
    return decoding.decode_text(line)


class Lines:
    """Text on ``/api/v1/ingest``."""

    name = "lines"
    joinable = True

    def records(self, body: bytes, parameters: Parameters) -> list[Record]:
        """Return one record per line; codes: no_data, too_many."""
        decoding.check_size(body)
        envelope = defaults(parameters)
        records = [Record(_content(line), envelope) for line in split(body)]
        if not records:
            raise BodyError("no_data", "No data")
        return containers.expand_all(records)

    def raw(self, body: bytes, parameters: Parameters, position: int) -> str:
        """Return the line at a 0-based position; an element of a container in compact form."""
        pairs = ((Record(_content(line), NO_ENVELOPE), decoding.decode_text(line)) for line in split(body))
        return containers.at(pairs, position)


RECEIVER = Lines()
