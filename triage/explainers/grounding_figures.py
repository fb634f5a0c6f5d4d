"""Times, numbers and line numbers in a claim, held against the evidence.

Handed: a claim's draft and its basis. Hands on: a :class:`Trouble` for each that the evidence does not have; what was
looked at is out of the draft for the steps that follow.
"""

import re
from collections.abc import Iterator

from triage.explainers import grounding_numbers as numbers
from triage.explainers import grounding_times as times
from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble
from triage.explainers.grounding_text import NUMERAL, Draft

#: How an evidence line is referred to within a text.
_LINE = re.compile(
    r"\b(?:evidence )?(?:lines?|items?|evidence) (?:no\. ?|#)?\d{1,3}(?!\d|[.:]\d)(?:(?:, ?| ?- ?| and |"
    r" to )\d{1,3}(?!\d|[.:]\d))*|"
    r"(?<!\w)\[\d{1,3}(?:, ?\d{1,3})*\]",
    re.IGNORECASE,
)


def references(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Take out what refers to evidence lines by their number ("line 4", "[4]"); yield what does not exist."""
    known = {line.number for line in basis.whole.evidence}
    for match in draft.take(_LINE):
        missing = [number for number in re.findall(r"\d+", match.group()) if int(number) not in known]
        yield from (Trouble(f"evidence line {number} does not exist") for number in missing)


def clocks(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield the dates and times that the evidence does not have; blots them out."""
    for pattern in times.PATTERNS:
        for match in list(pattern.finditer(draft.rest)):
            moment = times.read(match)
            if moment is None:
                yield Trouble(f"{match.group().strip()} is no time")
            else:
                before = draft.text[: match.start()][-40:]
                seen = tuple(times.zones(match, moment))
                if not any(times.matches(one, basis.cited.moments, before) for one in seen):
                    misplaced = any(times.matches(one, basis.whole.moments, before) for one in seen)
                    where = "not in the cited lines" if misplaced else "in no evidence line"
                    yield Trouble(f"{match.group().strip()} is {where}", misplaced)
            draft.facts.append(match.group())
            draft.blot(match.start(), match.end())
    yield from _spoken(draft, basis)


def _spoken(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with hours in words and with days of the week."""
    for match, either in list(times.spoken(draft.rest)):
        if not any(times.matches(one, basis.whole.moments, draft.text[: match.start()][-40:]) for one in either):
            yield Trouble(f"nothing in the evidence was at {match.group()}")
        draft.blot(match.start(), match.end())
    for match, moment in list(times.named(draft.rest)):
        if basis.whole.moments and not times.matches(moment, basis.whole.moments, draft.text[: match.start()][-40:]):
            yield Trouble(f"nothing in the evidence was at {match.group()}")
    for match in times.weekdays(draft.rest):
        if not times.weekday_matches(match[1], basis.whole.moments):
            yield Trouble(f"nothing in the evidence was on a {match[1]}")


def take_clocks(draft: Draft) -> None:
    """Take the dates and times out, whatever they say."""
    for pattern in times.PATTERNS:
        for _ in draft.take(pattern):
            pass


def counts(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield the numbers that the evidence does not have; blots them out."""
    listed = len(set(draft.facts))
    for match, seconds in list(numbers.long_spans(draft.rest)):
        draft.blot(match.start(), match.end(), NUMERAL)
        if not any(abs(span - seconds) <= 1 for span in basis.whole.numbers.spans):
            yield Trouble(f"{match.group()} is in no evidence line")
    for number in list(numbers.in_text(draft.rest)):
        before, after = draft.rest[: number.start][-40:], draft.rest[number.end :][:60]
        if any(number.values) or number.role in {"port", "pid", "code"}:
            draft.blot(number.start, number.end, NUMERAL)
        if _is_version(draft.text[: number.start], number.written, basis.whole):
            continue
        if times.is_beside(number.values[0], after, basis.whole.moments):
            continue
        if numbers.matches(number, basis.cited.numbers, before, after, listed=listed):
            continue
        misplaced = numbers.matches(number, basis.whole.numbers, before, after, listed=listed)
        where = "not in the cited lines" if misplaced else "in no evidence line"
        what = f"{number.role} {number.written}" if number.role in {"port", "pid"} else number.written
        yield Trouble(f"{what} is {where}", misplaced)


def _is_version(before: str, written: str, whole: Index) -> bool:
    """Tell whether a number is the version that the evidence gives the word in front of it: Chrome 123."""
    word = re.search(r"([A-Za-z]{2,30})\s(?:version\s|v)?$", before[-40:])
    return bool(word and re.search(rf"\b{word[1].lower()}[/ _-]?v?{re.escape(written)}(?!\d)", whole.text))
