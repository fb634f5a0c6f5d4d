"""The shape of a detector: how unusual an event is, and why.

A detector is fitted on a list of events without labels, scores whole batches, and explains single ones.
Its state is a plain tree of dicts, lists, numbers, strings, NumPy arrays and scikit-learn estimators, so
that the registry can store it without pickle and check it before it is opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from triage.contracts import ParsedEvent, Reason

#: Upper ends of the classes of p-values; the last one is everything.
P_EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Examined:
    """What a detector found in ``n`` events.

    ``scores`` and ``p_values`` are float64 of shape ``(n,)``. ``evidence`` has one column per name in
    ``evidence_names``, shape ``(n, k)``: ``-ln`` of a tail probability each, so that a column of events like those
    learned has a mean of about 1, whatever it measures.
    """

    scores: np.ndarray
    p_values: np.ndarray
    evidence: np.ndarray
    evidence_names: tuple[str, ...]


class Detector(Protocol):
    """An anomaly model over ECS events."""

    name: str

    def fit(
        self,
        events: Sequence[ParsedEvent],
        *,
        alert_budget: float,
        random_state: int,
        suspects: Sequence[bool] | None = None,
        windows: np.ndarray | None = None,
    ) -> "Detector":
        """Learn from events in time order; ``alert_budget`` is the share of events to flag, in (0, 1).

        ``suspects``, one entry per event, marks what must not become usual by being learned; None = nothing.
        ``windows`` has one row of :data:`triage.features.windows.NUMBERS` per event: what happened around it lately.
        Whoever has none leaves it out, here and below, and the events are judged by themselves.
        """

    def examine(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> Examined:
        """Return the scores of events with the evidence they are made of."""

    def score(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(scores, p_values)``, float64 arrays of shape ``(n_events,)``; higher = more unusual."""

    def flag(self, scores: np.ndarray, p_values: np.ndarray) -> np.ndarray:
        """Return a boolean array of shape ``(n_events,)``: which events the budget allows to flag."""

    def explain(self, events: Sequence[ParsedEvent], windows: np.ndarray | None = None) -> list[tuple[Reason, ...]]:
        """Return the reasons of each event, most important first."""

    def state(self) -> Mapping[str, Any]:
        """Return the learned state as a plain tree."""

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Detector":
        """Rebuild a fitted detector from its state."""
