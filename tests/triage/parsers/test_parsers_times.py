"""Timestamps: every notation, the year that is not there, and the ones nobody should believe."""

import pytest

from triage import parsers
from triage.contracts import Record
from triage.features.tokens import IGNORED_FIELDS
from triage.parsers import times

T = 1_766_833_369.0  # 2025-12-27T11:02:49Z
NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-12-27T11:02:49Z", T),
        ("2025-12-27T11:02:49", T),
        ("2025-12-27 11:02:49.5", T + 0.5),
        ("2025-12-27T12:02:49+01:00", T),
        ("2025-12-27T11:02:49.1234567Z", T + 0.123456),
        ("2025-12-27 11:02:49 +0000", T),
        ("2025-12-27 11:02:49,250", T + 0.25),
        ("2025-12-27 11:02:49 UTC", T),
        ("27/Dec/2025:12:02:49 +0100", T),
        ("27/Dec/2025:06:02:49 -0500", T),
        ("2025/12/27 11:02:49", T),
        ("Sat Dec 27 11:02:49.5 2025", T + 0.5),
        ("2025-12-27T11:02:49+00", T),
        ("20251227T110249Z", T),
        ("2025-12-27 13:02:49 CEST", T),
        ("2025-12-27 03:02:49 PST", T),
        ("2025-12-27 11:02:49 XYZ", T),
        ("Sat, 27 Dec 2025 12:02:49 +0100", T),
        ("Sat Dec 27 12:02:49 CET 2025", T),
        ("Dec 27 2025 11:02:49", T),
        ("27-Dec-2025 11:02:49.500", T + 0.5),
        ("27.12.2025 11:02:49", T),
        ("12/27/2025 11:02:49 AM", T),
        ("12/27/2025, 11:02:49 PM", T + 43_200),
        ("12/27/2025 12:02:49 AM", T - 39_600),
        ("27/12/2025 11:02:49", T),
        ("2025.12.27 11:02:49", T),
        ("2025/12/27 - 11:02:49", T),
        ("20251227 11:02:49", T),
        ("20251227-11:2:49:250", T + 0.25),
        ("20251227110249", T),
        ("25/12/27 11:02:49", T),
        ("12/27/25 11:02:49", T),
        ("251227 110249", T),
        ("2025-12-27-11.02.49.500000", T + 0.5),
        ("134113069690000000", T),
        ("2025-12-27T11:02:60Z", T + 11),
        ("2025-12-27 24:61:00", None),
        ("27/Dec/2025:24:61:00 +0000", None),
        ("Sat Dec 27 25:02:49 2025", None),
        ("12/27/2025 13:02:49 PM", None),
        ("1766833369", T),
        ("1766833369.25", T + 0.25),
        ("1766833369000", T),
        ("", None),
        ("yesterday", None),
        ("2025-13-27T11:02:49Z", None),
        ("31/Feb/2025:12:02:49 +0100", None),
        ("27/Dec/2025:12:02:49 +0100" * 4, None),
        ("nan", None),
        ("infinity", None),
    ],
)
def test_whole_texts(text: str, expected: float | None) -> None:
    assert times.from_text(text) == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize(
    ("number", "expected"),
    [(T, T), (T * 1e3, T), (T * 1e6, T), (T * 1e9, T), (0, None), (-1, None), (1e300, None), (float("nan"), None)],
)
def test_epoch_units_are_told_apart_by_size(number: float, expected: float | None) -> None:
    assert times.from_number(number) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize("value", [True, False, None, [], {}])
def test_other_values_are_no_time(value: object) -> None:
    assert times.from_any(value) is None


@pytest.mark.parametrize(
    ("text", "received_at", "expected"),
    [
        ("Dec 31 23:59:59", NEW_YEAR, NEW_YEAR - 1),
        ("Jan  1 00:00:01", NEW_YEAR, NEW_YEAR + 1),
        ("Jan  1 23:00:00", NEW_YEAR, NEW_YEAR + 82_800),
        ("Jan  3 00:00:00", NEW_YEAR, NEW_YEAR - 363 * 86_400),
        ("May  5 00:00:00", NEW_YEAR, 1_746_403_200.0),
        ("Feb 29 00:00:00", NEW_YEAR, 1_709_164_800.0),
    ],
)
def test_a_missing_year_is_the_latest_possible_one(text: str, received_at: float, expected: float) -> None:
    assert times.from_bsd(text, received_at) == (expected, True)


def test_a_year_that_is_there_is_believed() -> None:
    assert times.from_bsd("Dec 27 2025 11:02:49", NEW_YEAR) == (T, False)


@pytest.mark.parametrize(
    ("stamp", "doubt"),
    [
        ("2025-12-27T11:02:49Z", ""),
        ("2025-12-27T11:02:49.5+01:00", ""),
        ("2025-12-27T11:02:49-08", ""),
        ("2025-12-27 11:02:49 UTC", ""),
        ("17/Oct/2023:05:57:56 +1100", ""),
        ("Sat Dec 27 12:02:49 CET 2025", ""),
        ("1766833369.25", ""),
        ("2025-12-27T11:02:49", "zone"),
        ("2025-12-27", "zone"),
        ("2025-12-27 11:02:49 XYZ", "zone"),
        ("Sat Dec 27 11:02:49 2025", "zone"),
        ("25/12/27 11:02:49", "zone"),
        ("251227 110249", "zone"),
        ("12-27 11:02:49.250", "year,zone"),
        ("12-27 11:02:49.250000", "year,zone"),
        ("Dec 27 11:02:49", "year,zone"),
        ("Dec 27 11:02:49.250", "year,zone"),
    ],
)
def test_what_a_written_time_leaves_open(stamp: str, doubt: str) -> None:
    assert times.doubts(stamp) == doubt


@pytest.mark.parametrize(
    ("when", "oddity"),
    [
        (NEW_YEAR, ""),
        (NEW_YEAR + 600, ""),
        (NEW_YEAR + 601, "future"),
        (NEW_YEAR - 30 * 86_400, ""),
        (NEW_YEAR - 30 * 86_400 - 1, "ancient"),
    ],
)
def test_times_that_do_not_fit_their_arrival(when: float, oddity: str) -> None:
    assert times.oddity(when, NEW_YEAR) == oddity


def marks(line: str) -> dict[str, object]:
    (event,) = parsers.parse([Record(line)], NEW_YEAR)
    return {name: value for name, value in event.fields.items() if name.startswith("winnow.time_")}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2025-12-31T23:59:59Z web-1 app: words", {}),
        ("Dec 31 23:59:59 web-1 app: words", {times.INFERRED: "year,zone"}),
        ("Jan  3 00:00:00 web-1 app: words", {times.INFERRED: "year,zone", times.FLAG: "ancient"}),
        ("2026-01-01T00:10:01Z web-1 app: words", {times.FLAG: "future"}),
        (
            "2026-01-03T00:00:00Z web-1 app: words",
            {times.FLAG: "future", "winnow.time_unparsed": "2026-01-03T00:00:00Z"},
        ),
        ("2019-01-01 00:00:00 INFO [main] words", {times.INFERRED: "zone", times.FLAG: "ancient"}),
    ],
)
def test_what_was_supposed_about_a_time_is_marked(line: str, expected: dict[str, object]) -> None:
    assert marks(line) == expected


def test_marks_are_no_features() -> None:
    assert {times.INFERRED, times.FLAG, "winnow.time_unparsed"} <= IGNORED_FIELDS


@pytest.mark.parametrize("text", ["Feb 30 00:00:00", "Dec 27 11:02", "Foo 27 11:02:49"])
def test_no_date_no_time(text: str) -> None:
    assert times.from_bsd(text, NEW_YEAR)[0] is None


@pytest.mark.parametrize(
    ("line", "stamp"),
    [
        ("2025-12-27 11:02:49 words", "2025-12-27 11:02:49"),
        ("[2025-12-27T11:02:49Z] words", "2025-12-27T11:02:49Z"),
        ('time="2025-12-27T11:02:49Z" level=error', "2025-12-27T11:02:49Z"),
        ("2025/12/27 11:02:49 words", "2025/12/27 11:02:49"),
        ("[27/Dec/2025:11:02:49 +0000] words", "27/Dec/2025:11:02:49 +0000"),
        ("[Sat Dec 27 11:02:49 2025] words", "Sat Dec 27 11:02:49 2025"),
        ("12/27/2025, 11:02:49 AM words", "12/27/2025, 11:02:49 AM"),
        ("20251227-11:2:49|words", "20251227-11:2:49"),
    ],
)
def test_a_line_of_any_format_may_begin_with_a_time(line: str, stamp: str) -> None:
    assert times.leading(line) == (T, stamp)


def test_a_time_in_the_middle_is_not_the_lines_time() -> None:
    assert times.leading("seen at 2025-12-27 11:02:49") == (None, "")
