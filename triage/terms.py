"""Which words and values may be in a chunk of events: a small filter that is never wrong when it says no.

Handed: the messages and documents of a chunk. Hands on: some bytes that a search asks before it opens the chunk. A
filter is a set of bits (Bloom 1970): a term sets :data:`HASHES` of them, ten bits a term, so that about one in a
hundred terms that are not there looks as if it were. Terms are

- words: digits, letters A to Z (small and capital are one) and whatever is beyond ASCII, of the message and of
  every value, and of what names the fields;
- two words with one full stop between them, so that an address is more than four small numbers;
- ``field=value`` of the fields in :data:`EXACT` (as their columns hold them), of the source and of the parser.

The hash of a term is a polynomial of its bytes over 32 bits, which numpy gives for all words of a text at once; which
hash it is, is part of the format and of :data:`VERSION`.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from triage import ecs

#: First byte of a filter; whoever meets another version has to read the chunk.
VERSION = 1
HASHES = 7
BITS_PER_TERM = 10
#: A filter that would be larger than this (bytes) is not kept: what holds so many words has to be read anyway.
MAX_BYTES = 32_768
#: Texts are taken in pieces of whole lines; a line longer than this (bytes) has to be read, parsers cap it below.
_PIECE, _LONGEST = 2**15, 2**18
EXACT = (
    "event.action", "event.code", "host.name", "user.name", "source.ip", "destination.ip", "process.name"
)  # fmt: skip
_WIDTHS = dict(ecs.COLUMN_WIDTHS)
#: What 0, 1 and the truths are written as: Python holds them for the same thing.
_ALIKE = b"\ntrue false 0.0 1.0 0 1"

Words = npt.NDArray[np.uint32]

_LINE, _DOT = 1, 2
_CODES = bytes(
    (byte | 32 if 65 <= byte <= 90 else byte)
    if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte >= 128
    else {10: _LINE, 46: _DOT}.get(byte, 0)
    for byte in range(256)
)
_RADIX = 0x9E3779B1
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))
_LOW, _ONE, _HALF, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(1), np.uint64(32), np.uint64(29)
_WORD_AT_START = re.compile(rb"\A[0-9A-Za-z\x80-\xff]+")
_WORD_AT_END = re.compile(rb"[0-9A-Za-z\x80-\xff]+\Z")
#: A pair that a number may have in one writing and not in another that is equal to it: ``5`` and ``5.0``.
_ZEROS = re.compile(rb"(?<=\d)\.(?=0+(?![0-9A-Za-z\x80-\xff]))")
#: From here on (either sign) a whole number and the float that is equal to it are written differently.
_LARGE = 1e15


@functools.cache
def _powers() -> tuple[Words, Words]:
    """Return the radix's powers and their inverses modulo 2**32, one for each byte of a piece."""
    return _series(_RADIX), _series(pow(_RADIX, -1, 2**32))


def _series(base: int) -> Words:
    powers = np.ones(_LONGEST + 2, np.uint32)
    filled = 1
    while filled < len(powers):
        room = min(filled, len(powers) - filled)
        powers[filled : filled + room] = powers[:room] * np.uint32(pow(base, filled, 2**32))
        filled += room
    return powers


def build(messages: Sequence[str], documents: Sequence[Mapping[str, Any]], marks: Iterable[str] = ()) -> bytes | None:
    """Return the filter of a chunk, or None where there had better be none: the chunk is then always read.

    ``marks`` are further exact terms, as :func:`mark` writes them.
    """
    exact, cut = _exact_lines(documents)
    values = _values(documents)
    numbers = [value for value in values if type(value) is not str]
    values.difference_update(numbers)
    text = "\n".join(chain(messages, cut, values, set().union(*documents))).encode() + _numbers(numbers)
    lines = "\n".join(chain(exact, marks)).encode()
    pieces = [_word_hashes(piece) for piece in _pieces(text)] + [_line_hashes(piece) for piece in _pieces(lines)]
    hashes = np.sort(np.concatenate(pieces))
    return _filter(hashes[np.concatenate(([True], hashes[1:] != hashes[:-1]))])


def mark(name: str, value: object) -> str:
    """Return an exact term's text: ``field=value``.

    >>> mark("user.name", "ro ot")
    'user.name=ro ot'
    """
    return f"{name}={value}".replace("\n", " ")


def _exact_lines(documents: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the exact terms, and what a column holds of texts that are too long for it."""
    gets = [document.get for document in documents]
    lines: list[str] = []
    cut: list[str] = []
    for name in EXACT:
        width = _WIDTHS[name]
        try:
            found = {get(name, "") for get in gets}
            line = f"\n{name}=".join(("", *found))  # all at once; what is unusual goes one by one
            usual = len(line) <= width or max(map(len, found)) <= width
        except TypeError:  # a list or a number
            usual = False
        if usual and line.count("\n") == len(found):
            lines.append(line)
        else:
            texts = {ecs.column_text(get(name), width) for get in gets}
            lines.extend(mark(name, text) for text in texts)
            cut.extend(texts)
    return lines, cut


def _values(documents: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Return the values of all fields, each once; the entries of lists."""
    try:
        return set(chain.from_iterable([document.values() for document in documents]))
    except TypeError:
        found: set[Any] = set()
        for value in chain.from_iterable(document.values() for document in documents):
            if type(value) is list:
                found.update(value)
            else:
                found.add(value)
        return found


def _numbers(values: Sequence[Any]) -> bytes:
    """Return what is no text as documents write it; where a set holds one of two equal values, the other too."""
    large = [value for value in values if not -_LARGE < value < _LARGE]
    twins = [float(value) if type(value) is int else int(value) for value in large if abs(value) < 2**63]
    return _ALIKE + b"\n" + orjson.dumps([*values, *twins])


def _pieces(text: bytes) -> Iterator[bytes]:
    """Cut a text into pieces of whole lines, small enough that what is worked out from them stays in the cache."""
    at = 0
    while len(text) - at > _PIECE:
        end = text.rfind(b"\n", at, at + _PIECE)
        end = text.find(b"\n", at + _PIECE) if end < at else end
        if end < 0:
            break
        yield text[at:end]
        at = end + 1
    yield text[at:]


def _sums(piece: bytes) -> tuple[npt.NDArray[np.uint8], Words, Words]:
    """Return the codes of a text's bytes between two line ends, their weighted sums, and the inverse weights."""
    codes = np.frombuffer(b"".join((b"\n", piece, b"\n")).translate(_CODES), np.uint8)
    powers, inverses = _powers()
    return codes, np.cumsum(codes * powers[: len(codes)], dtype=np.uint32), inverses


def _word_hashes(piece: bytes) -> Words:
    """Return the hashes of a text's words and of its pairs of words with a full stop between them."""
    codes, sums, inverses = _sums(piece)
    word = codes > _DOT
    edges = np.flatnonzero(word[1:] != word[:-1])
    starts, ends = edges[::2], edges[1::2]
    at_edges = sums[edges]
    words = (at_edges[1::2] - at_edges[::2]) * inverses[starts]
    dotted = np.flatnonzero((starts[1:] - ends[:-1] == 1) & (codes[starts[1:]] == _DOT))
    pairs = (sums[ends[dotted + 1]] - sums[starts[dotted]]) * inverses[starts[dotted]]
    return np.concatenate((words, pairs))


def _line_hashes(piece: bytes) -> Words:
    """Return the hashes of whole lines, inverted so that no word of a text is taken for one."""
    codes, sums, inverses = _sums(piece)
    edges = np.flatnonzero(codes == _LINE)
    starts, ends = edges[:-1], edges[1:] - 1
    hashes: Words = (sums[ends] - sums[starts]) * inverses[starts]
    return ~hashes


def _spread(hashes: Words) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return two numbers per hash that step through a filter's bits (Kirsch and Mitzenmacher 2006)."""
    mixed = hashes.astype(np.uint64) * _MIX[0]
    mixed ^= mixed >> _SHIFT
    mixed *= _MIX[1]
    mixed ^= mixed >> _HALF
    return mixed & _LOW, (mixed >> _HALF) | _ONE


def _filter(hashes: Words) -> bytes | None:
    size = max(8, (BITS_PER_TERM * len(hashes) + 7) // 8)
    if size > MAX_BYTES:
        return None
    first, step = _spread(hashes)
    bits = np.zeros(8 * size, np.bool_)
    for turn in range(HASHES):
        bits[((first + np.uint64(turn) * step) & _LOW) * np.uint64(8 * size) >> _HALF] = True
    return bytes((VERSION,)) + np.packbits(bits, bitorder="little").tobytes()


#: What a search asks a filter for: the two numbers of each term.
Asked = tuple[tuple[int, int], ...]


def words(text: str, *, open_start: bool = False, open_end: bool = False) -> Asked:
    """Return the terms of every chunk in which the text stands, as whole words except at an open end."""
    wanted = text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")
    if open_start:
        wanted = _WORD_AT_START.sub(b"", wanted)
    if open_end:
        wanted = _WORD_AT_END.sub(b"", wanted)
    return _asked(_word_hashes(_ZEROS.sub(b" ", wanted)))


def exactly(name: str, value: object) -> Asked:
    """Return the term of every chunk in which a field of :data:`EXACT`, or a mark, has this value."""
    return _asked(_line_hashes(mark(name, value).encode("utf-8", "surrogatepass")))


def _asked(hashes: Words) -> Asked:
    first, step = _spread(np.unique(hashes))
    return tuple(zip(first.tolist(), step.tolist(), strict=True))


def probes(asked: Asked) -> list[int]:
    """Return the numbers whose bits all terms set: bit ``number * bits // 2**32`` of a filter of so many bits."""
    return [(first + turn * step) & 0xFFFFFFFF for turn in range(HASHES) for first, step in asked]


def may_hold(stored: bytes | memoryview | None, asked: Asked) -> bool:
    """Return False only when a chunk surely lacks one of the terms; an unknown filter never says so."""
    if stored is None or len(stored) < 2 or stored[0] != VERSION:
        return True
    size = 8 * (len(stored) - 1)
    places = (number * size >> 32 for number in probes(asked))
    return all(stored[1 + (place >> 3)] >> (place & 7) & 1 for place in places)
