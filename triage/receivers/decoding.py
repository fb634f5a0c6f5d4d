"""Decode JSON and text that strangers wrote, the same way every time, without ever crashing.

Handed: bytes of a body. Hands on: Python values, or :class:`~triage.receivers.base.BodyError` with the
code ``invalid_format``. The fast path is orjson; what it refuses (NaN, lone surrogates, invalid UTF-8, huge
numbers, control characters inside strings) is read once more by a tolerant decoder that keeps it as text.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

from triage.receivers.base import BodyError

#: Deeper nesting is refused by the tolerant decoder; far below what recursion in CPython stands.
MAX_DEPTH = 400
MAX_DIGITS = 400
#: What is left of a value that is too deep to be written down.
SHOWN_DEPTH = 200
#: Most records of one body; the position of a record is a part of its event's id.
MAX_RECORDS = 2**20 - 1
#: Most objects and arrays of one value: an empty one takes two bytes of the body and thirty times that in memory.
MAX_CONTAINERS = 2**22
#: Most commas of one body: a number behind each takes two bytes of the body and twenty times that in memory.
MAX_MEMBERS = 3_000_000
BLANKS = " \t\r\n"
_BLANK_BYTES = BLANKS.encode()
_BOM = b"\xef\xbb\xbf"
_SURROGATES = re.compile("[\ud800-\udfff]")
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NOT_BLANK = re.compile(r"[^ \t\r\n]")


def decode_text(body: bytes) -> str:
    """Return the body as text; bytes that are not UTF-8 become U+FFFD."""
    return body.decode("utf-8", "replace")


def check_count(count: int) -> None:
    """Refuse a body of too many records before they are made; code: too_many."""
    if count > MAX_RECORDS:
        raise BodyError("too_many", f"more than {MAX_RECORDS} records")


def check_size(body: bytes) -> None:
    """Refuse a body that takes much more memory as values than as text, before it is read; code: too_many."""
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise BodyError("too_many", f"more than {MAX_CONTAINERS} objects and arrays")
    if body.count(b",") > MAX_MEMBERS:
        raise BodyError("too_many", f"more than {MAX_MEMBERS} members")


def strip(body: bytes) -> bytes:
    """Return the body without a byte order mark and without blanks at both ends."""
    return body.removeprefix(_BOM).strip(_BLANK_BYTES)


def _integer(digits: str) -> int | float | str:
    """Read integers as orjson does: beyond 64 bits they are floats; absurd ones stay text."""
    if len(digits) > MAX_DIGITS:
        return digits
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else _float(digits)


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


_TOLERANT = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_float, parse_constant=str)


def _without_surrogates(value: Any) -> Any:
    """Replace lone surrogates, which no database stores, by U+FFFD."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _check_depth(text: str) -> None:
    """Refuse text nested deeper than ``MAX_DEPTH``, in one pass and without recursion."""
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BodyError("invalid_format", f"nested deeper than {MAX_DEPTH} levels")
        elif mark in "]}":
            depth -= 1


def values_with_spans(body: bytes) -> Iterator[tuple[Any, str]]:
    """Yield every JSON value of a stream with its exact text; any or no blanks may stand between them.

    Raises :class:`BodyError` with the 0-based number of the value that cannot be read.
    """
    check_size(body)
    text = decode_text(body.removeprefix(_BOM))
    _check_depth(text)
    number, start = 0, _NOT_BLANK.search(text)
    while start:
        check_count(number + 1)
        begin = start.start()
        try:
            value, end = _TOLERANT.raw_decode(text, begin)
            value = _without_surrogates(value)
        except (ValueError, RecursionError) as error:
            raise BodyError("invalid_format", "not valid JSON", number) from error
        yield value, text[begin:end]
        number, start = number + 1, _NOT_BLANK.search(text, end)


def fast(piece: bytes) -> Any:
    """Return the JSON value of a piece; raise ``orjson.JSONDecodeError`` when it needs the tolerant decoder.

    The depth limit is the same on both paths, so that a body reads the same alone and joined to another.
    """
    value = orjson.loads(piece)
    if piece.count(b"{") + piece.count(b"[") > MAX_DEPTH:
        _check_depth(decode_text(piece))
    return value


def loads(body: bytes) -> Any:
    """Return the one JSON value of a body; raise :class:`BodyError` when it is not exactly one."""
    check_size(body)
    try:
        return fast(body)
    except orjson.JSONDecodeError:
        values = [value for value, _ in values_with_spans(body)]
    if len(values) != 1:
        raise BodyError("invalid_format", "not one JSON value")
    return values[0]


def document(body: bytes) -> Any:
    """Return the one JSON value of a body whose records are all inside it; codes: too_many, invalid_format.

    It is not searched for its depth, which takes as long as reading it: the caller looks no deeper than it wants.
    """
    check_size(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return loads(body)


def pieces(body: bytes) -> list[bytes]:
    """Cut a stream of JSON objects where one may end and the next begin.

    A cut inside a string leaves a piece with an open quote, which no decoder accepts; so when every piece
    is valid JSON, the cuts were right.
    """
    return [
        piece for piece in body.removeprefix(_BOM).replace(b"}{", b"}\n{").split(b"\n") if piece.strip(_BLANK_BYTES)
    ]


def stream(body: bytes) -> list[Any]:
    """Return every JSON value of a stream (concatenated, by lines, pretty-printed).

    >>> stream(b'{"a":1}{"a":2}')
    [{'a': 1}, {'a': 2}]
    """
    check_size(body)
    try:
        cut = pieces(body)
        check_count(len(cut))
        return [fast(piece) for piece in cut]
    except orjson.JSONDecodeError:
        return [value for value, _ in values_with_spans(body)]


def as_text(value: Any) -> str:
    """Return a decoded value that is neither text nor an object as compact JSON."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError):
        pass
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:  # of a document that was not searched for its depth
        return orjson.dumps(_shallow(value, SHOWN_DEPTH)).decode()


def _shallow(value: Any, levels: int) -> Any:
    """Return a value with what is nested deeper than some levels replaced by words that say so."""
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return f"(nested deeper than {SHOWN_DEPTH} levels)"
    if isinstance(value, list):
        return [_shallow(item, levels - 1) for item in value]
    return {name: _shallow(item, levels - 1) for name, item in value.items()}
