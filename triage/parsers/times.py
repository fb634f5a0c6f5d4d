"""Timestamps as logs write them.

Handed: the text or number a record gives as its time. Hands on: float seconds since the Unix epoch, UTC, or
``None`` when it is not a time. A text without an offset is taken as UTC. Nothing in here raises.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

DAY = 86_400.0
EARLIEST = 631_152_000.0  # 1990-01-01: before it, a log's clock was not set

MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
#: Month, day, optional year, clock and optional fraction of a BSD syslog header.
BSD = rf"{_MONTH} [ 0-3]?\d (?:\d{{4}} )?\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?"
ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d))?"
ACCESS = rf"\d\d/{_MONTH}/\d{{4}}:\d\d:\d\d:\d\d(?:\.\d{{1,9}})?(?: [+-]\d{{4}})?"

_BSD = re.compile(rf"({_MONTH}) +(\d{{1,2}}) (?:(\d{{4}}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d{{1,9}}))?\Z")
_ACCESS = re.compile(rf"(\d\d)/({_MONTH})/(\d{{4}}):(\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))?(?: ([+-])(\d\d)(\d\d))?\Z")
_C_STYLE = re.compile(rf"[A-Z][a-z]{{2}} ({_MONTH}) +(\d{{1,2}}) (\d\d:\d\d:\d\d)(?:\.(\d{{1,9}}))? (\d{{4}})\Z")
_SLASHED = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\Z")
_LEADING = re.compile(
    rf"[\[<(]?(?:time=\"?)?(?P<iso>{ISO})|(?P<slashed>\d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?)"
    rf"|\[?(?P<access>{ACCESS})|\[(?P<c>[A-Z][a-z]{{2}} {_MONTH} [ 0-3]?\d \d\d:\d\d:\d\d(?:\.\d{{1,9}})? \d{{4}})\]"
)


def from_iso(text: str) -> float | None:
    """Return the time of an ISO 8601 / RFC 3339 text with a date and, normally, a clock."""
    try:
        when = datetime.fromisoformat(text if "," not in text else text.replace(",", ".", 1))
    except ValueError:
        return _from_loose_iso(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return when.timestamp()


def _from_loose_iso(text: str) -> float | None:
    """Accept what shippers write beside the standard: a blank before the offset, a trailing ``UTC``."""
    tidy = text.strip().removesuffix("UTC").replace(",", ".", 1)
    head, blank, tail = tidy.rstrip().rpartition(" ")
    if blank and tail[:1] in ("+", "-", "Z"):
        tidy = head + tail
    try:
        when = datetime.fromisoformat(tidy.rstrip())
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def from_number(number: float) -> float | None:
    """Return the time of an epoch count in seconds, milli-, micro- or nanoseconds, told apart by size."""
    if not 0 < number < 1e20:
        return None
    for limit, unit in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6)):
        if number < limit:
            return number / unit
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
    if text[4:5] == "/":
        return from_slashed(text)
    if text[2:3] == "/":
        return from_access(text)
    if text[:1].isalpha():
        return from_c_style(text)
    try:
        return from_number(float(text))
    except ValueError:
        return None


def from_access(text: str) -> float | None:
    """Return the time of a web access log: ``17/Oct/2023:05:57:56 +1100``."""
    match = _ACCESS.match(text)
    if match is None:
        return None
    day, month, year, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    start = _midnight(int(year), MONTHS[month], int(day))
    if start is None:
        return None
    when = start + int(hour) * 3600 + int(minute) * 60 + int(second)
    if fraction:
        when += float("." + fraction)
    if sign:
        offset = int(off_hours) * 3600 + int(off_minutes) * 60
        when += offset if sign == "-" else -offset
    return when


def from_slashed(text: str) -> float | None:
    """Return the time of ``2024/01/26 06:43:57``, as nginx and Go write it."""
    match = _SLASHED.match(text)
    if match is None:
        return None
    year, month, day, clock, fraction = match.groups()
    return from_iso(f"{year}-{month}-{day} {clock}" + (f".{fraction}" if fraction else ""))


def from_c_style(text: str) -> float | None:
    """Return the time of ``Thu Oct 13 12:24:49.880562 2022``, as Apache's error log writes it."""
    match = _C_STYLE.match(text)
    if match is None:
        return None
    month, day, clock, fraction, year = match.groups()
    iso = f"{year}-{MONTHS[month]:02d}-{int(day):02d} {clock}" + (f".{fraction}" if fraction else "")
    return from_iso(iso)


def from_bsd(text: str, received_at: float) -> tuple[float | None, bool]:
    """Return the time of a BSD syslog header and whether its year had to be inferred.

    Without a year it is the latest year that does not put the event more than a day after its arrival.
    """
    match = _BSD.match(text)
    if match is None:
        return None, False
    month, day, year, hour, minute, second, fraction = match.groups()
    clock = int(hour) * 3600 + int(minute) * 60 + int(second) + (float("." + fraction) if fraction else 0.0)
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
    match = _LEADING.match(text)
    if match is None or match.lastgroup is None:
        return None, ""
    found = match.group(match.lastgroup)
    return from_text(found), found
