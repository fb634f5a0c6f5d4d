"""Amounts without a figure: "hundreds of attempts", "several machines", "repeatedly".

Handed: a claim's draft and the evidence. Hands on: a :class:`Trouble` for an amount that is larger than anything the
evidence counts. A statement about how things are in general ("thousands of scanners") is not about the alert.
"""

import re
from collections.abc import Iterator

from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble
from triage.explainers.grounding_text import Draft

_LARGE = re.compile(
    r"\b(?:(?P<tens>tens|dozens|scores|hundreds|thousands|millions|billions)(?: of (?P<more>thousands|millions))?|"
    r"(?P<hundred>several|many|a few) (?:(?P<next>dozen|hundred|thousand|million)\b))",
    re.IGNORECASE,
)
_LEAST = {
    "tens": 20, "dozens": 24, "dozen": 24, "scores": 40, "hundreds": 100, "hundred": 200, "thousands": 1000,
    "thousand": 2000, "millions": 1_000_000, "million": 2_000_000, "billions": 1_000_000_000,
}  # fmt: skip
_SCALES = {"thousands": 1000, "millions": 1_000_000, "": 1}
_DONE = (
    r"events?|log-?[io]ns?|sign-?ins?|attempts?|failures?|connections?|requests?|quer(?:y|ies)|lookups?|records?|"
    r"entries|"
    r"sessions?|tries|hits|calls?|packets|messages?|files|keys|processes|commands?|retries|errors|alerts|passwords|"
    r"downloads?|transfers?|scans?|times"
)
_THINGS = {
    "hosts": "hosts?", "machines": "hosts?|machines?", "systems": "hosts?|systems?", "servers": "hosts?|servers?",
    "devices": "hosts?|devices?", "endpoints": "hosts?|endpoints?", "users": "users?|accounts?",
    "accounts": "users?|accounts?", "countries": "countr(?:y|ies)", "locations": "locations?|countr(?:y|ies)",
}  # fmt: skip
_SOME = re.compile(
    rf"\b(?P<word>several|multiple|numerous|many|countless|various|a (?:large|great|high) number of|a lot of|"
    rf"a (?:series|string|flood|wave|burst) of|"
    rf"repeated)\s(?:(?!of\b)[a-z-]+\s){{0,2}}?(?:(?P<done>{_DONE})|(?P<things>{'|'.join(_THINGS)}))\b",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"\b(?:repeatedly|over and over|time and again|again and again)\b", re.IGNORECASE)
_EVENTS = re.compile(r"(?<![\d,])(\d{1,6}) events? (?:is|are) in this alert")
_SPELL = re.compile(
    r"\b(?:over|for|during|within|lasted|took) (?:several|many|multiple) (?P<unit>minute|hour|day|week|month)s\b",
    re.IGNORECASE,
)
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}
#: Of an alert with one event, nothing that happened is told in the plural.
_SEVERAL = re.compile(
    r"\b(?:several|multiple|numerous|many|repeated)\s(?:[a-z-]+\s)?(?!(?:signs|reasons|explanations|fields|causes|"
    r"ways|"
    r"facts|indicators|"
    r"factors|details|columns|rows|values|aspects|points|elements|parameters|hours|days|minutes|years|attributes|"
    r"privileges|"
    r"rights|permissions|failures|events|logins|logons)\b)[a-z-]{3,}s\b|\b(?:several|multiple|many) times\b",
    re.IGNORECASE,
)
_SOME_LEAST = {"": 2, "many": 4, "numerous": 4, "countless": 20, "a large number of": 10, "a great number of": 10}
_SUPPOSED = re.compile(
    r"\b(?:if|whether|could|would|might|may|can|should|unless|possibl[ey]|perhaps|check|verify|confirm|ask|typically|"
    r"usually|commonly|generally|in general|every day|often|tend|such as|any)\b",
    re.IGNORECASE,
)
#: A present tense that speaks of the world: "many administrators use", "several tools do".
_PAST = re.compile(
    r"\b(?:was|were|had|has|have|did|been|made|sent|ran|saw|got|hit|seen|went|took|began|"
    r"(?<!are )(?<!is )(?<!be )\w{2,}ed)\b",
    re.IGNORECASE,
)


def troubles(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield what is wrong with the amounts of a claim; runs after figures are blotted out."""
    if _SUPPOSED.search(draft.text):
        return
    for match in _LARGE.finditer(draft.rest):
        word = (match["tens"] or match["next"]).lower()
        yield from _judged(match.group(), _LEAST[word] * _SCALES[(match["more"] or "").lower()], "", basis)
    for match in _SOME.finditer(draft.rest):
        if _PAST.search(draft.text):
            least = max(least for word, least in _SOME_LEAST.items() if word in match.group().lower())
            yield from _judged(match.group(), least, _THINGS.get((match["things"] or "").lower(), ""), basis)
    if _PAST.search(draft.text):
        yield from _few(draft, basis)
        yield from _long(draft, basis)
    for match in _AGAIN.finditer(draft.rest):
        yield from _judged(match.group(), 2, "", basis)


def _few(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble for a plural that an alert with so few events does not have."""
    counted = _EVENTS.search(basis.whole.text)
    if not counted:
        return
    for match in _SEVERAL.finditer(draft.rest):
        least = 4 if match.group().lower().startswith(("many", "numerous")) else 2
        if int(counted[1]) < least:
            yield Trouble(f'"{match.group()}": the evidence counts {counted[1]}')


def _long(draft: Draft, basis: Basis) -> Iterator[Trouble]:
    """Yield a trouble for "several hours" when no two times of the evidence lie so far apart."""
    for match in _SPELL.finditer(draft.rest):
        longest = max(basis.whole.numbers.spans, default=0)
        if longest < 2 * _SECONDS[match["unit"].lower()]:
            yield Trouble(f'"{match.group()}" is longer than anything the evidence spans')


def _judged(said: str, least: int, things: str, basis: Basis) -> Iterator[Trouble]:
    if _has(basis.cited, least, things):
        return
    misplaced = _has(basis.whole, least, things)
    where = "the cited lines count" if misplaced else "any evidence line counts"
    yield Trouble(f'"{said}" is more than {where}', misplaced)


def _has(index: Index, least: int, things: str) -> bool:
    """Tell whether lines count so many; of things such as hosts, whether they count just those, or list them."""
    if not things:
        return any(held >= least for held in index.numbers.counts)
    counted = re.compile(rf"(?<!\d)(\d[\d,]{{0,17}}) (?:[a-z-]+ ){{0,2}}?(?:{things})\b")
    found = (match[1].replace(",", "") for match in counted.finditer(index.text))
    return any(int(digits) >= least for digits in found) or len(index.addresses) >= max(least, 3)
