"""Learn from people's verdicts which alerts are worth an analyst's time, and say how sure that is.

Handed: :class:`Decided` alerts. Hands on: a :class:`Ranker` with a report, or the reason why there is none yet. A
logistic regression and boosted trees are compared on incidents that began after everything they had learned; the
simpler one wins unless the other's average precision is higher with 95 % confidence, from 300 verdicts on.
Probabilities are calibrated on those later incidents too, never on what was learned. Nothing here hides or closes
anything: a probability is all that comes out.

How it is measured
------------------
Incidents (see :func:`incidents`) are put in order of their first alert and cut into :data:`BLOCKS` blocks of about
equal size. Each block of the newer half is ranked by models that learned only from incidents of earlier blocks, and of
those only the alerts that had arrived before the block began; so no incident is on both sides and nothing is learned
from the future.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from triage.learning import ranking_facts, ranking_measure, ranking_models
from triage.learning.ranking_facts import AlertFacts, Judged
from triage.learning.ranking_measure import Interval
from triage.learning.ranking_models import KINDS, LOGISTIC, TREES, RankingStateError
from triage.learning.ranking_words import words

MIN_LABELS, MIN_OF_A_CLASS = 50, 5
#: What must be left to measure on: alerts of later incidents, and of either class.
MIN_TESTED, MIN_TESTED_OF_A_CLASS = 20, 3
#: Blocks of incidents, and the first that is ranked: models that learned from less than half of the verdicts would be
#: measured worse than the one that learns from all of them.
BLOCKS, FIRST_TESTED = 8, 4
#: Alerts of one entity with at most so long between them are one incident (seconds).
INCIDENT_GAP = 6 * 3_600
#: Verdicts from which boosted trees may win, and from which a measured loss keeps a ranking out of use. With fewer,
#: such decisions were wrong about as often as right on labelled logs (``docs/ranking.md``); they are reported anyway.
MIN_FOR_TREES, MIN_TO_COMPARE = 300, 200
#: Fewer incidents than this cannot be cut into blocks; then every fingerprint is one.
MIN_INCIDENTS = 12
FORMAT = 1
#: Keys of earlier verdicts that a state remembers, the most judged first.
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Decided:
    """One alert and what a person decided: ``label`` 1 worth an analyst's time, 0 not; times in seconds UTC."""

    facts: AlertFacts
    label: int
    decided_at: float


@dataclass(frozen=True, slots=True)
class Ranker:
    """P(worth an analyst's time) of alerts; all of it is numbers and names."""

    kind: str
    vocabulary: tuple[str, ...]
    model: dict[str, Any]
    slope: float
    offset: float
    judged: Judged = field(default_factory=Judged)

    def probability(self, alerts: Sequence[AlertFacts]) -> np.ndarray:
        """Return P(worth an analyst's time), float64 of shape ``(n,)``, each between 0 and 1 (both excluded)."""
        if not alerts:
            return np.zeros(0)
        before = np.array([self.judged.row(facts) for facts in alerts])
        rows = np.hstack([ranking_facts.own_rows(alerts, self.vocabulary), before])
        log_odds = self.slope * ranking_models.log_odds(self.model, rows) + self.offset
        return ranking_models.probabilities(np.clip(log_odds, -ranking_models.MAX_LOGIT, ranking_models.MAX_LOGIT))

    def state(self) -> dict[str, Any]:
        """Return everything as JSON."""
        most = sorted(self.judged.counts.items(), key=lambda one: (-one[1][0], one[0]))[:MAX_REMEMBERED]
        return {
            "format": FORMAT,
            "vocabulary": list(self.vocabulary),
            "model": self.model,
            "slope": self.slope,
            "offset": self.offset,
            "judged": {"n": self.judged.n, "positive": self.judged.positive, "keys": {k: list(v) for k, v in most}},
        }

    @classmethod
    def from_state(cls, state: Any) -> "Ranker":
        """Rebuild a ranker; raise :class:`RankingStateError` for anything that is not what :meth:`state` made."""
        try:
            if state["format"] != FORMAT:
                raise RankingStateError(f"format {state['format']!r} is not {FORMAT}")
            vocabulary = tuple(str(token) for token in state["vocabulary"])
            model, judged = dict(state["model"]), state["judged"]
            ranking_models.check(model, len(ranking_facts.columns(vocabulary)))
            counts = {str(key): (_count(n), _count(positive)) for key, (n, positive) in judged["keys"].items()}
            memory = Judged(counts, _count(judged["n"]), _count(judged["positive"]))
            slope, offset = float(state["slope"]), float(state["offset"])
        except (KeyError, TypeError, AttributeError) as error:
            raise RankingStateError(f"a part is missing or of the wrong type: {error}") from error
        except ValueError as error:
            raise RankingStateError(str(error)) from error
        if not (np.isfinite(slope) and np.isfinite(offset) and slope > 0):
            raise RankingStateError("the calibration is no rising line")
        return cls(model["kind"], vocabulary, model, slope, offset, memory)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise RankingStateError("a count is no whole number")
    return value


def dump(state: dict[str, Any]) -> bytes:
    """Return a state as JSON bytes, always the same for the same state."""
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A ranker with its report, or no ranker and why in ``refusal``.

    ``harmful`` says that ranking was measured to do harm, rather than not yet measured at all.
    """

    ranker: Ranker | None
    report: dict[str, Any]
    refusal: str = ""
    harmful: bool = False


def fit_ranker(
    decided: Sequence[Decided],
    *,
    groups: Sequence[int] | None = None,
    random_state: int = 0,
    min_labels: int = MIN_LABELS,
) -> Outcome:
    """Compare, calibrate and fit; the same verdicts and seed give the same ranker.

    ``groups`` numbers the incident of each alert (None: :func:`incidents`). An :class:`Outcome` without a ranker says
    "not yet" with too few verdicts or too little to measure on, or that its order would be no better than the present.
    """
    labels = np.array([one.label for one in decided], dtype=np.int64)
    report: dict[str, Any] = {"n": len(labels), "n_positive": int(labels.sum())}
    refusal = too_few(len(labels), int(labels.sum()), min_labels)
    if refusal:
        return Outcome(None, report | {"words": [refusal]}, refusal)
    units = np.asarray(incidents([one.facts for one in decided]) if groups is None else groups)
    tested, scores, blocks = rehearse(decided, labels, units, random_state)
    report |= {"n_incidents": len(np.unique(units)), "n_tested": len(tested)}
    refusal = _unmeasured(labels[tested])
    if refusal:
        return Outcome(None, report | {"words": [refusal]}, refusal)
    found = _compare(decided, labels, units, tested, scores, random_state)
    kind = found["kind"]
    slope, offset = ranking_measure.fit_sigmoid(scores[kind], labels[tested])
    report |= found | _calibration(scores[kind], labels[tested], blocks)
    refusal = no_better(slope, found["gain"], len(labels))
    report = _plain(report)
    report["words"] = words(report, refusal)
    if refusal:
        return Outcome(None, report, refusal, harmful=True)
    return Outcome(learn(decided, kind, slope, offset, random_state), report)


def _plain(report: Any) -> Any:
    """Return a report as JSON."""
    if isinstance(report, Interval):
        return report.as_dict()
    return {key: _plain(value) for key, value in report.items()} if isinstance(report, dict) else report


def too_few(n: int, positive: int, min_labels: int = MIN_LABELS) -> str:
    """Return why so many verdicts are too few to learn from, or an empty string.

    >>> too_few(49, 20)
    'not yet: 49 verdicts that say something, 50 are needed'
    >>> too_few(50, 20)
    ''
    """
    if n < min_labels:
        return f"not yet: {n} verdicts that say something, {min_labels} are needed"
    if min(positive, n - positive) < MIN_OF_A_CLASS:
        return (
            f"not yet: of {n} verdicts {positive} were worth an analyst's time and {n - positive} were not; "
            f"{MIN_OF_A_CLASS} of each are needed"
        )
    return ""


def _unmeasured(labels: np.ndarray) -> str:
    n, positive = len(labels), int(labels.sum())
    if n >= MIN_TESTED and min(positive, n - positive) >= MIN_TESTED_OF_A_CLASS:
        return ""
    return (
        f"not yet: only {n} verdicts ({positive} of them worth an analyst's time) are on incidents later than others "
        f"to learn from; {MIN_TESTED} and {MIN_TESTED_OF_A_CLASS} of each kind are needed to measure anything"
    )


def no_better(slope: float, gain: Interval, n: int) -> str:
    """Return why an order learned from ``n`` verdicts is not used, or an empty string."""
    if slope <= 0:
        return "not used: on later incidents its order was no better than chance"
    if n >= MIN_TO_COMPARE and gain.high is not None and gain.high < 0:
        return "not used: on later incidents severity and score ordered better, with 95 % confidence"
    return ""


def incidents(alerts: Sequence[AlertFacts]) -> list[int]:
    """Return the number of each alert's incident, see :func:`connected`.

    All go by fingerprint alone where fewer than :data:`MIN_INCIDENTS` would remain.
    """
    joined = connected(alerts)
    if len(set(joined)) >= MIN_INCIDENTS:
        return joined
    first: dict[str, int] = {}
    return [first.setdefault(facts.fingerprint, len(first)) for facts in alerts]


def connected(alerts: Sequence[AlertFacts]) -> list[int]:
    """Return the number of each alert's incident: one entity's alerts close in time, and equal fingerprints.

    Alerts without an entity go by fingerprint alone.
    """
    owner: dict[str, int] = {}
    found = [0] * len(alerts)
    last: dict[str, tuple[float, int]] = {}
    parent: list[int] = []

    def root(unit: int) -> int:
        while parent[unit] != unit:
            parent[unit] = unit = parent[parent[unit]]
        return unit

    for place in sorted(range(len(alerts)), key=lambda one: alerts[one].seen_at):
        facts = alerts[place]
        unit = owner.get(facts.fingerprint, len(parent))
        if unit == len(parent):
            parent.append(unit)
            owner[facts.fingerprint] = unit
        if facts.entity:
            seen_at, neighbour = last.get(facts.entity, (-np.inf, unit))
            if facts.seen_at - seen_at <= INCIDENT_GAP:
                parent[root(unit)] = root(neighbour)
            last[facts.entity] = (facts.seen_at, unit)
        found[place] = unit
    return [root(unit) for unit in found]


def rehearse(
    decided: Sequence[Decided], labels: np.ndarray, units: np.ndarray, random_state: int
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Rank each block of incidents by what was known before it began.

    Returns the places of the alerts that were ranked, the log-odds of each kind of model for them, and their blocks.
    """
    arrived = np.array([one.facts.arrived_at for one in decided])
    blocks = _blocks(arrived, units)
    places: list[np.ndarray] = []
    scores: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for block in range(FIRST_TESTED, BLOCKS):
        later = np.flatnonzero(blocks == block)
        began = arrived[later].min() if len(later) else 0.0
        earlier = np.flatnonzero((arrived < began) & (blocks < block))
        if len(np.unique(labels[earlier])) < 2:
            continue
        learned, asked = _rows([decided[int(i)] for i in earlier], [decided[int(i)].facts for i in later])
        places.append(later)
        for kind in KINDS:
            model = ranking_models.fit(kind, learned, labels[earlier], random_state)
            scores[kind].append(ranking_models.log_odds(model, asked))
    if not places:
        return np.zeros(0, dtype=np.int64), {kind: np.zeros(0) for kind in KINDS}, np.zeros(0, dtype=np.int64)
    tested = np.concatenate(places)
    return tested, {kind: np.concatenate(parts) for kind, parts in scores.items()}, blocks[tested]


def _blocks(arrived: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the block of each alert: whole incidents, in the order of their first alert, of about equal size."""
    names, places, sizes = np.unique(units, return_inverse=True, return_counts=True)
    first = np.full(len(names), np.inf)
    np.minimum.at(first, places, arrived)
    order = np.argsort(first, kind="stable")
    before = np.cumsum(sizes[order]) - sizes[order]
    of_unit = np.empty(len(names), dtype=np.int64)
    of_unit[order] = np.minimum(BLOCKS - 1, before * BLOCKS // len(arrived))
    return np.asarray(of_unit[places])


def _rows(taught: Sequence[Decided], asked: Sequence[AlertFacts]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn from and the rows to rank, the latter with all that was taught in mind."""
    vocabulary = ranking_facts.vocabulary_of(one.facts for one in taught)
    memory = Judged()
    for one in taught:
        memory.add(one.facts, one.label)
    now = np.array([memory.row(facts) for facts in asked])
    return _taught_rows(taught, vocabulary), np.hstack([ranking_facts.own_rows(asked, vocabulary), now])


def _taught_rows(taught: Sequence[Decided], vocabulary: Sequence[str]) -> np.ndarray:
    """Return the rows to learn from: each knows only the verdicts decided before its alert arrived."""
    facts = [one.facts for one in taught]
    known = [(one.facts, one.label, one.decided_at) for one in taught]
    before = ranking_facts.judged_before(facts, [one.arrived_at for one in facts], known)
    return np.hstack([ranking_facts.own_rows(facts, vocabulary), before])


def present_order(alerts: Sequence[AlertFacts]) -> np.ndarray:
    """Return the places of an order by severity, then score: higher = earlier, equal where both are equal."""
    keys = [(facts.severity_rank, -np.inf if facts.score is None else facts.score) for facts in alerts]
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return np.array([ranks[key] for key in keys], dtype=np.float64)


def _compare(
    decided: Sequence[Decided],
    labels: np.ndarray,
    units: np.ndarray,
    tested: np.ndarray,
    scores: dict[str, np.ndarray],
    random_state: int,
) -> dict[str, Any]:
    """Choose the kind of model, and measure it beside the order without it."""
    truth, present = labels[tested], present_order([decided[int(i)].facts for i in tested])
    draws = ranking_measure.resampled(units[tested], truth, random_state)
    lead = ranking_measure.precision_difference(truth, scores[TREES], scores[LOGISTIC], draws)
    kind = TREES if len(labels) >= MIN_FOR_TREES and lead.low is not None and lead.low > 0 else LOGISTIC
    gain = ranking_measure.precision_difference(truth, scores[kind], present, draws)
    return {
        "kind": kind,
        "n_tested_positive": int(truth.sum()),
        "n_tested_incidents": len(np.unique(units[tested])),
        "average_precision": ranking_measure.precision_intervals(truth, {**scores, "present order": present}, draws),
        "lead_of_trees": lead,
        "gain": gain,
    }


def _calibration(scores: np.ndarray, labels: np.ndarray, blocks: np.ndarray) -> dict[str, Any]:
    """Return how well the probabilities of later incidents held, each calibrated on the other blocks."""
    chances = np.empty(len(scores))
    for block in np.unique(blocks):
        here = blocks == block
        others = ~here if len(np.unique(labels[~here])) == 2 else np.ones(len(labels), dtype=bool)
        slope, offset = ranking_measure.fit_sigmoid(scores[others], labels[others])
        chances[here] = ranking_models.probabilities(slope * scores[here] + offset)
    share = float(labels.mean())
    return {
        "brier": round(ranking_measure.brier(chances, labels), 4),
        "brier_of_a_constant": round(share * (1 - share), 4),
        "reliability": ranking_measure.reliability(chances, labels),
    }


def learn(decided: Sequence[Decided], kind: str, slope: float, offset: float, random_state: int) -> Ranker:
    """Learn one kind of model from every verdict; ``slope * log-odds + offset`` is what its probabilities rest on."""
    vocabulary = ranking_facts.vocabulary_of(one.facts for one in decided)
    memory = Judged()
    for one in decided:
        memory.add(one.facts, one.label)
    labels = np.array([one.label for one in decided], dtype=np.int64)
    model = ranking_models.fit(kind, _taught_rows(decided, vocabulary), labels, random_state)
    return Ranker(kind, tuple(vocabulary), model, slope, offset, memory)
