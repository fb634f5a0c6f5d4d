"""How well did somebody tell attacks from harmless events? Rates with intervals, and comparisons of two.

Handed: judgements on labelled cases. Hands on: figures with their n. A judgement may abstain; an answer that failed
is no judgement, is left out of every rate and counted by itself. Abstaining on an attack counts against recall: nobody
was warned. Rates carry 95 % Wilson intervals; balanced accuracy the interval of a mean of two proportions by MOVER
(Newcombe 1998); two judges of the same cases are compared by the exact test of McNemar.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from triage.contracts import Rate
from triage.learning.paired import mcnemar_exact
from triage.learning.statistics import wilson

ATTACK, HARMLESS, ABSTAINS, FAILED = "attack", "harmless", "abstains", "failed"
#: What a suggested verdict says about an event.
OPINIONS: Mapping[str, str] = {
    "tp_impact": ATTACK,
    "tp_no_impact": ATTACK,
    "benign_tp": HARMLESS,
    "fp_logic": HARMLESS,
    "fp_data": HARMLESS,
    "duplicate": ABSTAINS,
    "undetermined": ABSTAINS,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was said of a case whose ``truth`` is known: one of the four opinions, and how sure it was."""

    case: str
    truth: bool
    opinion: str
    confidence: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two judges on the cases that both judged: right only by one, and the exact two-sided p-value."""

    n: int
    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a judge is worth. A rate is None where there is nothing to measure it on.

    ``balanced_accuracy`` has the cases that were judged as its n; ``kappa`` is Cohen's, of warned against attack.
    """

    judged: int
    failed: int
    recall: Rate | None
    false_positive_rate: Rate | None
    balanced_accuracy: Rate | None
    abstention: Rate | None
    kappa: float | None
    by_confidence: Mapping[str, Rate]


def figures(judgements: Sequence[Judgement]) -> Figures:
    """Return the figures of one judge."""
    judged = [one for one in judgements if one.opinion != FAILED]
    attacks = [one.opinion == ATTACK for one in judged if one.truth]
    harmless = [one.opinion == ATTACK for one in judged if not one.truth]
    recall, false_positives = _rate(attacks), _rate(harmless)
    return Figures(
        judged=len(judged),
        failed=len(judgements) - len(judged),
        recall=recall,
        false_positive_rate=false_positives,
        balanced_accuracy=_balanced(recall, false_positives),
        abstention=_rate([one.opinion == ABSTAINS for one in judged]),
        kappa=kappa([(one.opinion == ATTACK, one.truth) for one in judged]),
        by_confidence=calibration(judged),
    )


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Return Cohen's kappa of two yes-or-no judges; None without cases, or where chance already agrees on all.

    >>> kappa([(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15)
    0.4
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else round((observed - chance) / (1 - chance), 10)


def calibration(judgements: Iterable[Judgement]) -> dict[str, Rate]:
    """Return confidence -> share of right ones among those that took a side."""
    sided: defaultdict[str, list[bool]] = defaultdict(list)
    for one in judgements:
        if one.opinion in (ATTACK, HARMLESS):
            sided[one.confidence].append((one.opinion == ATTACK) == one.truth)
    return {name: wilson(sum(right), len(right)) for name, right in sorted(sided.items())}


def compare(first: Sequence[Judgement], second: Sequence[Judgement]) -> Comparison:
    """Return how two judges differ on the cases that both judged; right means warned exactly of attacks."""
    one, other = ({each.case: each for each in side if each.opinion != FAILED} for side in (first, second))
    both = [(_is_right(one[case]), _is_right(other[case])) for case in one if case in other]
    counted = Counter(both)
    only_first, only_second = counted[(True, False)], counted[(False, True)]
    return Comparison(len(both), only_first, only_second, mcnemar_exact(only_first, only_second))


def flips(repeats: Iterable[Sequence[str]]) -> Rate | None:
    """Return the share of cases whose opinion was not the same every time; cases judged once are left out."""
    several = [opinions for opinions in repeats if len(opinions) > 1]
    return _rate([len(set(opinions)) > 1 for opinions in several])


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least this share does not exceed; None of nothing.

    >>> quantile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


def _is_right(one: Judgement) -> bool:
    return (one.opinion == ATTACK) == one.truth


def _rate(hits: Sequence[bool]) -> Rate | None:
    return wilson(sum(hits), len(hits)) if hits else None


def _balanced(recall: Rate | None, false_positives: Rate | None) -> Rate | None:
    """Return the mean of recall and specificity."""
    if recall is None or false_positives is None:
        return None
    specificity = 1 - false_positives.value, 1 - false_positives.high, 1 - false_positives.low
    value = (recall.value + specificity[0]) / 2
    down = math.hypot(recall.value - recall.low, specificity[0] - specificity[1]) / 2
    up = math.hypot(recall.high - recall.value, specificity[2] - specificity[0]) / 2
    return Rate(value=value, n=recall.n + false_positives.n, low=value - down, high=value + up)
