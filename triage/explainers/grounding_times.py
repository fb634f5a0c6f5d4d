"""Times in a claim, compared by value at the granularity they are written in.

Handed: normalised texts. Hands on: the dates and clock times in them, and whether a time that a claim names is one
that the evidence has. 14:02 stands for 14:02:11, and for 14:01:45 when it is rounded; "around 14:00" for ten minutes
on either side; "2 pm" for the hour; an evidence time with an offset counts in its own zone and in UTC.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d{1,9})?)?"
_ZONE = r"(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)(?!\w))?"
_HALF = r"(?:\s?(?P<half>[ap])\.?m\b\.?)?"
_DATE = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
#: Dates and times together or alone, longest form first.
PATTERNS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\d.-]){_DATE}[T ]{_CLOCK}{_ZONE}(?!\d)",
        rf"(?<!\d)(?P<day>\d{{1,2}})/{_MONTH.format('word')}/(?P<year>\d{{4}}):{_CLOCK}(?:\s?(?P<zone>[+-]\d{{4}}))?",
        rf"\b{_MONTH.format('word')}\s+(?P<day>\d{{1,2}})\s+{_CLOCK}",
        rf"(?<![\d.-]){_DATE}(?![\d-])",
        (
            rf"(?<![\d.])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\sof)?[ -]{_MONTH.format('word')}"
            r"(?:,?[ -](?P<year>\d{4}))?(?![\w-])"
        ),
        rf"\b{_MONTH.format('word')}\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(?P<year>\d{{4}}))?(?![\w:])",
        rf"(?<![\w.:]){_CLOCK}{_HALF}{_ZONE}(?![\d:]|\.\d)",
        r"(?<![\w.:])(?P<hour>\d{1,2})(?:\.(?P<minute>\d\d))?\s?(?P<half>[ap])\.?m\b\.?",
        r"(?<![\w.:])(?P<hour>[01]?\d|2[0-3])h(?P<minute>[0-5]\d)\b",
    )
)
_NAMED = re.compile(r"\b(?P<name>midnight|noon|midday)\b", re.IGNORECASE)
_EPOCH = re.compile(r"(?<![\w.])1[0-9]{9}(?:\.\d{1,9})?(?!\w)")
_WEEKDAY = re.compile(rf"\b({'|'.join(WEEKDAYS)})s?\b", re.IGNORECASE)
_ROUGH = re.compile(
    r"(?:about|around|roughly|approximately|circa|nearly|shortly|just|almost|close to|near|~|some ?time|towards?)"
    r"(?:\s(?:before|after|past|at))?\W*$",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(?:before|by|prior to|earlier than|no later than)\W*$", re.IGNORECASE)
_AFTER = re.compile(r"\b(?:after|since|later than|past)\W*$", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\W*$", re.IGNORECASE)
_AND = re.compile(r"\bbetween\b.{0,40}\band\W*$", re.IGNORECASE)
ROUGH_SECONDS, BOUND_SECONDS, DAY = 600, 120, 86_400


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a time of day, or both. ``year`` 0 is not written; ``seconds`` of the day; ``grain`` is h, m or s."""

    year: int = 0
    month: int = 0
    day: int = 0
    seconds: int | None = None
    grain: str = ""

    def shifted(self, seconds: int) -> "Moment":
        """Return the moment as seen this many seconds further on."""
        if self.seconds is None:
            return self
        total = self.seconds + seconds
        if not self.month:
            return Moment(seconds=total % DAY, grain=self.grain)
        try:
            date = dt.date(self.year or 2024, self.month, self.day) + dt.timedelta(days=total // DAY)
        except (ValueError, OverflowError):
            return self
        return Moment(date.year if self.year else 0, date.month, date.day, total % DAY, self.grain)


def read(match: re.Match[str]) -> Moment | None:
    """Return what a match of :data:`PATTERNS` says, None for what no calendar or clock has."""
    held = match.groupdict()
    month = int(held.get("month") or 0)
    if held.get("word"):
        month = _MONTHS.index(held["word"][:3].lower()) + 1
    year, day = int(held.get("year") or 0), int(held.get("day") or 0)
    seconds, grain = _seconds(held)
    if month and not _is_date(year, month, day):
        return None
    if grain and seconds is None:
        return None
    return Moment(year, month, day, seconds, grain)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        dt.date(year or 2024, month, day)
    except ValueError:
        return False
    return True


def _seconds(held: dict[str, str | None]) -> tuple[int | None, str]:
    if held.get("hour") is None:
        return None, ""
    hour, minute, second = (int(held.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (held.get("half") or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    grain = "s" if held.get("second") else "m" if held.get("minute") else "h"
    if hour > 23 or minute > 59 or second > 60:
        return None, grain
    return hour * 3600 + minute * 60 + second, grain


def zones(match: re.Match[str], moment: Moment) -> Iterator[Moment]:
    """Yield a moment as written and, when it has an offset, in UTC."""
    yield moment
    zone = match.groupdict().get("zone") or ""
    if zone[:1] in {"+", "-"} and zone.strip("+-0:"):
        digits = zone[1:].replace(":", "")
        offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        yield moment.shifted(-offset if zone[0] == "+" else offset)


def found(text: str) -> tuple[frozenset[Moment], str]:
    """Return the moments of an evidence text, and the text without them."""
    moments: set[Moment] = set()
    for pattern in PATTERNS:
        for match in list(pattern.finditer(text)):
            moment = read(match)
            if moment is not None:
                moments.update(zones(match, moment))
                text = text[: match.start()] + " " * (match.end() - match.start()) + text[match.end() :]
    for epoch in _EPOCH.findall(text):
        stamp = dt.datetime.fromtimestamp(int(float(epoch)), tz=dt.UTC)
        seconds = stamp.hour * 3600 + stamp.minute * 60 + stamp.second
        moments.add(Moment(stamp.year, stamp.month, stamp.day, seconds, "s"))
    return frozenset(moments), text


_BESIDE = re.compile(
    r"\W*(?P<unit>seconds?|minutes?|hours?) (?P<way>before|to|after|past) (?P<name>midnight|noon|midday)\b",
    re.IGNORECASE,
)
_UNIT = {"s": 1, "m": 60, "h": 3600}


def is_beside(value: float, after: str, moments: frozenset[Moment]) -> bool:
    """Tell whether "two minutes before midnight" is a time of the evidence; ``after`` begins behind the number."""
    found = _BESIDE.match(after)
    if not found or value > DAY:
        return False
    away = value * _UNIT[found["unit"][0].lower()] * (-1 if found["way"].lower() in {"before", "to"} else 1)
    middle = 0 if found["name"].lower() == "midnight" else DAY // 2
    seconds = int(middle + away) % DAY
    return any(m.seconds is not None and abs(m.seconds - seconds) <= 60 for m in moments)


_HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_PAST_HOUR = re.compile(
    rf"\b(?P<part>half|(?:a )?quarter|five|ten|twenty-five|twenty) (?P<way>past|to) (?P<hour>{'|'.join(_HOURS)})\b",
    re.IGNORECASE,
)
_AT_HOUR = re.compile(
    rf"\b(?P<hour>{'|'.join(_HOURS)}) (?:o'clock|in the (?:morning|afternoon|evening|night)|at night)\b", re.IGNORECASE
)
_PARTS = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20, "twenty-five": 25}


def spoken(text: str) -> Iterator[tuple[re.Match[str], tuple[Moment, ...]]]:
    """Yield "quarter past three" with what it may stand for: before noon and after."""
    for match in _AT_HOUR.finditer(text):
        first = (_HOURS.index(match["hour"].lower()) + 1) % 12 * 3600
        yield match, tuple(Moment(seconds=(first + half) % DAY, grain="h") for half in (0, DAY // 2))
    for match in _PAST_HOUR.finditer(text):
        minutes = _PARTS[match["part"].lower().removeprefix("a ")] * (1 if match["way"].lower() == "past" else -1)
        first = ((_HOURS.index(match["hour"].lower()) + 1) % 12 * 60 + minutes) * 60 % DAY
        yield match, tuple(Moment(seconds=(first + half) % DAY, grain="m") for half in (0, DAY // 2))


def named(text: str) -> Iterator[tuple[re.Match[str], Moment]]:
    """Yield noon and midnight in a text, as hours."""
    for match in _NAMED.finditer(text):
        yield match, Moment(seconds=0 if match["name"].lower() == "midnight" else DAY // 2, grain="h")


def weekdays(text: str) -> Iterator[re.Match[str]]:
    """Yield the days of the week that a text names."""
    return _WEEKDAY.finditer(text)


def weekday_matches(word: str, moments: frozenset[Moment]) -> bool:
    """Tell whether a moment falls on this day of the week; also when no moment has a year to tell by."""
    days = {dt.date(m.year, m.month, m.day).weekday() for m in moments if m.year and m.month}
    return not days or WEEKDAYS.index(word.lower()) in days


def matches(claimed: Moment, moments: frozenset[Moment], before: str) -> bool:
    """Tell whether the evidence has a time; ``before`` is the claim's text in front of it."""
    if claimed.month and not any(_same_date(claimed, moment) for moment in moments):
        return False
    if claimed.seconds is None:
        return True
    held = [
        m for m in moments if m.seconds is not None and (not claimed.month or not m.month or _same_date(claimed, m))
    ]
    if any(_same_time(claimed, moment, bool(_ROUGH.search(before))) for moment in held):
        return True
    if _ROUGH.search(before):
        return False
    if _is_bound(claimed, held, before):
        return True
    if _BEFORE.search(before):
        return any((moment.seconds or 0) <= claimed.seconds for moment in held)
    if _AFTER.search(before) or (_BETWEEN.search(before) and claimed.seconds % 1800 == 0):
        return any((moment.seconds or 0) >= claimed.seconds for moment in held)
    return False


def _is_bound(claimed: Moment, held: list[Moment], before: str) -> bool:
    """Tell whether "between 14:02 and 14:10" has the evidence just inside the bound."""
    ways = (1 if _BETWEEN.search(before) else 0, -1 if _AND.search(before) else 0)
    away = [((moment.seconds or 0) - (claimed.seconds or 0)) * way for moment in held for way in ways if way]
    return any(0 <= seconds <= BOUND_SECONDS for seconds in away)


def _same_date(claimed: Moment, moment: Moment) -> bool:
    if (claimed.month, claimed.day) != (moment.month, moment.day):
        return False
    return not claimed.year or not moment.year or claimed.year == moment.year


def _same_time(claimed: Moment, moment: Moment, rough: bool) -> bool:
    wanted, held = claimed.seconds or 0, moment.seconds or 0
    if rough:
        return min(abs(wanted - held), DAY - abs(wanted - held)) <= (1800 if claimed.grain == "h" else ROUGH_SECONDS)
    if claimed.grain == "s":
        return wanted == held if moment.grain == "s" else wanted // 60 == held // 60
    unit = 60 if claimed.grain == "m" else 3600
    return wanted // unit in {held // unit, (held + unit // 2) // unit % (DAY // unit)}


def spans(moments: frozenset[Moment]) -> set[int]:
    """Return the seconds between any two of the evidence's full times: what a duration may be about."""
    full = sorted({_absolute(moment) for moment in moments if moment.seconds is not None and moment.month})[:40]
    return {later - earlier for i, earlier in enumerate(full) for later in full[i + 1 :]}


def _absolute(moment: Moment) -> int:
    day = dt.date(moment.year or 2024, moment.month, moment.day).toordinal()
    return day * DAY + (moment.seconds or 0)
