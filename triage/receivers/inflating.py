"""Undo a compression without ever holding more than the budget.

Handed: compressed bytes and a :class:`Budget`. Hands on: the inflated bytes, or a
:class:`~triage.receivers.base.BodyError` (``too_large``, ``damaged``, ``encoding``). One budget counts over
everything that one request makes us inflate: the members and frames of its body, and what is compressed inside
it. gzip: RFC 1952, several members are legal (2.2); deflate: RFC 9110 8.4.1.2 means zlib, but raw deflate is
seen too; zstd: RFC 9659 limits the window to 8 MiB; snappy: its block and its framing format.
"""

import zlib
from collections.abc import Callable

import cramjam
import zstandard

from triage.receivers.base import BodyError

GZIP_WINDOW, ZLIB_WINDOW, RAW_WINDOW = 31, 15, -15
ZSTD_MAX_WINDOW = 2**23
#: Bytes asked of a decompressor at once.
CHUNK = 2**20
FIRST_SLICE = 512
#: No sender makes more members, frames or blocks than these; each costs time even when it is empty.
MAX_MEMBERS = 10_000
MAX_BLOCKS = 500_000
#: The densest element of a snappy block makes 64 bytes of 3.
SNAPPY_EXPANSION = 22
SNAPPY_BLOCK = 2**16
SNAPPY_STREAM = b"\xff\x06\x00\x00sNaPpY"


class Budget:
    """The bytes that may still come out of decompressors; shared by all that is inflated for one request."""

    __slots__ = ("left",)

    def __init__(self, limit: int) -> None:
        self.left = limit

    def take(self, count: int) -> None:
        """Count bytes; raise ``too_large`` when they are more than what is left."""
        if count > self.left:
            raise _too_large()
        self.left -= count


def _too_large() -> BodyError:
    return BodyError("too_large", "the inflated body is larger than the limit")


def _damaged() -> BodyError:
    return BodyError("damaged", "the body is not what its encoding says")


def _zlib_member(body: bytes, start: int, window: int, budget: Budget) -> tuple[bytes, int]:
    """Inflate the member at ``start``; return it and where it ends.

    Input goes in by slices that grow from small to large, because what a slice holds behind the member's
    end is copied: with whole bodies, a body of tiny members would cost its square.
    """
    machine, parts, slice_bytes = zlib.decompressobj(window), [], FIRST_SLICE
    while not machine.eof:
        pending = machine.unconsumed_tail
        if not pending:
            pending, start = body[start : start + slice_bytes], start + slice_bytes
            slice_bytes = min(2 * slice_bytes, CHUNK)
        part = machine.decompress(pending, min(CHUNK, budget.left + 1))
        budget.take(len(part))
        if not part and start >= len(body) and not machine.eof and not machine.unconsumed_tail:
            raise _damaged()
        parts.append(part)
    return b"".join(parts), min(start, len(body)) - len(machine.unused_data)


def _gzip(body: bytes, budget: Budget) -> bytes:
    """Inflate all members. What follows the last one must be zero padding or nothing."""
    parts: list[bytes] = []
    position, end = 0, len(body.rstrip(b"\0"))
    if body and not end:
        raise _damaged()
    while position < end:
        if len(parts) == MAX_MEMBERS:
            raise _too_large()
        part, position = _zlib_member(body, position, GZIP_WINDOW, budget)
        parts.append(part)
    return b"".join(parts)


def _deflate(body: bytes, budget: Budget) -> bytes:
    try:
        inflated, end = _zlib_member(body, 0, ZLIB_WINDOW, Budget(budget.left))
    except zlib.error:
        inflated, end = _zlib_member(body, 0, RAW_WINDOW, Budget(budget.left))
    budget.take(len(inflated))
    if end != len(body):
        raise _damaged()
    return inflated


def _zstd(body: bytes, budget: Budget) -> bytes:
    """Inflate all frames, piece by piece; a frame's claimed size is never believed."""
    position = frames = 0
    while position < len(body):
        position, frames = _zstd_frame_end(body, position), frames + 1
        if frames > MAX_MEMBERS:
            raise _too_large()
    machine = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW)
    reader, parts = machine.stream_reader(body, read_across_frames=True), []
    while part := reader.read(min(CHUNK, budget.left + 1)):
        budget.take(len(part))
        parts.append(part)
    return b"".join(parts)


def _zstd_frame_end(body: bytes, start: int) -> int:
    """Return where the frame at ``start`` ends (RFC 8878, 3.1), so that a cut one is found out."""
    magic = int.from_bytes(body[start : start + 4], "little")
    if magic & 0xFFFFFFF0 == 0x184D2A50:  # a skippable frame
        end = start + 8 + int.from_bytes(body[start + 4 : start + 8], "little")
        return _within(body, end)
    descriptor = body[_within(body, start + 5) - 1]
    single_segment, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
    position = start + 5 + (1 - single_segment) + (0, 1, 2, 4)[descriptor & 3] + content_size
    last, blocks = False, 0
    while not last:
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise _too_large()
        header = int.from_bytes(body[position : _within(body, position + 3)], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        position += 3 + (1 if kind == 1 else size)  # a run-length block carries one byte
    return _within(body, position + 4 * checksum)


def _within(body: bytes, position: int) -> int:
    if position > len(body):
        raise _damaged()
    return position


def snappy_block(body: bytes, budget: Budget) -> bytes:
    """Inflate one block of the snappy block format; its claimed length is checked before anything is allocated."""
    budget.take(_claimed(body, 0, len(body)))
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise _damaged() from error


def _claimed(body: bytes, start: int, end: int) -> int:
    """Return the length that the snappy block in ``body[start:end]`` claims for itself (a varint of 32 bits)."""
    length = 0
    for shift, byte in enumerate(body[start : min(start + 5, end)]):
        length |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            if length > SNAPPY_EXPANSION * (end - start):
                raise _damaged()
            return length
    raise _damaged()


def _snappy(body: bytes, budget: Budget) -> bytes:
    """Inflate either format: no block begins as a stream does."""
    return _snappy_framed(body, budget) if body.startswith(SNAPPY_STREAM) else snappy_block(body, budget)


def _snappy_framed(body: bytes, budget: Budget) -> bytes:
    """Inflate a stream of the framing format, once the sum of what its chunks claim is within the budget."""
    if body and not body.startswith(SNAPPY_STREAM):
        raise _damaged()
    position = chunks = 0
    while position < len(body):
        kind, start = body[position], _within(body, position + 4)
        position = _within(body, start + int.from_bytes(body[start - 3 : start], "little"))
        chunks += 1
        if chunks > MAX_BLOCKS:
            raise _too_large()
        if kind < 2:  # data: a checksum of 4 bytes, then a block or plain bytes
            length = _claimed(body, start + 4, position) if kind == 0 else position - start - 4
            if not 0 <= length <= SNAPPY_BLOCK:
                raise _damaged()
            budget.take(length)
    try:
        return bytes(cramjam.snappy.decompress(body))
    except cramjam.DecompressionError as error:
        raise _damaged() from error


_DECODERS: dict[str, Callable[[bytes, Budget], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zlib": _deflate,
    "zstd": _zstd,
    "snappy": _snappy,
    "x-snappy-framed": _snappy_framed,
}


def known(encoding: str) -> bool:
    """Return whether a Content-Encoding can be undone; a list of several cannot."""
    return encoding in ("", "identity") or encoding in _DECODERS


def inflate(body: bytes, encoding: str, budget: Budget) -> bytes:
    """Return the body without its Content-Encoding, and count it; a plain body must fit but costs nothing."""
    if encoding in ("", "identity"):
        if len(body) > budget.left:
            raise _too_large()
        return body
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise BodyError("encoding", "this Content-Encoding is not supported")
    try:
        return decoder(body, budget)
    except (zlib.error, zstandard.ZstdError) as error:
        raise _damaged() from error
