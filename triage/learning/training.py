"""Train a candidate and measure what it promises on events it has not seen.

Handed: events and an alert budget. Hands on: a :class:`Candidate`: the detector to serve, its metrics, and
the manifest that goes with the artefact. The same events and seed give the same candidate. What a detector is made of
is imported only when one is trained, so that the pure rules beside it stay light.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from triage import detectors
from triage.contracts import ParsedEvent
from triage.detectors.base import Detector
from triage.learning.statistics import wilson

CODE_VERSION = "1"
#: The last part of the history on which a twin, fitted on the rest, is measured.
HOLDOUT_SHARE = 0.15
LEVELS = (0.01, 0.05, 0.1, 0.5)
#: Rooms whose code decides what an event means, and how it is scored.
READING, SCORING = ("receivers", "parsers"), ("features", "detectors")
#: Told what is going on: a phase, and more about it in words.
Progress = Callable[[str, str], None]


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
    suspects: Sequence[bool] | None = None,
    windows: np.ndarray | None = None,
    progress: Progress = lambda _phase, _detail: None,
) -> Candidate:
    """Fit a detector on events (sorted by time here), after measuring a twin on the newest part.

    ``alert_budget`` is the share of events to flag, in (0, 1); ``suspects``, one entry per event, marks what must not
    be learned from; ``windows``, one row per event, is what happened around it. Raises ``ValueError`` for a budget
    outside, and what the detector raises when too few are left.
    """
    if not 0 < alert_budget < 1:
        raise ValueError(f"an alert budget is a share between 0 and 1, not {alert_budget}")
    order = sorted(range(len(events)), key=lambda place: events[place].timestamp)
    ordered = [events[place] for place in order]
    doubtful = [bool(suspects and suspects[place]) for place in order]
    around = None if windows is None else windows[order]
    kind = detectors.get(detector_name)
    n_holdout = len(ordered) - cut_of(ordered)
    progress("measuring", f"step 2 of 4: a twin learns from the older events and scores the newest {n_holdout:,}")
    metrics = measure(kind, ordered, doubtful, around, alert_budget=alert_budget, random_state=random_state)
    progress("learning", f"step 3 of 4: learns from {len(ordered):,} events and calibrates on a part of them")
    detector = kind().fit(
        ordered, alert_budget=alert_budget, random_state=random_state, suspects=doubtful, windows=around
    )
    manifest = describe(detector, ordered, metrics, random_state)
    manifest["window"]["n_suspects"] = sum(doubtful)
    return Candidate(detector, metrics, manifest)


def cut_of(ordered: Sequence[ParsedEvent]) -> int:
    """Return where the newest part of the history, which the twin does not learn from, begins."""
    return int(len(ordered) * (1 - HOLDOUT_SHARE))


def measure(
    kind: type[Detector],
    ordered: Sequence[ParsedEvent],
    suspects: Sequence[bool],
    windows: np.ndarray | None,
    *,
    alert_budget: float,
    random_state: int,
) -> dict[str, Any]:
    """Fit a twin on the older events and return what it does on the newest ones, with n and intervals."""
    cut = cut_of(ordered)
    older, newer = (None, None) if windows is None else (windows[:cut], windows[cut:])
    twin = kind().fit(
        ordered[:cut], alert_budget=alert_budget, random_state=random_state, suspects=suspects[:cut], windows=older
    )
    scores, p_values = twin.score(ordered[cut:], newer)
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
    from triage.features.baseline import FEATURE_SET

    return {
        "detector": detector.name,
        "feature_set": FEATURE_SET,
        "code_version": CODE_VERSION,
        "code_sha256": {"reading": hash_code(READING), "scoring": hash_code(SCORING)},
        "random_state": random_state,
        "window": {
            "first_timestamp": ordered[0].timestamp,
            "last_timestamp": ordered[-1].timestamp,
            "n_events": len(ordered),
            "events_sha256": hash_events(ordered),
        },
        "metrics": metrics,
        "libraries": {name: version(name) for name in ("numpy", "scikit-learn", "scipy", "skops")},
    }


def describe_labels(labels: Mapping[int, int]) -> dict[str, Any]:
    """Return what the manifest says about people's labels (event id -> 1 malicious, 0 not).

    Nothing is learned from them here; they are what a later comparison may be checked against.
    """
    digest = hashlib.sha256()
    for event, label in sorted(labels.items()):
        digest.update(b"%d %d\n" % (event, label))
    return {
        "n": len(labels),
        "n_malicious": sum(label == 1 for label in labels.values()),
        "first_event_id": min(labels, default=None),
        "last_event_id": max(labels, default=None),
        "sha256": digest.hexdigest(),
        "learned_from": False,
    }


def hash_code(rooms: Sequence[str]) -> str:
    """Return one sha256 over the source of some rooms: whether the code is still what it was."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for path in sorted(path for room in rooms for path in (root / room).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def hash_events(events: Sequence[ParsedEvent]) -> str:
    """Return one sha256 over what a detector sees of the events, in order."""
    digest = hashlib.sha256()
    for event in events:
        digest.update(orjson.dumps([event.timestamp, event.parser, event.message, event.fields], default=str))
        digest.update(b"\n")
    return digest.hexdigest()
