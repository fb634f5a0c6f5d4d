"""Undo a Content-Encoding without ever holding more than the budget.

Handed: compressed bytes and the most bytes they may become. Hands on: the inflated body, or a
:class:`~triage.intake.errors.Refusal` (``too_large``, ``damaged``, ``encoding``). The budget counts over all
members and frames of a body. gzip: RFC 1952, several members are legal (2.2); deflate: RFC 9110 8.4.1.2
means zlib, but raw deflate is seen too; zstd: RFC 9659 limits the window to 8 MiB.
"""

import zlib
from collections.abc import Callable

import zstandard

from triage.intake import errors
from triage.intake.errors import Refusal

GZIP_WINDOW, ZLIB_WINDOW, RAW_WINDOW = 31, 15, -15
ZSTD_MAX_WINDOW = 2**23
#: Bytes asked of a decompressor at once; the cap can be passed by at most this much.
CHUNK = 2**20
FIRST_SLICE = 512
#: No sender makes more members, frames or blocks than these; each costs time even when it is empty.
MAX_MEMBERS = 10_000
MAX_ZSTD_BLOCKS = 500_000


def _too_large() -> Refusal:
    return Refusal(errors.TOO_LARGE, "the inflated body is larger than the limit")


def _damaged() -> Refusal:
    return Refusal(errors.DAMAGED, "the body is not what its Content-Encoding says")


def _zlib_member(body: bytes, start: int, window: int, budget: int) -> tuple[bytes, int]:
    """Inflate the member at ``start``; return it and where it ends.

    Input goes in by slices that grow from small to large, because what a slice holds behind the member's
    end is copied: with whole bodies, a body of tiny members would cost its square.
    """
    machine, parts, size, slice_bytes = zlib.decompressobj(window), [], 0, FIRST_SLICE
    while not machine.eof:
        pending = machine.unconsumed_tail
        if not pending:
            pending, start = body[start : start + slice_bytes], start + slice_bytes
            slice_bytes = min(2 * slice_bytes, CHUNK)
        part = machine.decompress(pending, CHUNK)
        size += len(part)
        if size > budget:
            raise _too_large()
        if not part and start >= len(body) and not machine.eof and not machine.unconsumed_tail:
            raise _damaged()
        parts.append(part)
    return b"".join(parts), min(start, len(body)) - len(machine.unused_data)


def _gzip(body: bytes, budget: int) -> bytes:
    """Inflate all members. What follows the last one must be zero padding or nothing."""
    parts: list[bytes] = []
    position, end = 0, len(body.rstrip(b"\0"))
    if body and not end:
        raise _damaged()
    while position < end:
        if len(parts) == MAX_MEMBERS:
            raise _too_large()
        part, position = _zlib_member(body, position, GZIP_WINDOW, budget)
        budget -= len(part)
        parts.append(part)
    return b"".join(parts)


def _deflate(body: bytes, budget: int) -> bytes:
    try:
        inflated, end = _zlib_member(body, 0, ZLIB_WINDOW, budget)
    except zlib.error:
        inflated, end = _zlib_member(body, 0, RAW_WINDOW, budget)
    if end != len(body):
        raise _damaged()
    return inflated


def _zstd(body: bytes, budget: int) -> bytes:
    """Inflate all frames, piece by piece; a frame's claimed size is never believed."""
    position = frames = 0
    while position < len(body):
        position, frames = _zstd_frame_end(body, position), frames + 1
        if frames > MAX_MEMBERS:
            raise _too_large()
    machine = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW)
    reader, parts = machine.stream_reader(body, read_across_frames=True), []
    while part := reader.read(CHUNK):
        budget -= len(part)
        if budget < 0:
            raise _too_large()
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
        if blocks > MAX_ZSTD_BLOCKS:
            raise _too_large()
        header = int.from_bytes(body[position : _within(body, position + 3)], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        position += 3 + (1 if kind == 1 else size)  # a run-length block carries one byte
    return _within(body, position + 4 * checksum)


def _within(body: bytes, position: int) -> int:
    if position > len(body):
        raise _damaged()
    return position


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}


def known(encoding: str) -> bool:
    """Return whether a Content-Encoding can be undone; checked before the body is read."""
    return encoding in ("", "identity") or encoding in _DECODERS


def inflate(body: bytes, encoding: str, budget: int) -> bytes:
    """Return the body without its Content-Encoding; it is at most ``budget`` bytes long."""
    if encoding in ("", "identity"):
        if len(body) > budget:
            raise _too_large()
        return body
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise Refusal(errors.ENCODING, "this Content-Encoding is not supported")
    try:
        return decoder(body, budget)
    except (zlib.error, zstandard.ZstdError) as error:
        raise _damaged() from error
