"""Numbers in a claim, compared by value: 1,204 is 1204, "three" is 3, 80 % is 0.8, 5 MB is 5242880.

Handed: normalised texts. Hands on: the numbers in them with the role the words around them give (a port, an event
code, a process id, a count of something), and whether a number that a claim names is one that the evidence has.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

_UNITS_IN_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS_IN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_UNITS_IN_WORDS.split())} | {
    word: 10 * tens for tens, word in enumerate(_TENS_IN_WORDS.split(), 2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12}
_WORD = "|".join(sorted((*_SMALL, *_SCALES), key=len, reverse=True))
NUMBER = re.compile(
    r"(?<![\w.])(?<!\w-)(?<!\w[\\@])(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?P<part>\.\d+)?(?!\.?\d)"
    r"(?:(?P<unit>k|m|bn?|[kmgt]i?b|ms|s|min|h|d|x|th|st|nd|rd)\b|(?!\w))",
    re.IGNORECASE,
)
WORDS = re.compile(
    rf"(?<![\w-])(?:a\s)?(?:{_WORD})(?:(?:[\s-]|\sand\s)(?:{_WORD})){{0,9}}(?!\w| quarters|-(?:time|day|way|factor|"
    rf"letter|sided|off|fold))",
    re.IGNORECASE,
)
_BEFORE_PORT = re.compile(
    r"\b(?:ports?|dpt|spt|[ds]port|tcp|udp)\b(?:[\d\s,;/&()#=:-]|number|and|or|to)*$", re.IGNORECASE
)
_BEFORE_CODE = re.compile(r"\bevent(?:s|\s?-?id|\s?code|\s?number)*\W*$|\beventid\W*$", re.IGNORECASE)
_BEFORE_PID = re.compile(r"\b(?:pid|process id|process-id)\W*$", re.IGNORECASE)
_BEFORE_STATUS = re.compile(r"\b(?:status|http|response|return|error)(?:\s?code)?\W*$", re.IGNORECASE)
_ROUGH = re.compile(r"(?:about|around|roughly|approximately|nearly|almost|close to|some|circa|~)\W*$", re.IGNORECASE)
_AT_LEAST = re.compile(r"(?:more than|over|at least|above|exceed(?:s|ed|ing)|upwards of|>=?)\W*$", re.IGNORECASE)
_AT_MOST = re.compile(
    r"(?:less than|fewer than|under|at most|below|up to|no more than|within|in the last|in the past|<=?)\W*$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\W*(?:[a-z-]+\s){0,2}?(?:events?|log-?[io]ns?|attempts?|failures?|times|connections?|requests?|hosts?|users?|"
    r"accounts?|bytes|packets|records?|entries|quer(?:y|ies)|files|processes|alerts?|sessions?|"
    r"sign-?ins?|tries|hits|"
    r"calls?|flows?|messages?|values|commands?|occurrences|others?)\b",
    re.IGNORECASE,
)
_LISTED = re.compile(
    r"\W*(?:[a-z-]+\s){0,2}?(?:fields|lines|facts|signs|things|reasons|points|addresses|hosts|users|accounts|ports|"
    r"processes|values|names|machines|systems|of these|of them|of those|findings|sources|files|commands)\b",
    re.IGNORECASE,
)
#: In front of or behind a number that tells how many there are in all, not how many of them did something.
_OF_ALL = re.compile(
    r"\b(?:of|according to|based on|in|among|amongst|across|over|all|than|learned|baseline|history|knows?|saw|"
    r"seen)\W*(?:the |all |"
    r"all the |"
    r"its |these |those )*$|\b(?:baseline|history|training)\b[^.;]{0,30}$",
    re.IGNORECASE,
)
_IN_ALL = re.compile(
    r"\W*(?:[a-z-]+\s){0,2}?(?:values|earlier|previous|prior|past|learned|known|baseline)\b", re.IGNORECASE
)
_TOTAL = re.compile(r"(?:(?<=\d\sof\s)|\blearned (?:from )?)(\d[\d,]{0,17})(?!\.?\d)", re.IGNORECASE)
_LASTING = re.compile(r"(?<![\w.])\d[\d,.]*\s?(?:seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|months?|years?)\b")
_TIMES = re.compile(
    r"(?:\W*times|-?fold|x)\s(?:the|as|more|higher|above|larger|greater|what|its|that|of)\b", re.IGNORECASE
)
_FACTOR = re.compile(r"\bfactor of\W*(?:more than|over|about|around|roughly|almost|nearly)?\W*$", re.IGNORECASE)
_PER = re.compile(r"\W*(?:[a-z-]+\s){0,2}?(?:per|an?|every|each)\s(?P<unit>second|minute|hour|day)\b", re.IGNORECASE)
_AVERAGE = re.compile(r"\b(?:average|averaging|mean|apiece|each)\b", re.IGNORECASE)
_STANDARD = re.compile(r"\b(?:RFC|ISO|IEC|NIST|PCI)\W*$", re.IGNORECASE)
_DURATION = re.compile(r"\W*(second|minute|hour|day|week|month|year)s?\b", re.IGNORECASE)
_SECONDS = {
    "second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000,
}  # fmt: skip
_FIGURE = rf"\d{{1,4}}|(?:{_WORD})"
_TWO_UNITS = re.compile(
    rf"(?<![\w.,])(?P<first>{_FIGURE})\s(?P<unit>day|hour|minute)s?,?\s(?:and\s)?(?P<second>{_FIGURE})\s"
    r"(?P<lesser>hour|minute|second)s?\b",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"\s?(?:%|per ?cent\b)", re.IGNORECASE)
_UNITS = {"k": (1e3,), "m": (1e6,), "b": (1e9,), "bn": (1e9,)} | {
    f"{letter}{i}b": (1000.0**power, 1024.0**power) for power, letter in enumerate("kmgt", 1) for i in ("", "i")
}
_SPACED_UNIT = re.compile(
    r"\s(?P<unit>[kmgt]i?b|[kmgt]i?bytes|(?:kilo|mega|giga|tera)bytes?|million|thousand|billion)\b", re.IGNORECASE
)
_LONG = re.compile(r"([kmgt])(?:ilo|ega|iga|era)bytes?")
#: "more than an hour": a duration of one.
_ONE_UNIT = re.compile(
    r"\b(?:more than|over|at least|exceed\w*) (?P<one>an?|one) (?:second|minute|hour|day|week|month|year)\b",
    re.IGNORECASE,
)
#: "half a million", "half a dozen".
_HALF = re.compile(r"\bhalf an? (?P<scale>dozen|hundred|thousand|million)\b", re.IGNORECASE)
_SPACED = {"million": "m", "thousand": "k", "billion": "b"}
_SHARE = re.compile(r"(?<![\d,])(\d[\d,]{0,17}) of (\d[\d,]{0,17})")
_ROLE_TEXT: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("port", re.compile(r"\b(?:ports?|dpt|spt|[ds]port|dst_?port|src_?port)[\s=:#\"']{1,4}(\d{1,5})\b", re.IGNORECASE)),
    ("port", re.compile(r"\b(\d{1,5})/(?:tcp|udp)\b", re.IGNORECASE)),
    ("port", re.compile(r"(?:\d\.\d{1,3}|\]):(\d{1,5})(?![\d:])")),
    ("port", re.compile(r"\d\.\d{1,3}[/#](\d{2,5})\b")),
    ("code", re.compile(r"\b(?:event ?(?:id|code)|eventid|event)[\s=:\"']{1,4}(\d{1,6})\b", re.IGNORECASE)),
    ("pid", re.compile(r"\bpid[\s=:\"']{1,4}(\d{1,8})\b|\w\[(\d{1,8})\]", re.IGNORECASE)),
)
_ROLE_FIELDS = ((".port", "port"), ("event.code", "code"), (".pid", "pid"), ("status_code", "status"))


@dataclass(frozen=True, slots=True)
class Number:
    """A number as a claim writes it: possible values, how finely each is written, role, and where it stands."""

    values: tuple[float, ...]
    steps: tuple[float, ...]
    written: str
    role: str
    start: int
    end: int


def in_text(text: str) -> Iterator[Number]:
    """Yield the numbers of a claim, in digits and in words, with their role."""
    for match in NUMBER.finditer(text):
        start, end = match.span()
        values, end = _values(match, text)
        finest = 10.0 ** (1 - len(match["part"] or "."))
        steps = tuple(finest * value / values[0] if values[0] else finest for value in values)
        yield Number(values, steps, text[start:end], _role(text[:start], text[end:]), start, end)
        text = text[:start] + " " * (end - start) + text[end:] if end > match.end() else text
    for match in _ONE_UNIT.finditer(text):
        yield Number((1.0,), (1.0,), match.group(), "duration", match.start("one"), match.end("one"))
    for match in _HALF.finditer(text):
        start, end = match.span()
        value = _SCALES[match["scale"].lower()] / 2
        yield Number((value,), (1.0,), match.group(), _role(text[:start], text[end:]), start, end)
        text = text[:start] + " " * (end - start) + text[end:]
    for match in WORDS.finditer(text):
        value = float(spelled(match.group()))
        if value >= 2:
            start, end = match.span()
            if text.startswith(" and a half", end):
                value, end = value + 0.5, end + len(" and a half")
            spaced = _SPACED_UNIT.match(text, end)
            factors = _UNITS.get(_LONG.sub(r"\1b", spaced["unit"].lower()), ()) if spaced else ()
            end = spaced.end() if spaced and factors else end
            values = (value, *(value * factor for factor in factors))
            steps = (1.0, *factors)
            yield Number(values, steps, match.group(), _role(text[:start], text[end:]), start, end)


def _values(match: re.Match[str], text: str) -> tuple[tuple[float, ...], int]:
    """Return what a number in digits may stand for, and where it ends."""
    value = float(match["whole"].replace(",", "") + (match["part"] or ""))
    unit, end = (match["unit"] or "").lower(), match.end()
    spaced = _SPACED_UNIT.match(text, end)
    if not unit and spaced:
        unit, end = _LONG.sub(r"\1b", spaced["unit"].lower()).replace("bytes", "b"), spaced.end()
        unit = _SPACED.get(unit, unit)
    percent = _PERCENT.match(text, end)
    if percent:
        return (value, value / 100), percent.end()
    return (value, *(value * factor for factor in _UNITS.get(unit, ()))), end


def spelled(words: str) -> int:
    """Return the value of a number in words.

    >>> spelled("twenty-one"), spelled("one hundred and four"), spelled("two thousand"), spelled("a dozen")
    (21, 104, 2000, 12)
    """
    total = current = 0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in _SMALL:
            current += _SMALL[word]
        elif word in _SCALES:
            current = max(current, 1) * _SCALES[word]
            if word in {"thousand", "million"}:
                total, current = total + current, 0
    return total + current


def _role(before: str, after: str) -> str:
    tail = before[-60:]
    roles = (("port", _BEFORE_PORT), ("code", _BEFORE_CODE), ("pid", _BEFORE_PID), ("status", _BEFORE_STATUS))
    found = next((role for role, pattern in roles if pattern.search(tail)), "")
    if re.match(r"\s?/\s?(?:tcp|udp)\b", after, re.IGNORECASE):
        return "port"
    if found:
        return found
    if _DURATION.match(after):
        return "duration"
    return "count" if _COUNTED.match(after) else ""


@dataclass(frozen=True, slots=True)
class Known:
    """The numbers of some evidence.

    All of them, those of each role, those that have no role, shares, spans in seconds; and ``counts``: those without a
    role that are neither a time nor the whole that something else is counted in.
    """

    every: frozenset[float]
    roles: dict[str, frozenset[float]]
    free: frozenset[float]
    shares: frozenset[float]
    spans: frozenset[int]
    counts: frozenset[float] = frozenset()


def known(rows: list[tuple[str, str]], spans: set[int], years: set[float]) -> Known:
    """Return the numbers of ``(field or empty, text)`` rows; times and addresses are already out of the texts."""
    roles: dict[str, set[float]] = {}
    free: set[float] = set()
    every: set[float] = set()
    shares: set[float] = set()
    counts: set[float] = set()
    for name, text in rows:
        left = text
        for role, pattern in _ROLE_TEXT:
            for match in pattern.finditer(text):
                digits = match.group(match.lastindex or 1)
                roles.setdefault(role, set()).add(float(digits))
                left = (
                    left[: match.start(match.lastindex or 1)]
                    + " " * len(digits)
                    + left[match.end(match.lastindex or 1) :]
                )
        numbers = _plain_values(left)
        role = next((role for ending, role in _ROLE_FIELDS if name.endswith(ending)), "")
        roles.setdefault(role, set()).update(numbers) if role else free.update(numbers)
        if name.endswith("event.duration"):
            spans = spans | {int(value / 1e9) for value in numbers if value < 1e18}
        if not role:
            counts |= _plain_values(_LASTING.sub(" ", _TOTAL.sub(" ", left)))
        every |= numbers
        shares |= {_digits(a) / _digits(b) for a, b in _SHARE.findall(text) if _digits(b)}
    every = every.union(years, *roles.values())
    return Known(
        frozenset(every),
        {role: frozenset(values) for role, values in roles.items()},
        frozenset(free),
        frozenset(shares),
        frozenset(spans),
        frozenset(counts),
    )


def _digits(text: str) -> float:
    return float(text.replace(",", "") or 0)


def _plain_values(text: str) -> set[float]:
    found: set[float] = set()
    for match in NUMBER.finditer(text):
        found.update(_values(match, text)[0])
    return found | {float(spelled(match.group())) for match in WORDS.finditer(text)}


def matches(number: Number, evidence: Known, before: str, after: str, *, listed: int) -> bool:
    """Tell whether the evidence has a number; ``listed`` is how many things the claim itself names."""
    if number.role == "duration" and number.values == (1.0,) and not number.written[:1].isdigit():
        return _lasted(number, evidence, after, before)
    if number.role in evidence.roles:
        return any(value in evidence.roles[number.role] for value in number.values)
    pool = evidence.every
    if number.role == "count":
        pool = evidence.free if _OF_ALL.search(before) or _IN_ALL.match(after) else evidence.counts
    written = zip(number.values, number.steps, strict=True)
    if _STANDARD.search(before) or any(_equal(value, step, pool) for value, step in written):
        return True
    if _near(number, pool, before):
        return True
    if any(relates(number, evidence, before, after) for relates in (_is_average, _is_ratio, _is_pace)):
        return True
    if number.role == "duration" and _lasted(number, evidence, after, before):
        return True
    if len(number.values) == 2 and any(
        _rounds(share * 100, number.values[0], number.steps[0]) for share in evidence.shares
    ):
        return True
    return number.values[0] <= 10 and number.values[0] == listed and bool(_LISTED.match(after))


def _equal(value: float, step: float, pool: frozenset[float]) -> bool:
    """Tell whether a number is there, or one that is rounded to it; round millions may be five per cent off."""
    if value in pool or (step != 1 and any(_rounds(held, value, step) for held in pool)):
        return True
    is_round = value >= 1e6 and len(f"{value:.0f}".rstrip("0")) <= 2
    return is_round and any(abs(held - value) <= 0.05 * value for held in pool)


def _is_ratio(number: Number, evidence: Known, before: str, after: str) -> bool:
    """Tell whether "50 times the usual 40" is how two counts relate."""
    if not _TIMES.match(after) and not _FACTOR.search(before):
        return False
    held = sorted(evidence.counts)[:60]
    width = 0.15 if _ROUGH.search(before) or _AT_LEAST.search(before) else 0.05
    wanted = number.values[0]
    return any(small and abs(large / small - wanted) <= width * wanted for large in held for small in held)


def long_spans(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield durations of two units ("4 minutes and 48 seconds") with their seconds."""
    for match in _TWO_UNITS.finditer(text):
        parts = zip((match["first"], match["second"]), (match["unit"], match["lesser"]), strict=True)
        yield (
            match,
            sum(int(part if part.isdigit() else spelled(part)) * _SECONDS[unit.lower()] for part, unit in parts),
        )


def _is_average(number: Number, evidence: Known, before: str, after: str) -> bool:
    """Tell whether "1,400 bytes on average" is how two counts relate."""
    if not _AVERAGE.search(before) and not _AVERAGE.search(after):
        return False
    held = sorted(evidence.counts)[:60]
    wanted = number.values[0]
    return any(small and abs(large / small - wanted) <= 0.05 * wanted for large in held for small in held)


def _is_pace(number: Number, evidence: Known, before: str, after: str) -> bool:
    """Tell whether "2 a minute" is a count over the time between two moments."""
    width = 0.25 if _ROUGH.search(before) else 0.1
    each = _DURATION.match(after) if re.search(r"\bevery\W*$", before) else None
    if each:
        wanted = number.values[0] * _SECONDS[each.group(1).lower()]
        paces = (
            span / count for span in sorted(evidence.spans)[:60] for count in sorted(evidence.counts)[:60] if count
        )
        return any(abs(pace - wanted) <= width * wanted for pace in paces)
    unit = _PER.match(after)
    if not unit:
        return False
    seconds = _SECONDS[unit["unit"].lower()]
    return any(
        abs(count * seconds / span - wanted) <= width * wanted
        for wanted in number.values
        for count in sorted(evidence.counts)[:60]
        for span in sorted(evidence.spans)[:60]
        if span
    )


def _rounds(held: float, value: float, step: float) -> bool:
    return abs(held - value) <= step / 2 + 1e-12


def _near(number: Number, pool: frozenset[float], before: str) -> bool:
    value = number.values[-1] if len(number.values) != 2 else number.values[0]
    if _ROUGH.search(before):
        return any(abs(held - value) <= 0.1 * value for held in pool)
    if _AT_LEAST.search(before):
        return any(value <= held < 2 * value for held in pool)
    if _AT_MOST.search(before):
        return any(value / 2 < held <= value for held in pool)
    return False


def _lasted(number: Number, evidence: Known, after: str, before: str) -> bool:
    unit = _DURATION.match(after)
    seconds = _SECONDS[unit.group(1).lower()] if unit else 1
    value = number.values[0]
    if _AT_LEAST.search(before):
        return any(0.95 * value * seconds <= span < 2 * value * seconds for span in evidence.spans)
    if _AT_MOST.search(before):
        return any(value * seconds / 6 <= span <= 1.05 * value * seconds for span in evidence.spans)
    return any(math.floor(span / seconds) <= value <= math.ceil(span / seconds) for span in evidence.spans)
