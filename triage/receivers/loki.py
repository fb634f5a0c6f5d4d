"""Grafana Loki's push, however it was encoded: labels, entries, and what is refused of them.

Handed: the labels of a stream and its entries. Hands on: one :class:`~triage.contracts.Record` per line, and a
count of the entries that are none. Labels and structured metadata go to the envelope. Format: Loki HTTP API,
"Ingest logs"; a stream's labels as text follow the quoting of Prometheus and Go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triage.contracts import Envelope, Record
from triage.receivers import decoding
from triage.receivers.base import BodyError
from triage.receivers.semantics import split_labels

NANOSECONDS = 10**9
MAX_LABELS = 256
MAX_LABELS_TEXT = 65_536
#: Reasons kept for the reply.
MAX_REASONS = 10

_LABEL = re.compile(r'\s*+([^\s=,{}"`!~]{1,1024}+)\s*+=\s*+(?:"((?:[^"\\\n]|\\.)*+)"|`([^`]*+)`)\s*+')
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")
_SHORT = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))


@dataclass(slots=True)
class Push:
    """What a push turned out to be. ``refused`` entries are no records; ``reasons`` says why of the first ones."""

    records: list[Record] = field(default_factory=list)
    refused: int = 0
    reasons: list[str] = field(default_factory=list)

    def refuse(self, stream: int, reason: str, count: int = 1) -> None:
        """Count entries of a 0-based stream that are left out."""
        self.refused += count
        if count and len(self.reasons) < MAX_REASONS:
            self.reasons.append(f"stream {stream}: {reason}")


@dataclass(frozen=True, slots=True)
class Labels:
    """A stream's labels, split by :mod:`triage.receivers.semantics`."""

    ecs: dict[str, Any]
    rest: dict[str, Any]


def labels_of(labels: Mapping[str, str]) -> Labels:
    """Return a stream's labels as its records carry them."""
    ecs: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    split_labels(labels, ecs, rest)
    return Labels(ecs, rest)


def record_of(line: str, nanoseconds: int | None, labels: Labels, metadata: Mapping[str, str]) -> Record:
    """Return one line as a record; ``nanoseconds`` since the epoch, ``None`` when the time cannot be read."""
    ecs, rest = labels.ecs, labels.rest
    if metadata:
        ecs, rest = dict(ecs), dict(rest)
        split_labels(metadata, ecs, rest)
    time = None if nanoseconds is None else nanoseconds / NANOSECONDS
    return Record(line, Envelope(time=time, fields=rest or None, ecs=ecs or None))


def parse_labels(text: str) -> dict[str, str]:
    r"""Return the labels of a text such as ``{job="x", host="y"}``; raise ``invalid_format`` when it is none.

    >>> parse_labels('{job="a\\"b", path=`C:\\x`}')
    {'job': 'a"b', 'path': 'C:\\x'}
    """
    inner = text.strip()
    if not inner:
        return {}
    if len(inner) > MAX_LABELS_TEXT or inner[0] != "{" or inner[-1] != "}":
        raise BodyError("invalid_format", "its labels cannot be read")
    labels: dict[str, str] = {}
    position, end = 1, len(inner) - 1
    while inner[position:end].strip():
        found = _LABEL.match(inner, position, end)
        if found is None or len(labels) == MAX_LABELS or (found.end() < end and inner[found.end()] != ","):
            raise BodyError("invalid_format", "its labels cannot be read")
        name, quoted, plain = found.groups()
        labels[name] = plain if quoted is None else _ESCAPE.sub(_unescaped, quoted)
        position = min(found.end() + 1, end)
    return labels


def _unescaped(match: re.Match[str]) -> str:
    short, *hexadecimal, octal = match.groups()
    if short:
        return _SHORT[short]
    digits = next((digits for digits in hexadecimal if digits), None)
    code = int(digits, 16) if digits else int(octal, 8)
    return chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"


def text_of(value: Any) -> str:
    """Return the value of a label as text."""
    return value if isinstance(value, str) else decoding.as_text(value)
