"""The tour shows every page, its pictures are there and small, and making them small changes next to nothing."""

import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from bench import screenshots, small_png
from tests import pages
from tests.estate import make_estate

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "img" / "tour"
#: Pages that are shown as part of another, or are only there for browsers without scripts.
PARTS = {
    "bulk_confirm", "event_histogram", "event_values", "alert_similar", "alert_timeline", "alert_events",
    "entity_activity", "logout",
}  # fmt: skip


def test_every_page_is_in_the_tour(client, dana):
    client.force_login(dana)
    shown = {re.sub(r"\?.*|\{[^}]*\}", "", path) for path, _ in screenshots.PAGES.values()}
    whole = {one.name for one in pages.whole_pages(client, make_estate("x", alerts=0))} - PARTS
    wanted = {name: re.sub(r"<[^>]*>", "", f"/{pages.named(name).pattern}") for name in whole}
    assert {name: path for name, path in wanted.items() if path not in shown} == {}


def test_the_tour_names_each_picture_and_each_is_small():
    text = (ROOT / "docs" / "tour.md").read_text()
    named = set(re.findall(r"img/tour/([a-z-]+)\.png", text))
    assert named == {f"{name}-{theme}" for name in screenshots.PAGES for theme in screenshots.THEMES}
    sizes = {path.stem: path.stat().st_size for path in PICTURES.glob("*.png")}
    assert set(sizes) == named
    assert {name: size for name, size in sizes.items() if size > screenshots.MAX_BYTES} == {}


def read_back(picture: bytes) -> np.ndarray:
    """Return the pixels of a PNG as this module writes them: one palette, rows without a filter."""
    chunks, at = {}, len(small_png.SIGNATURE)
    while at < len(picture):
        length = int.from_bytes(picture[at : at + 4], "big")
        name, body = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        assert int.from_bytes(picture[at + 8 + length : at + 12 + length], "big") == zlib.crc32(name + body)
        chunks[name], at = body, at + 12 + length
    width, height = (int.from_bytes(chunks[b"IHDR"][start : start + 4], "big") for start in (0, 4))
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return palette[rows[:, 1:]]


def test_few_colours_come_back_as_they_were():
    pixels = (
        np.random.default_rng(1).integers(0, 256, (200, 3), dtype=np.uint8)[np.arange(64 * 48) % 200].reshape(48, 64, 3)
    )
    assert (read_back(small_png.encoded(pixels)) == pixels).all()


def test_of_many_colours_the_frequent_and_the_odd_ones_stay_and_the_others_become_a_near_one():
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:4, :, 0] = np.arange(1200).reshape(4, 300) // 5
    pixels[:4, :, 1] = np.arange(1200).reshape(4, 300) % 5
    pixels[4:50] = (10, 20, 30)
    pixels[50, 0] = (250, 120, 20)  # one mark of its own colour
    back = read_back(small_png.encoded(pixels))
    assert (back[4:] == pixels[4:]).all()
    assert np.abs(back[:4].astype(int) - pixels[:4]).max() <= 4
    assert len(np.unique(back.reshape(-1, 3), axis=0)) <= small_png.COLOURS
