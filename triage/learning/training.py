"""Train a candidate and measure what it promises on events it has not seen.

Handed: events and an alert budget. Hands on: a :class:`Candidate`: the detector to serve, its metrics, and
the manifest that goes with the artefact. The same events and seed give the same candidate.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
import sklearn

from triage import detectors
from triage.contracts import ParsedEvent
from triage.detectors.base import Detector
from triage.features.baseline import FEATURE_SET
from triage.learning.statistics import wilson

CODE_VERSION = "1"
#: The last part of the history on which a twin, fitted on the rest, is measured.
HOLDOUT_SHARE = 0.15
LEVELS = (0.01, 0.05, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained detector, what was measured about it, and where it comes from. All JSON but the detector."""

    detector: Detector
    metrics: dict[str, Any]
    manifest: dict[str, Any]


def train(
    events: Sequence[ParsedEvent],
    *,
    detector_name: str = detectors.DEFAULT,
    alert_budget: float,
    random_state: int = 0,
) -> Candidate:
    """Fit a detector on events (sorted by time here), after measuring a twin on the newest part.

    ``alert_budget`` is the share of events to flag, in (0, 1). Raises ``ValueError`` when it is not, and
    what the detector raises when there are too few events.
    """
    if not 0 < alert_budget < 1:
        raise ValueError(f"an alert budget is a share between 0 and 1, not {alert_budget}")
    ordered = sorted(events, key=lambda event: event.timestamp)
    kind = detectors.get(detector_name)
    metrics = measure(kind, ordered, alert_budget=alert_budget, random_state=random_state)
    detector = kind().fit(ordered, alert_budget=alert_budget, random_state=random_state)
    return Candidate(detector, metrics, describe(detector, ordered, metrics, random_state))


def measure(
    kind: type[Detector], ordered: Sequence[ParsedEvent], *, alert_budget: float, random_state: int
) -> dict[str, Any]:
    """Fit a twin on the older events and return what it does on the newest ones, with n and intervals."""
    cut = int(len(ordered) * (1 - HOLDOUT_SHARE))
    twin = kind().fit(ordered[:cut], alert_budget=alert_budget, random_state=random_state)
    scores, p_values = twin.score(ordered[cut:])
    n = len(scores)
    flagged = wilson(int(twin.flag(scores, p_values).sum()), n)
    validity = [{"p": level, "rate": asdict(wilson(int((p_values <= level).sum()), n))} for level in LEVELS]
    return {
        "alert_budget": alert_budget,
        "n_fit": len(ordered),
        "n_calibration": int(twin.state().get("n_calibration", n)),
        "n_holdout": n,
        "flag_rate": asdict(flagged),
        "p_value_validity": validity,
        # Not measured is not zero: there are no labels in this measurement.
        "labels": None,
    }


def describe(
    detector: Detector, ordered: Sequence[ParsedEvent], metrics: dict[str, Any], random_state: int
) -> dict[str, Any]:
    """Return the manifest of a candidate; the registry adds version, format and the artefact's sha256."""
    return {
        "detector": detector.name,
        "feature_set": FEATURE_SET,
        "code_version": CODE_VERSION,
        "random_state": random_state,
        "window": {
            "first_timestamp": ordered[0].timestamp,
            "last_timestamp": ordered[-1].timestamp,
            "n_events": len(ordered),
            "events_sha256": hash_events(ordered),
        },
        "metrics": metrics,
        "libraries": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    }


def hash_events(events: Sequence[ParsedEvent]) -> str:
    """Return one sha256 over what a detector sees of the events, in order."""
    digest = hashlib.sha256()
    for event in events:
        digest.update(orjson.dumps([event.timestamp, event.parser, event.message, event.fields], default=str))
        digest.update(b"\n")
    return digest.hexdigest()
