"""Timestamps as logs write them.

Handed: the text or number a record gives as its time. Hands on: float seconds since the Unix epoch, UTC, or
``None`` when it is not a time; and what had to be supposed to read it. A text without an offset is taken as UTC,
one without a year as the latest year that fits; :func:`doubts` names both, so that nothing about a clock is
assumed in silence. Nothing in here raises.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from triage.parsers import dates

DAY = 86_400.0
EARLIEST = 631_152_000.0  # 1990-01-01: before it, a log's clock was not set
#: Kerberos, the strictest common user of clocks, tolerates five minutes; twice that is no longer jitter.
AHEAD = 600.0
#: A live feed is never a month behind; older is an import, a replay or a clock that was not set.
BEHIND = 30 * DAY
#: Field with what was supposed about a time (``year``, ``zone``, ``year,zone``), and field with what is odd about it.
INFERRED = "winnow.time_inferred"
FLAG = "winnow.time_flag"

MONTHS = dates.MONTHS
_MONTH = dates.MONTH
#: Month, day, optional year, clock and optional fraction of a BSD syslog header.
BSD = rf"{_MONTH} [ 0-3]?\d (?:\d{{4}} )?\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?"
ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?"

_BSD = re.compile(rf"({_MONTH}) +(\d{{1,2}}) (?:(\d{{4}}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d{{1,9}}))?\Z")
_ACCESS = re.compile(rf"(\d\d)/({_MONTH})/(\d{{4}}):(\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))?(?: ([+-])(\d\d)(\d\d))?\Z")
_NUMERIC = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F:]{2,}|\d{4}-\d\d-\d\d|client\b", re.IGNORECASE
)
_LEADING = re.compile(r"[\[<(]?(?:time=\"?|ts=\"?)?")
_ZONED = re.compile(
    rf"(?:\d ?Z|:\d\d(?:[.,]\d{{1,9}})? ?[+-]\d\d(?::?\d\d)?|[\dMm] (?:{dates.NAMED_ZONE}))(?: \d{{4}})?\Z"
)


def from_iso(text: str) -> float | None:
    """Return the time of an ISO 8601 / RFC 3339 text with a date and, normally, a clock."""
    try:
        when = datetime.fromisoformat(text if "," not in text else text.replace(",", ".", 1))
    except ValueError:
        return dates.from_text(text.strip())
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    try:
        return when.timestamp()
    except (OverflowError, ValueError):
        return None


def from_number(number: float) -> float | None:
    """Return the time of an epoch count in seconds, milli-, micro- or nanoseconds, told apart by size.

    A Windows FILETIME (100 ns since 1601) of our days is as large as a nanosecond count of 1973, which no log has.
    """
    if not 0 < number < 1e20:
        return None
    for limit, unit in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6)):
        if number < limit:
            return number / unit
    if 1.2e17 < number < 2e17:
        return number / 1e7 - 11_644_473_600.0
    return number / 1e9


def from_any(value: Any) -> float | None:
    """Return the time of a JSON value of any kind."""
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return from_number(value)


def from_text(text: str) -> float | None:
    """Return the time of a whole text in any known notation that carries its year."""
    if len(text) > 40 or len(text) < 8:
        return None
    if text[4:5] == "-":
        return from_iso(text)
    if text[2:3] == "/" and text[6:7] == "/":
        return from_access(text)
    if text[8:9] == "T":
        return from_iso(text)
    if len(text) == 14 and text.startswith(("19", "20")):
        return dates.from_text(text)
    try:
        return from_number(float(text))
    except ValueError:
        return dates.from_text(text)


def from_access(text: str) -> float | None:
    """Return the time of a web access log: ``17/Oct/2023:05:57:56 +1100``."""
    match = _ACCESS.match(text)
    if match is None:
        return dates.from_text(text)
    day, month, year, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    start = _midnight(int(year), MONTHS[month], int(day))
    clock = dates.clock(hour, minute, second, fraction)
    if start is None or clock is None:
        return None
    when = start + clock
    if sign:
        offset = int(off_hours) * 3600 + int(off_minutes) * 60
        when += offset if sign == "-" else -offset
    return when


def from_bsd(text: str, received_at: float) -> tuple[float | None, bool]:
    """Return the time of a BSD syslog header and whether its year had to be inferred.

    Without a year it is the latest year that does not put the event more than a day after its arrival.
    """
    match = _BSD.match(text)
    if match is None:
        return None, False
    month, day, year, hour, minute, second, fraction = match.groups()
    clock = dates.clock(hour, minute, second, fraction)
    if clock is None:
        return None, False
    if year:
        start = _midnight(int(year), MONTHS[month], int(day))
    else:
        start = _latest_midnight(MONTHS[month], int(day), clock, received_at)
    return (None if start is None else start + clock), not year


def _latest_midnight(month: int, day: int, clock: float, received_at: float) -> float | None:
    """29 February may be up to eight years back (1896 and 1900 style gaps)."""
    latest = received_at + DAY
    year = _year_of(int(latest // DAY))
    for candidate in range(year, year - 9, -1):
        start = _midnight(candidate, month, day)
        if start is not None and start + clock <= latest:
            return start
    return None


@lru_cache(maxsize=64)
def _year_of(day_number: int) -> int:
    return datetime.fromtimestamp(min(max(day_number, 0), 2_900_000) * DAY, UTC).year


@lru_cache(maxsize=1024)
def _midnight(year: int, month: int, day: int) -> float | None:
    """Cached because nearly all lines of a batch are of one day."""
    try:
        return datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def leading(text: str) -> tuple[float | None, str]:
    """Return the time a line of unknown format begins with, and its text."""
    when, stamp, _ = head(text, 0.0)
    return when, stamp


def head(text: str, received_at: float, start: int = 0) -> tuple[float | None, str, int]:
    """Return the time that stands at ``start``, how it is written, and where the text goes on after it.

    A notation without a year is read when ``received_at`` is given. The place is ``start`` when no time is there.
    """
    mark = _LEADING.match(text, start)
    begin = mark.end() if mark is not None else start
    match = dates.LEADING.match(text, begin)
    if match is not None:
        stamp = match[0].rstrip()
        when = from_text(stamp) if len(stamp) >= 8 else None
        return (when, stamp, _after(text, begin + len(stamp))) if when is not None else (None, "", start)
    if received_at:
        yearless = dates.YEARLESS.match(text, begin)
        if yearless is not None:
            when = from_yearless(yearless, received_at)
            return (when, yearless[0], _after(text, yearless.end())) if when is not None else (None, "", start)
    return None, "", start


def from_yearless(match: re.Match[str], received_at: float) -> float | None:
    """Return the time of ``Dec 21 12:56:59``, ``03-17 16:13:38.811`` or ``10.30 16:49:06``."""
    groups = match.groupdict()
    month = MONTHS.get(groups["name"].title()) if groups["name"] else int(groups["month"])
    day = int(groups["day"] or groups["day2"])
    clock = dates.clock(groups["hour"], groups["minute"], groups["second"], groups["fraction"])
    if not month or clock is None:
        return None
    start = _latest_midnight(month, day, clock, received_at)
    return None if start is None else start + clock


def _after(text: str, end: int) -> int:
    """Skip what closes a time: bracket, quote, comma, colon, bar, blank."""
    stop = min(len(text), end + 4)
    while end < stop and text[end] in '])>",:;| \t':
        end += 1
    return end


def is_numeric(text: str) -> bool:
    """Return whether a short text looks like an address or a clock rather than like a name."""
    return _NUMERIC.match(text) is not None


def doubts(stamp: str) -> str:
    """Return what a written time leaves open: ``zone``, ``year,zone`` or nothing.

    >>> doubts("Dec 27 11:02:49"), doubts("2025-12-27 11:02:49"), doubts("2025-12-27T11:02:49Z")
    ('year,zone', 'zone', '')
    """
    if len(stamp) == 15 and stamp[3] == " ":
        return "year,zone"  # a BSD header, the commonest
    if (stamp[-1:] == "Z" and stamp[-2:-1].isdigit()) or stamp.replace(".", "", 1).isdigit() or _ZONED.search(stamp):
        return ""
    return "zone" if dates.HAS_YEAR.search(stamp) else "year,zone"


def oddity(when: float, received_at: float) -> str:
    """Return ``future`` or ``ancient`` for a time that its arrival does not fit, else nothing."""
    if when > received_at + AHEAD:
        return "future"
    return "ancient" if when < received_at - BEHIND else ""
