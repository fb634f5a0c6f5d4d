"""Pictures of pages as small files: 256 colours are enough for a page, and a third of the size.

Handed: the pixels of a picture. Hands on: a PNG with a palette: the most frequent colours, and then those that are
least like them, so that a small mark keeps its own. The others, in pages the edges of letters, become the nearest one.
Format: ISO/IEC 15948 (PNG), colour type 3.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
#: How many of them are chosen by how often they occur.
FREQUENT = 96


def encoded(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG of pixels of shape (height, width, 3)."""
    height, width, _ = pixels.shape
    palette, indices = reduced(pixels.reshape(-1, 3))
    rows = np.zeros((height, width + 1), np.uint8)  # the first byte of a row is its filter: none
    rows[:, 1:] = indices.reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def reduced(colours: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return a palette of shape (at most 256, 3) and the index into it of each colour of shape (n, 3)."""
    packed = colours.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    split = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.int64)
    nearest, kept = _chosen(split, counts)
    return split[kept].astype(np.uint8), nearest[place.reshape(-1)]


def _chosen(split: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """Return for each colour which of the kept ones is nearest, and the kept ones: frequent, then far from all kept."""
    kept: list[int] = []
    nearest, distance = np.zeros(len(split), np.uint8), np.full(len(split), np.iinfo(np.int64).max)
    order = np.argsort(-counts, kind="stable")
    while len(kept) < min(COLOURS, len(split)):
        one = int(order[len(kept)]) if len(kept) < FREQUENT else int((distance * np.sqrt(counts)).argmax())
        away = ((split - split[one]) ** 2).sum(axis=1)
        nearer = away < distance
        nearest[nearer], distance[nearer] = len(kept), away[nearer]
        kept.append(one)
    return nearest, kept
