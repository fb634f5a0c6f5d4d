"""The tables of docs/growth.md follow from the figures that stand above them."""

import math
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "growth.md").read_text(encoding="utf-8")
#: Measured, as the first table has it: microseconds and bytes an event.
MICROSECONDS, ON_DISK, RAW_TEXT, IN_COLUMNS, BODY = 111, 607, 53, 78, 386
RESERVE, DAY, DAYS = 1.5, 86_400, 30
ROWS = re.findall(r"^\| ([\d,]+) \| [^|]+ \| (\d+) \| ([\d.]+) MB/s \| ([\d,.]+) TB \| ([\d,.]+) TB \|$", TEXT, re.M)


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_what_is_calculated_from_stands_in_the_table_of_what_was_measured():
    for words in (
        f"{MICROSECONDS} µs",
        f"{ON_DISK} bytes, of them raw text {RAW_TEXT} ",
        f"{IN_COLUMNS} bytes",
        f"{BODY} bytes",
    ):
        assert words in TEXT


def test_there_is_a_row_for_each_rate():
    assert [number(row[0]) for row in ROWS] == [100, 1_000, 10_000, 100_000, 1_000_000]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_follows_from_what_was_measured(row):
    rate, cores, network, ours, columns = map(number, row)
    kept = rate * DAY * DAYS / 1e12
    assert cores == math.ceil(rate * MICROSECONDS * 1e-6 * RESERVE)
    assert network == pytest.approx(rate * BODY / 1e6, rel=0.05)
    assert ours == pytest.approx(kept * ON_DISK, rel=0.02)
    assert columns == pytest.approx(kept * (IN_COLUMNS + RAW_TEXT), rel=0.02, abs=0.005)
