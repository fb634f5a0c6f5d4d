"""The default detector: calibrated rarity evidence combined with an isolation forest over it.

Handed: events in time order. Hands on: scores, p-values, flags and reasons. Two thirds of the events teach a
first baseline, the next part teaches what each evidence column looks like on unseen events (and grows the
forest), the last part calibrates the score. The baseline that serves is then learned from all of them: it knows
more than the one that calibrated, so that new events look, if anything, less unusual to it and the p-values stay on
the safe side, while what is newest in the history is no news any more.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from triage.contracts import ParsedEvent, Reason
from triage.detectors.around import Around
from triage.detectors.base import Examined
from triage.detectors.calibration import Tail, conformal_p_values, threshold_for
from triage.detectors.forest import FlatForest
from triage.detectors.splitting import split
from triage.detectors.subjects import explain
from triage.features.baseline import Baseline
from triage.features.kind import COLUMNS
from triage.features.usual_windows import COLUMNS as AROUND

MIN_EVENTS = 20
#: The baseline that serves has learned more than the one that calibrated, so the same event may score a little higher.
#: Where many usual events have one and the same score, without leeway all of them would pass at once.
LEEWAY = 1.01
TREES = 64
#: How much each column's evidence counts; the rest count 1. Chosen once by measuring, the same for all sources
#: (docs/detection.md says on what). Order averages over many tokens, so it is less noisy than one odd token.
WEIGHTS: Mapping[str, float] = {
    "order_most": 2.0,
    "order_top3": 2.0,
    "new_field": 2.0,
    "new_kind": 2.0,
    "value_most": 0.25,
    "character_most": 0.25,
    "character_top3": 0.25,
    "size_most": 0.25,
    "size_top3": 0.25,
    "fields_together": 0.25,
    "pattern": 3.0,
    "spelling": 2.5,
}
#: Counts of values need many events before they mean something, what usually comes together needs fewer: everything but
#: these columns counts by the factor ``sqrt(n / (n + FEW_EVENTS))`` of ``n`` learned events.
COMBINATIONS = ("pattern", "spelling")
FEW_EVENTS = 1_000


class NotEnoughEventsError(ValueError):
    """There are too few events to learn and calibrate on."""


def weights_for(events: int) -> np.ndarray:
    """Return the weight of each column and of the forest after learning from some events."""
    trust = math.sqrt(events / (events + FEW_EVENTS))
    weights = [WEIGHTS.get(name, 1.0) * (1.0 if name in COMBINATIONS else trust) for name in COLUMNS]
    return np.array([*weights, trust])


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(codes, distinct)`` so that ``distinct[codes]`` is ``rows``, compared byte by byte."""
    raw, width = np.ascontiguousarray(rows).tobytes(), rows.shape[1] * rows.itemsize
    index: defaultdict[bytes, int] = defaultdict()
    index.default_factory = index.__len__
    each = [raw[start : start + width] for start in range(0, len(raw), width)]
    codes = np.fromiter(map(index.__getitem__, each), np.intp, len(rows))
    return codes, np.frombuffer(b"".join(index), dtype=rows.dtype).reshape(-1, rows.shape[1])


class _Numbers:
    """The window numbers of parts of a history."""

    def __init__(self, events: Sequence[ParsedEvent], windows: np.ndarray) -> None:
        self._places = {id(event): place for place, event in enumerate(events)}
        self._windows = windows

    def __call__(self, part: Sequence[ParsedEvent]) -> np.ndarray:
        return np.asarray(self._windows[[self._places[id(event)] for event in part]])


class BaselineForest:
    """Evidence columns -> tail probabilities and an isolation forest -> one calibrated score."""

    name = "baseline_forest"

    def __init__(self) -> None:
        self._weights = weights_for(0)
        self._new_kind = COLUMNS.index("new_kind")

    def fit(
        self,
        events: Sequence[ParsedEvent],
        *,
        alert_budget: float,
        random_state: int,
        suspects: Sequence[bool] | None = None,
        windows: np.ndarray | None = None,
    ) -> "BaselineForest":
        """Learn from events in time order; ``suspects`` (one per event, none by default) are not learned from.

        ``windows`` are the numbers of :class:`triage.features.windows.Windows`, one row per event; without them only
        the events themselves are learned.

        Raises :class:`NotEnoughEventsError` when fewer than :data:`MIN_EVENTS` are left to learn from.
        """
        doubtful = [False] * len(events) if suspects is None else suspects
        learned = [event for event, suspect in zip(events, doubtful, strict=True) if not suspect]
        if len(learned) < MIN_EVENTS:
            raise NotEnoughEventsError(f"{len(learned)} events; at least {MIN_EVENTS} are needed")
        parts = split(events, doubtful, alert_budget)
        if not parts.held_back or not parts.calibrating:
            raise NotEnoughEventsError("nothing is left to calibrate on: all newer events are suspects")
        first = Baseline.learn(parts.taught, parts.held_back)
        rows = first.rows(parts.held_back)
        self.usual_ = np.median(rows, axis=0)
        self.forest_ = IsolationForest(
            n_estimators=TREES, max_samples=min(256, len(rows)), random_state=random_state
        ).fit(self._lifted(rows))
        self._flat = FlatForest(self.forest_)
        self.tails_ = [Tail.learn(column) for column in rows.T]
        self.tails_.append(Tail.learn(-self._flat.path_lengths(self._lifted(rows))))
        self.n_fit_, self.n_calibration_ = len(learned), len(parts.calibrating)
        self._weights = weights_for(len(learned))
        numbers_of = None if windows is None else _Numbers(events, windows)
        self.around_ = numbers_of and Around.learn(
            parts.taught, numbers_of(parts.taught), parts.held_back, numbers_of(parts.held_back)
        )
        scores = self._combine(first.rows(parts.calibrating))
        if self.around_ and numbers_of:
            scores = self.around_.raise_scores(scores, parts.calibrating, numbers_of(parts.calibrating))
            self.around_ = self.around_.relearn(learned, numbers_of(learned))
        self.calibration_ = np.sort(scores)
        self.alert_budget_ = alert_budget
        self.threshold_ = threshold_for(self.calibration_, alert_budget) * LEEWAY
        self.baseline_ = first.relearn(learned)
        return self

    def _lifted(self, rows: np.ndarray) -> np.ndarray:
        """Lift everything below the median to it, so that only the unusual side can isolate."""
        return np.asarray(np.maximum(rows, self.usual_))

    def _combine(self, rows: np.ndarray) -> np.ndarray:
        """Return the score of evidence rows; of equal ones, which usual events have, one is worked on."""
        if len(rows) < 2:
            return self._total(self._evidence(rows))
        codes, distinct = distinct_rows(rows)
        return self._total(self._evidence(distinct)).take(codes)

    def _evidence(self, rows: np.ndarray) -> np.ndarray:
        """Return the tail evidence of each column and of the forest, shape ``(len(COLUMNS) + 1, n)``."""
        evidence = np.empty((len(self.tails_), len(rows)))
        for i, tail in enumerate(self.tails_[:-1]):
            # A kind never seen has a probability of its own; it hardly occurs among held-back events.
            evidence[i] = rows[:, i] if i == self._new_kind else tail.evidence(rows[:, i])
        evidence[-1] = self.tails_[-1].evidence(-self._flat.path_lengths(self._lifted(rows)))
        return evidence

    def _total(self, evidence: np.ndarray) -> np.ndarray:
        """Return the score of tail evidence: the weighted root of the summed squares."""
        squares = np.square(self._weights[:, None] * evidence)
        total = np.zeros(evidence.shape[1])
        # One after the other: NumPy's own sum takes another order for a single row than for many.
        for square in squares:
            total += square
        return np.sqrt(total)

    def examine(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        """Return the scores of events with the tail evidence of every column and of the forest.

        What happened around the events has columns of its own when ``windows`` are given and the model knows them.
        """
        codes, distinct = distinct_rows(self.baseline_.rows(events))
        evidence = self._evidence(distinct)
        scores = self._total(evidence).take(codes)
        each, names = evidence.T.take(codes, axis=0), (*COLUMNS, "forest")
        if windows is not None and self.around_:
            scores = self.around_.raise_scores(scores, events, windows)
            each, names = np.column_stack([each, self.around_.evidence(events, windows).T]), (*names, *AROUND)
        return Examined(scores, conformal_p_values(self.calibration_, scores / LEEWAY), each, names)

    def score(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(scores, p_values)``, each of shape ``(n_events,)``; ``windows`` as in :meth:`fit`."""
        scores = self._combine(self.baseline_.rows(events))
        if windows is not None and self.around_:
            scores = self.around_.raise_scores(scores, events, windows)
        return scores, conformal_p_values(self.calibration_, scores / LEEWAY)

    def flag(self, scores: np.ndarray, p_values: np.ndarray) -> np.ndarray:
        """Return which scores pass the budget's threshold."""
        return np.asarray(scores > self.threshold_)

    def explain(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> list[tuple[Reason, ...]]:
        """Return the reasons of each event, the one whose removal lowers the score most first."""
        found = explain(self.baseline_, self._combine, self.usual_, events)
        if windows is None or not self.around_ or not events:
            return found
        return self.around_.explain(events, windows, self._combine(self.baseline_.rows(events)), found)

    def state(self) -> Mapping[str, Any]:
        """Return the learned state as a plain tree."""
        return {
            "baseline": self.baseline_.state(),
            "usual": self.usual_,
            "forest": self.forest_,
            "tails": [tail.state() for tail in self.tails_],
            "calibration": self.calibration_,
            "alert_budget": self.alert_budget_,
            "threshold": self.threshold_,
            "n_fit": self.n_fit_,
            "n_calibration": self.n_calibration_,
            "around": self.around_.state() if self.around_ else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "BaselineForest":
        """Rebuild a fitted detector; raise ``ValueError`` when the state does not fit this code."""
        detector = cls()
        detector.baseline_ = Baseline.from_state(state["baseline"])
        detector.usual_ = state["usual"]
        detector.forest_ = state["forest"]
        detector.tails_ = [Tail.from_state(tail) for tail in state["tails"]]
        if len(detector.usual_) != len(COLUMNS) or len(detector.tails_) != len(COLUMNS) + 1:
            raise ValueError(f"the state has {len(detector.usual_)} columns, not {len(COLUMNS)}")
        detector._flat = FlatForest(detector.forest_)
        detector.calibration_ = state["calibration"]
        detector.alert_budget_, detector.threshold_ = float(state["alert_budget"]), float(state["threshold"])
        detector.n_fit_, detector.n_calibration_ = int(state["n_fit"]), int(state["n_calibration"])
        detector._weights = weights_for(detector.n_fit_)
        detector.around_ = None if state["around"] is None else Around.from_state(state["around"])
        return detector
