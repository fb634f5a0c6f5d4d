"""The notations of date and clock that are neither RFC 3339 nor a BSD header, as patterns.

Handed: a text. Hands on: float seconds since the Unix epoch, UTC, or ``None``. Where the order of day and month
is the writer's secret (``03/04/2026``), a number over twelve decides, then the American order. Nothing raises.
"""

import re
from datetime import UTC, datetime, timedelta

MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
#: Names of zones that mean one thing, in hours. IST and CST mean several and are left out.
ZONES = {
    "Z": 0.0,
    "UTC": 0.0,
    "GMT": 0.0,
    "WET": 0.0,
    "BST": 1.0,
    "WEST": 1.0,
    "CET": 1.0,
    "MEZ": 1.0,
    "CEST": 2.0,
    "MESZ": 2.0,
    "EET": 2.0,
    "SAST": 2.0,
    "EEST": 3.0,
    "MSK": 3.0,
    "HKT": 8.0,
    "SGT": 8.0,
    "JST": 9.0,
    "KST": 9.0,
    "AEST": 10.0,
    "AEDT": 11.0,
    "NZST": 12.0,
    "NZDT": 13.0,
    "EDT": -4.0,
    "EST": -5.0,
    "CDT": -5.0,
    "MDT": -6.0,
    "MST": -7.0,
    "PDT": -7.0,
    "PST": -8.0,
}
_CLOCK = (
    r"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9}))?(?: ?(?P<half>[AaPp][Mm])\b)?"
)
NAMED_ZONE = "|".join(sorted(ZONES, key=len, reverse=True))
_LOOSE_CLOCK = _CLOCK.replace(r"\d\d)", r"\d\d?)")
_ZONE = rf"(?: ?(?P<offset>[+-]\d\d:?\d\d)(?!\d)| (?P<zone>{NAMED_ZONE})\b|(?P<zulu>Z))?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
#: One pattern per order of the parts; named groups are the same in all.
_SHAPES = (
    rf"(?P<year>\d{{4}})[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)(?:[T -]| - |, ){_CLOCK}{_ZONE}",
    rf"{_WEEKDAY}(?P<day>\d\d?)[ /-](?P<name>{MONTH})[ /-](?P<year>\d{{4}})[ :,]{{1,2}}{_CLOCK}{_ZONE}",
    rf"{_WEEKDAY}(?P<name>{MONTH}) {{1,2}}(?P<day>\d\d?),? (?P<year>\d{{4}}),? {_CLOCK}{_ZONE}",
    rf"{_WEEKDAY}(?P<name>{MONTH}) {{1,2}}(?P<day>\d\d?) {_CLOCK}{_ZONE} (?P<year>\d{{4}})",
    rf"(?P<first>\d\d?)[/.-](?P<second_number>\d\d?)[/.-](?P<year>\d{{4}})[ ,:T]{{1,2}}{_CLOCK}{_ZONE}",
    rf"(?P<short>\d\d)/(?P<month>\d\d)/(?P<day>\d\d),? {_CLOCK}{_ZONE}",
    (
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)-(?P<hour>\d\d)\.(?P<minute>\d\d)\.(?P<second>\d\d)"
        r"(?:\.(?P<fraction>\d{1,9}))?"
    ),
    rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d)[ T-]{_LOOSE_CLOCK}{_ZONE}",
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)",
    r"(?P<short>\d\d)(?P<month>\d\d)(?P<day>\d\d) (?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)",
)
_WHOLE = tuple(re.compile(shape + r"\Z", re.IGNORECASE) for shape in _SHAPES)
_NAMES = re.compile(r"\(\?P<\w+>")
#: Any of them at the beginning of a text; groups have no names here.
LEADING = re.compile("|".join(_NAMES.sub("(?:", shape) for shape in _SHAPES), re.IGNORECASE)
#: Notations without a year.
YEARLESS = re.compile(
    rf"{_WEEKDAY}(?:(?P<name>{MONTH}) {{1,2}}(?P<day2>\d\d?)|(?P<month>\d\d)[-./](?P<day>\d\d)),? "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?(?!\d)"
)
_UNKNOWN_ZONE = re.compile(rf"(?<=\d) (?!(?:{NAMED_ZONE}|AM|PM)\Z)[A-Z]{{2,5}}\Z")
HAS_YEAR = re.compile(r"(?<![.,\d])(?:19|20)\d\d|\A\d\d/\d\d/\d\d |\A\d{6} \d{6}")


def clock(hour: str, minute: str, second: str, fraction: str | None) -> float | None:
    """Return seconds since midnight; a leap second is the last one's next, nonsense is ``None``."""
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return hours * 3600 + minutes * 60 + seconds + (float("0." + fraction) if fraction else 0.0)


def from_text(text: str) -> float | None:
    """Return the time of a whole text in any of these notations."""
    if not 13 <= len(text) <= 48:
        return None
    text = _UNKNOWN_ZONE.sub("", text) if text[-1].isalpha() else text
    for shape in _WHOLE:
        match = shape.match(text)
        if match is not None:
            return _build(match.groupdict())
    return None


def _build(groups: dict[str, str | None]) -> float | None:
    get = groups.get
    year, month, day = _date(groups)
    seconds = clock(get("hour") or "0", get("minute") or "0", get("second") or "0", get("fraction"))
    half = (get("half") or "").lower()
    if seconds is None:
        return None
    if half:
        if seconds >= 46_800:
            return None
        seconds = seconds % 43_200 + (43_200 if half == "pm" else 0)
    try:
        midnight = datetime(year, month, day, tzinfo=UTC)
        return midnight.timestamp() + seconds - _offset(get("offset"), get("zone"))
    except (ValueError, OverflowError):
        return None


def _date(groups: dict[str, str | None]) -> tuple[int, int, int]:
    """Return year, month and day; an impossible one is refused by the calendar later."""
    get = groups.get
    year = int(get("year") or 0) or 2000 + int(get("short") or 0)
    if get("first"):
        first, second = int(get("first") or 0), int(get("second_number") or 0)
        return (year, second, first) if first > 12 else (year, first, second)
    if get("short") and int(get("month") or 0) > 12:  # 01/25/22: the year stands last
        return 2000 + int(get("day") or 0), int(get("short") or 0), int(get("month") or 0)
    month = MONTHS[str(get("name")).title()] if get("name") else int(get("month") or 0)
    return year, month, int(get("day") or 0)


def _offset(offset: str | None, zone: str | None) -> float:
    if offset:
        digits = offset[1:].replace(":", "")
        seconds = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])).total_seconds()
        return -seconds if offset[0] == "-" else seconds
    return ZONES[zone.upper()] * 3600 if zone else 0.0
