"""What in an event makes it unusual: the fields without which it would score lowest.

Handed: the baseline, the detector's way from evidence columns to a score, and events. Hands on: the reasons of each,
most important first. A subject is something the event could do without: a field, several fields that hold the same
value, a pair that never came together, fields never seen. What looks most unusual is taken out, the event scored again
with the same code, and the fall of its score is the contribution of that reason, so a reason ranks as it counts.
Only what cannot be taken out (that the kind is new, that a field is missing) is measured by setting its columns back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent, Reason
from triage.detectors import reasons
from triage.detectors.leave_out import KIND_FIELDS, LeaveOut
from triage.features.baseline import Baseline
from triage.features.kind import COLUMNS
from triage.features.tokens import as_number

Combine = Callable[[np.ndarray], np.ndarray]
Reasons = tuple[Reason, ...]

MAX_REASONS = 5
#: A reason that takes less than this share of the score with it is not worth a sentence.
MIN_CONTRIBUTION = 0.005
#: Below this share no single reason stands out, and the strongest are named together.
STANDS_OUT, TOGETHER = 0.05, 3
#: Subjects that are tried per event, and events explained at once.
MAX_TRIED, BLOCK = 7, 256
#: Evidence in nats from which a pair is worth naming, and by how much it must exceed that of its halves.
PAIR_ODD, PAIR_BEYOND = 2.0, 1.0
#: Share of an event's weight in the pattern, in units of evidence: how promising a field looks before it is tried.
PATTERN_WEIGHT = 20.0
#: A URL is not read again where its query is a field of its own, so the two go together.
QUERY, WITH_QUERY = "url.query", "url.original"
#: Columns of what cannot be taken out of an event.
SET_BACK = {"new_kind": ("new_kind",), "fields_together": ("fields_together",)}


@dataclass(slots=True)
class Candidate:
    """Something an event could do without, and afterwards the share of the score that goes with it."""

    feature: str
    fields: tuple[str, ...]
    share: float = 0.0
    about: Any = None


@dataclass(slots=True)
class Case:
    """One event with what may be said about it."""

    whole: LeaveOut
    candidates: list[Candidate] = field(default_factory=list)


def explain(baseline: Baseline, combine: Combine, usual: np.ndarray, events: Sequence[ParsedEvent]) -> list[Reasons]:
    """Return the reasons of each event; ``usual`` are the columns of a usual event, shape ``(n_columns,)``."""
    found: list[Reasons] = []
    for start in range(0, len(events), BLOCK):
        found += _explain_block(baseline, combine, usual, events[start : start + BLOCK])
    return found


def _explain_block(
    baseline: Baseline, combine: Combine, usual: np.ndarray, events: Sequence[ParsedEvent]
) -> list[Reasons]:
    cases = [Case(LeaveOut(baseline, event)) for event in events]
    rows = []
    for case in cases:
        case.candidates = candidates(case.whole)
        rows.append(_rows(case, usual))
    scores = combine(np.concatenate(rows))
    start = 0
    for case in cases:
        whole = float(scores[start])
        for candidate, lower in zip(case.candidates, scores[start + 1 :].tolist(), strict=False):
            candidate.share = _share(whole, lower)
        start += 1 + len(case.candidates)
        case.candidates.sort(key=lambda one: (-one.share, one.fields))
    _name_together(combine, [case for case in cases if _is_scattered(case)])
    return [_write(baseline, case) for case in cases]


def _share(whole: float, lower: float) -> float:
    """Return the share of a score that goes away, between 0 and 1."""
    return min(1.0, max(0.0, (whole - lower) / max(whole, 1e-9)))


def _rows(case: Case, usual: np.ndarray) -> np.ndarray:
    """Return the columns of the event as it is, then without each candidate."""
    removable = [frozenset(one.fields) for one in case.candidates if one.feature not in SET_BACK]
    rows = case.whole.rows_without([frozenset(), *removable])
    back = []
    for candidate in case.candidates[len(removable) :]:
        row = rows[0].copy()
        for column in map(COLUMNS.index, SET_BACK[candidate.feature]):
            row[column] = min(row[column], usual[column])
        back.append(row)
    return np.vstack([rows, *back])


def candidates(whole: LeaveOut) -> list[Candidate]:
    """Return what is worth trying to take out, then what can only be set back."""
    pair = _odd_pair(whole)
    found = [pair] if pair else []
    if whole.new:
        found.append(Candidate("new_field", tuple(whole.new)))
    singles = _same_values(whole)
    promising = sorted(zip(_promise(whole, singles), singles, strict=True), key=lambda one: (-one[0], one[1]))
    for _, group in promising[:MAX_TRIED]:
        # Half of a pair may carry more than both; the sentence is about the pair all the same, and said once.
        if pair and _is_half(whole, group, pair):
            found.append(Candidate("pair", group, about=pair.about))
        else:
            found.append(Candidate("field", group))
    if whole.kind_is_new:
        found.append(Candidate("new_kind", ()))
    elif not whole.new:
        found.append(Candidate("fields_together", ()))
    return found


def _odd_pair(whole: LeaveOut) -> Candidate | None:
    """Return the most unusual pair, if it is more unusual than its halves."""
    best, about = 0.0, None
    for evidence, names, tokens in whole.pairs:
        if evidence >= PAIR_ODD and evidence > best:
            best, about = evidence, (names, tokens)
    if about is None:
        return None
    fields = tuple(dict.fromkeys(map(whole.field_of, about[0])))
    # A value that is rare itself was of course never seen with anything.
    if best < PAIR_BEYOND + max(_own(whole, (name,)) for name in fields):
        return None
    return Candidate("pair", fields, about=about)


def _is_half(whole: LeaveOut, group: Sequence[str], pair: Candidate) -> bool:
    """Return whether all there is to say about some fields is the pair they are half of."""
    return set(pair.fields).issuperset(group) and _own(whole, group) < PAIR_ODD


def _own(whole: LeaveOut, fields: Sequence[str]) -> float:
    """Return the largest evidence of the fields' own values."""
    return max((max(evidence) for name in fields for _, _, evidence in whole.own.get(name, ())), default=0.0)


def _same_values(whole: LeaveOut) -> list[tuple[str, ...]]:
    """Return the fields of the event, those that hold the same text together; not what its kind is made of."""
    fields = whole.event.fields
    groups: dict[Any, list[str]] = {}
    for name in whole.own:
        if name in KIND_FIELDS and not whole.kind_is_new:
            continue
        value = fields.get(name)
        is_text = isinstance(value, str) and len(value) > 2 and as_number(value) is None
        groups.setdefault(value if is_text else (name,), []).append(name)
        if name == QUERY and WITH_QUERY in fields and WITH_QUERY not in whole.own:
            groups[value if is_text else (name,)].append(WITH_QUERY)
    return [tuple(group) for group in groups.values()]


def _promise(whole: LeaveOut, groups: Sequence[tuple[str, ...]]) -> list[float]:
    """Return how much of the score each group of fields may carry, as a guess from its evidence."""
    shares = whole.pattern_shares([frozenset(), *map(frozenset, groups)]).mean(axis=1).tolist()
    paired: dict[str, float] = {}
    for evidence, names, _ in whole.pairs:
        for name in names:
            if evidence > paired.get(name, 0.0):
                paired[name] = evidence
    found = []
    for group, left in zip(groups, shares[1:], strict=True):
        each = [evidence for name in group for _, _, evidence in whole.own.get(name, ())]
        own = sum(each[0]) if len(each) == 1 else sum(map(max, zip(*each, strict=True)))
        company = max([paired.get(name, 0.0) for name in group])
        found.append(own + company + PATTERN_WEIGHT * (shares[0] - left))
    return found


def _is_scattered(case: Case) -> bool:
    """Return whether no single reason stands out, though there are several."""
    removable = [one for one in case.candidates if one.fields]
    return len(removable) > 1 and case.candidates[0].share < STANDS_OUT


def _name_together(combine: Combine, cases: Sequence[Case]) -> None:
    """Put the strongest candidates of each case into one, measured like any other."""
    if not cases:
        return
    merged, rows = [], []
    for case in cases:
        strongest = [one for one in case.candidates if one.fields][:TOGETHER]
        together = Candidate("total", tuple(dict.fromkeys(name for one in strongest for name in one.fields)))
        rows.append(case.whole.rows_without([frozenset(), frozenset(together.fields)]))
        merged.append(together)
    scores = combine(np.concatenate(rows)).tolist()
    for place, (case, together) in enumerate(zip(cases, merged, strict=True)):
        together.share = _share(scores[2 * place], scores[2 * place + 1])
        if together.share > case.candidates[0].share:
            case.candidates.insert(0, together)


def _write(baseline: Baseline, case: Case) -> Reasons:
    """Return the sentences of the candidates that carry something; of an unusual event at least one."""
    found: dict[str, Reason] = {}
    for candidate in case.candidates:
        if len(found) == MAX_REASONS or (found and candidate.share < MIN_CONTRIBUTION):
            break
        one = candidate
        reason = reasons.say(baseline, case.whole, one.feature, one.fields, one.about, one.share)
        found.setdefault(reason.text, reason)
    return tuple(found.values())
