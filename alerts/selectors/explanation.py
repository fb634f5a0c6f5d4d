"""What is shown of an alert's explanations: the one in view, what holds of it, and every try.

Handed: an alert, and which of its explanations is wanted. Hands on: an :class:`Explained`. Answers and call records
are JSON that other rooms wrote, partly a language model and its endpoint, so their shape is checked here and nothing
is trusted to be there. What is unknown is None, never 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from alerts.models import Alert, Explanation
from alerts.selectors.tries import (
    Cost,
    Try,
    call_of,
    confidence,
    cost_of,
    failure_words,
    object_at,
    stale,
    suggested,
    texts,
    try_of,
)

#: Tries listed; older ones stay in the database.
MAX_TRIES = 50
SECTIONS = (
    ("What happened", "what_happened"),
    ("Why it matters", "why_it_matters"),
    ("Why it may be harmless", "why_it_may_be_benign"),
)
#: What the check against the evidence says of a claim.
GROUNDED, MISCITED, STRUCK = "grounded", "miscited", "struck"
STATUSES = frozenset({GROUNDED, MISCITED, STRUCK})


@dataclass(frozen=True, slots=True)
class ClaimView:
    """One sentence, the numbers of the evidence lines it rests on, and those that do not exist.

    ``status`` is grounded, miscited or struck, and empty where nothing was checked. ``position`` counts the claims of
    an explanation from 1.
    """

    text: str
    evidence: list[int]
    missing: list[int]
    status: str = ""
    problems: tuple[str, ...] = ()
    position: int = 0

    @property
    def stands(self) -> bool:
        """Whether it is borne out by the lines it cites; without a check: whether they exist."""
        return self.status == GROUNDED if self.status else bool(self.evidence and not self.missing)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the explanation with its claims."""

    heading: str
    claims: list[ClaimView]


@dataclass(frozen=True, slots=True)
class Advice:
    """One next check, and which of its names are in no evidence line."""

    text: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """One short fact about an explanation; ``why`` says it in a sentence."""

    name: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """An explanation ready to print. ``is_model`` tells a language model from the evidence explainer.

    ``suggested`` is the verdict in words; with ``demoted`` it is what the model said and does not count. ``stale``
    says what has changed since, ``failure`` why a failed try gave nothing.
    """

    row: Explanation
    is_model: bool
    sections: list[Section]
    next_checks: list[Advice]
    techniques: list[str]
    struck_techniques: list[tuple[str, str]]
    evidence: list[dict[str, Any]]
    grounded: int
    claims: int
    suggested: str
    confidence: str
    demoted: str
    stale: list[str]
    chips: list[Chip]
    call: dict[str, Any] | None
    cost: Cost | None
    failure: str

    @property
    def happened(self) -> list[Section]:
        """What happened, where anything is said of it."""
        return [section for section in self.sections if section.heading == SECTIONS[0][0]]

    @property
    def assessed(self) -> list[Section]:
        """The sections that say what to make of it."""
        return [section for section in self.sections if section.heading != SECTIONS[0][0]]

    @property
    def grounding(self) -> dict[str, Any] | None:
        """The summary of the check against the evidence, None where there was none."""
        return object_at(self.row.details, "grounding") or None


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is shown of an alert's explanations. ``older`` tells that a person opened one that is not the newest.

    ``unknown`` is set when the wanted one does not exist; ``more`` when not every try is listed. ``failures`` are the
    tries that failed since the newest answer of a language model.
    """

    view: ExplanationView | None
    failures: list[Try]
    tries: list[Try]
    older: bool
    unknown: bool
    more: bool

    @property
    def newest_id(self) -> int:
        """The number of the newest try, 0 before the first."""
        return self.tries[0].row.pk if self.tries else 0


def explained(alert: Alert, *, wanted: int | None = None, reviewed: bool = False) -> Explained:
    """Read an alert's explanations: two queries (one before the first try, three for one that is not listed)."""
    rows = list(alert.explanations.defer("answer", "evidence").order_by("-id")[: MAX_TRIES + 1])
    tries, more = rows[:MAX_TRIES], len(rows) > MAX_TRIES
    usual, failed = _usual(tries), _failed_since(tries)
    chosen = _wanted(alert, tries, wanted) if wanted is not None else None
    shown = chosen or usual
    if shown is not None:
        shown.refresh_from_db(fields=("answer", "evidence"))
    older = shown is not None and shown is not usual
    return Explained(
        view=None if shown is None else _view(alert, shown, reviewed=reviewed, failed=[] if older else failed),
        failures=[try_of(row, shown) for row in failed],
        tries=[try_of(row, shown) for row in tries],
        older=older,
        unknown=wanted is not None and chosen is None,
        more=more,
    )


def _wanted(alert: Alert, tries: Sequence[Explanation], number: int) -> Explanation | None:
    listed = next((row for row in tries if row.pk == number), None)
    return listed or alert.explanations.filter(pk=number).first()


def _stands_in(row: Explanation, tries: Sequence[Explanation]) -> bool:
    """Whether it is the evidence that was stored because a language model had just failed."""
    before = next((older for older in tries if older.pk < row.pk), None)
    return not row.model and before is not None and bool(before.failure)


def _standing(tries: Sequence[Explanation]) -> Explanation | None:
    """Return the newest answer that is more than a stand-in."""
    return next((row for row in tries if not row.failure and not _stands_in(row, tries)), None)


def _usual(tries: Sequence[Explanation]) -> Explanation | None:
    """Return the answer to show: a stand-in gives way to what a language model said before it failed."""
    standing = _standing(tries)
    if standing is not None and standing.model:
        return standing
    return next((row for row in tries if not row.failure), None)


def _failed_since(tries: Sequence[Explanation]) -> list[Explanation]:
    """Return the tries that failed since the newest answer that is more than a stand-in, newest first."""
    standing = _standing(tries)
    return [row for row in tries if row.failure and (standing is None or row.pk > standing.pk)]


def _view(alert: Alert, row: Explanation, *, reviewed: bool, failed: Sequence[Explanation]) -> ExplanationView:
    answer = row.answer if isinstance(row.answer, dict) else {}
    lines = [line for line in row.evidence if isinstance(line, dict)] if isinstance(row.evidence, list) else []
    numbers = {number for line in lines if isinstance(number := line.get("number"), int)}
    positions = count(1)
    sections = [Section(heading, _claims(answer.get(key), numbers, positions)) for heading, key in SECTIONS]
    claims = [claim for section in sections for claim in section.claims]
    grounding = object_at(row.details, "grounding")
    changed = stale(alert, row)
    return ExplanationView(
        row=row,
        is_model=bool(row.model),
        sections=[section for section in sections if section.claims],
        next_checks=_advice(answer.get("next_checks"), grounding.get("check_problems")),
        techniques=texts(answer.get("techniques")),
        struck_techniques=_pairs(grounding.get("struck_techniques")),
        evidence=lines,
        grounded=sum(1 for claim in claims if claim.stands),
        claims=len(claims),
        suggested=suggested(row, grounding),
        confidence=confidence(row, grounding),
        demoted=str(grounding.get("demoted") or ""),
        stale=changed,
        chips=_chips(row, claims, changed, failed, reviewed=reviewed),
        call=call_of(row),
        cost=cost_of(row),
        failure=failure_words(row),
    )


def _claims(rows: object, numbers: set[int], positions: Iterator[int]) -> list[ClaimView]:
    views = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        cited = row.get("evidence")
        points = [n for n in cited if isinstance(n, int)] if isinstance(cited, list) else []
        status = row.get("status")
        views.append(
            ClaimView(
                text=str(row.get("text", "")),
                evidence=[n for n in points if n in numbers],
                missing=[n for n in points if n not in numbers],
                status=status if isinstance(status, str) and status in STATUSES else "",
                problems=tuple(texts(row.get("problems"))),
                position=next(positions),
            )
        )
    return views


def _advice(rows: object, problems: object) -> list[Advice]:
    told = problems if isinstance(problems, list) else []
    return [
        Advice(text, tuple(texts(told[index])) if index < len(told) else ()) for index, text in enumerate(texts(rows))
    ]


def _pairs(value: object) -> list[tuple[str, str]]:
    rows = [texts(row) for row in value] if isinstance(value, list) else []
    return [(row[0], row[1]) for row in rows if len(row) == 2]


def _chips(
    row: Explanation,
    claims: Sequence[ClaimView],
    changed: Sequence[str],
    failed: Iterable[Explanation],
    *,
    reviewed: bool,
) -> list[Chip]:
    chips = [_grounded_chip(row, claims)] if claims else []
    if row.inherited:
        why = "Taken over from another alert of the same kind and held against the evidence of this one."
        chips.append(Chip("inherited", "inherited", why))
    if changed:
        told = "; ".join(changed)
        chips.append(Chip("stale", "stale", f"{told[0].upper()}{told[1:]}."))
    chips += [Chip("failed", f"failed: {row.failure}", failure_words(row)) for row in list(failed)[:1]]
    if row.model and not row.failure and not reviewed:
        chips.append(Chip("unreviewed", "unreviewed", "No person has given a verdict on this alert yet."))
    return chips


def _grounded_chip(row: Explanation, claims: Sequence[ClaimView]) -> Chip:
    n, m = sum(1 for claim in claims if claim.stands), len(claims)
    if row.model and not any(claim.status for claim in claims):
        return Chip("unchecked", "not checked", "These claims were never held against the evidence.")
    told = [f"{n} of {m} claims hold against the evidence lines they cite."]
    miscited = sum(1 for claim in claims if claim.status == MISCITED)
    struck = sum(1 for claim in claims if claim.status == STRUCK)
    told += [f"{miscited} borne out by other lines than the cited ones."] if miscited else []
    told += [f"{struck} struck."] if struck else []
    return Chip("grounded" if n == m else "partly", f"grounded {n}/{m}", " ".join(told))
