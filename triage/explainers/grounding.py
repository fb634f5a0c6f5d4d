"""A claim can't outrank its evidence: every claim of an answer is held against the lines it cites.

Handed: an :class:`~triage.contracts.ExplanationRequest` and the answer to it, with real names back in place. Hands on:
a :class:`GroundedAnswer`: each claim marked grounded, miscited or struck with the problems in words, techniques that do
not stand taken out, and the suggested verdict turned into "needs review" when no grounded claim bears it.

What is checked and what gets past it is in docs/grounding.md. Nothing here can make an answer stronger.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from triage.contracts import Claim, ExplanationAnswer, ExplanationRequest
from triage.explainers import grounding_amounts as amounts
from triage.explainers import grounding_figures as figures
from triage.explainers import grounding_logic as logic
from triage.explainers import grounding_names as names
from triage.explainers import grounding_parts as parts
from triage.explainers import grounding_techniques as techniques
from triage.explainers import grounding_words as words
from triage.explainers.grounding_index import Index
from triage.explainers.grounding_names import Basis, Trouble
from triage.explainers.grounding_text import Draft, normal

GROUNDED, MISCITED, STRUCK = "grounded", "miscited", "struck"
#: Problems shown of one claim; a claim is wrong after the first.
MAX_PROBLEMS = 6
#: Text beyond this is not looked at, and a claim that is longer is struck.
MAX_TEXT = 2000
NEEDS_REVIEW = "undetermined"
#: Words that any claim has in common with any evidence, by their first four letters.
_EMPTY_WORDS = (
    "an and are as at be been by did for from had has have he her his if in is it its may no not of on one or our "
    "out she so some than that the thei them then ther thes they this thos to up was we were what when wher whic "
    "who will with woul you aler attac atta attem caus coul dete even evid find indi line malic mali medi poss "
    "rule seve seen show susp syst tech unus user very whil"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())
ATTACK, HARMLESS = frozenset({"tp_impact", "tp_no_impact"}), frozenset({"benign_tp", "fp_logic", "fp_data"})


@dataclass(frozen=True, slots=True)
class GroundedAnswer:
    """An answer after the check.

    ``answer`` is what may be shown: claims with ``status`` and ``problems``, techniques that stand, the verdict that is
    left. ``grounded``, ``miscited`` and ``struck`` count claims. ``suggested`` and ``confidence`` are what the model
    said, ``demoted`` why that does not stand (empty when it does). ``struck_techniques`` are ``(id, why)``,
    ``check_problems`` one tuple of problems for each next check.
    """

    answer: ExplanationAnswer
    grounded: int
    miscited: int
    struck: int
    suggested: str
    confidence: str
    demoted: str
    struck_techniques: tuple[tuple[str, str], ...]
    check_problems: tuple[tuple[str, ...], ...]

    @property
    def claims(self) -> int:
        """Return how many claims there are."""
        return self.grounded + self.miscited + self.struck

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the answer as plain JSON values."""
        return {
            "grounded": self.grounded,
            "miscited": self.miscited,
            "struck": self.struck,
            "claims": self.claims,
            "suggested": self.suggested,
            "confidence": self.confidence,
            "demoted": self.demoted,
            "struck_techniques": [list(pair) for pair in self.struck_techniques],
            "check_problems": [list(problems) for problems in self.check_problems],
        }


def check(request: ExplanationRequest, answer: ExplanationAnswer) -> GroundedAnswer:
    """Return the answer with every claim checked; never raises. Checking a checked answer changes nothing."""
    whole = Index(request.evidence)
    happened, matters, benign = (
        tuple(check_claim(claim, request, whole) for claim in claims)
        for claims in (answer.what_happened, answer.why_it_matters, answer.why_it_may_be_benign)
    )
    states = [claim.status for claim in (*happened, *matters, *benign)]
    doubts = {one: techniques.technique_trouble(one, request.techniques, whole) for one in answer.techniques}
    checked = replace(
        answer,
        what_happened=happened,
        why_it_matters=matters,
        why_it_may_be_benign=benign,
        techniques=tuple(one for one in answer.techniques if not doubts[one]),
    )
    demoted = _why_demoted(checked, request)
    if demoted:
        checked = replace(checked, suggested_verdict=NEEDS_REVIEW, confidence="low")
    return GroundedAnswer(
        answer=checked,
        grounded=states.count(GROUNDED),
        miscited=states.count(MISCITED),
        struck=states.count(STRUCK),
        suggested=answer.suggested_verdict,
        confidence=answer.confidence,
        demoted=demoted,
        struck_techniques=tuple((one, why) for one, why in doubts.items() if why),
        check_problems=tuple(check_advice(text, whole) for text in answer.next_checks),
    )


def apply(request: ExplanationRequest, answer: ExplanationAnswer) -> ExplanationAnswer:
    """Return the checked answer with the summary of the check in its details under ``grounding``."""
    result = check(request, answer)
    details: Mapping[str, Any] = {**answer.details, "grounding": result.as_dict()}
    return replace(result.answer, details=details)


def check_claim(claim: Claim, request: ExplanationRequest, whole: Index | None = None) -> Claim:
    """Return the claim with its status and its problems; ``whole`` is the index of all lines, made when missing."""
    whole = Index(request.evidence) if whole is None else whole
    known = {line.number for line in request.evidence}
    missing = [number for number in claim.evidence if number not in known]
    found = [Trouble(f"evidence line {number} does not exist") for number in missing]
    if not claim.evidence:
        found.append(Trouble("it cites no evidence line"))
    if len(claim.text) > MAX_TEXT:
        found.append(Trouble("it is too long to be checked"))
    else:
        cited = Index(line for line in request.evidence if line.number in claim.evidence)
        found += _troubles(claim.text, Basis(cited, whole), request.techniques)
    status = GROUNDED if not found else MISCITED if all(trouble.misplaced for trouble in found) else STRUCK
    problems = tuple(dict.fromkeys(trouble.text for trouble in found))[:MAX_PROBLEMS]
    return replace(claim, status=status, problems=problems)


def check_advice(text: str, whole: Index) -> tuple[str, ...]:
    """Return what is wrong with the names in a next check: advice may speak of anything, but not invent names."""
    basis, draft = Basis(whole, whole), Draft(normal(text[:MAX_TEXT]))
    found = list(names.troubles(draft, basis))
    figures.take_clocks(draft)
    found += words.tokens(draft, basis)
    found += words.names(draft, basis)
    return tuple(dict.fromkeys(trouble.text for trouble in found))[:MAX_PROBLEMS]


def _troubles(text: str, basis: Basis, candidates: tuple[str, ...]) -> Iterator[Trouble]:
    """Yield everything that is wrong with a claim; what one step recognised is out of the text for the next."""
    draft = Draft(normal(text))
    names.take_repeated(draft, basis)
    yield from figures.references(draft, basis)
    yield from techniques.troubles(draft, basis, candidates)
    yield from names.troubles(draft, basis)
    yield from figures.clocks(draft, basis)
    yield from figures.counts(draft, basis)
    yield from amounts.troubles(draft, basis)
    yield from words.tokens(draft, basis)
    yield from words.names(draft, basis)
    yield from parts.troubles(draft, basis)
    yield from logic.troubles(draft, basis)


def _why_demoted(answer: ExplanationAnswer, request: ExplanationRequest) -> str:
    """Return why the suggested verdict has nothing to stand on, empty when it has."""
    verdict = answer.suggested_verdict
    if verdict == NEEDS_REVIEW:
        return ""
    told = (*answer.what_happened, *answer.why_it_matters)
    said = [claim for claim in (*told, *answer.why_it_may_be_benign) if claim.status == GROUNDED]
    if said and not any(has_substance(claim, request) for claim in said):
        return "no grounded claim says anything of the evidence that it cites"
    if verdict in ATTACK:
        return _unsupported(told, "that something happened or matters")
    if verdict in HARMLESS:
        untrusted = {line.number for line in request.evidence if Index([line]).untrusted_only}
        bearing = tuple(
            claim
            for claim in answer.why_it_may_be_benign
            if claim.status != GROUNDED or set(claim.evidence) - untrusted
        )
        only = len(bearing) < len(answer.why_it_may_be_benign)
        why = _unsupported(bearing, "that it is harmless")
        return f"{why}; text that whoever caused the event has chosen bears nothing" if why and only else why
    if verdict == "duplicate":
        return _unsupported(answer.what_happened, "that it was seen before")
    return ""


def has_substance(claim: Claim, request: ExplanationRequest) -> bool:
    """Tell whether a claim repeats something of the lines it cites: a word that matters, a name, a number."""
    cited = Index(line for line in request.evidence if line.number in claim.evidence)
    held = _stems(" ".join(value for _, _, value in cited.rows))
    return bool(_stems(normal(claim.text[:MAX_TEXT])) & held)


def _stems(text: str) -> set[str]:
    found = re.findall(r"[^\W_]{2,}", text.lower())
    return {word if word.isdigit() else word[:4] for word in found if word not in _EMPTY and word[:4] not in _EMPTY}


def _unsupported(claims: tuple[Claim, ...], what: str) -> str:
    if any(claim.status == GROUNDED for claim in claims):
        return ""
    struck = [claim for claim in claims if claim.status == STRUCK]
    if struck and all(any("looked for" in problem for problem in claim.problems) for claim in struck):
        return f"{what} rests only on something not having happened, which no query looked for"
    return f"no grounded claim says {what}"
