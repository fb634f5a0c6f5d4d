"""Do the reasons of an alert carry its score? Take them out and score again.

    python bench/deletion.py DIR ... [--json] [--events N]

Sets are read, split and learned as ``bench/quality.py`` does it. Of the flagged test events at most N (default 300,
drawn with a fixed seed) are explained. Then, with the same detector and nothing but its ``score``:

- *top first*: the fields that a reason names are deleted and the event is scored again, for each reason.
  The share of events in which deleting the top reason's fields lowers the score at least as much as any other's.
- *no field does more*: each single field of the event is deleted in turn, named by a reason or not. The share of
  events in which none lowers the score more than deleting the top reason's fields.
- *set to usual*: as the first, but fields are set to the value the baseline saw most often, where it knows one.
- the mean share of the score that goes with the top reason, and with another field of the event drawn at random.
- the mean rank correlation (Spearman) of the stated contributions with the falls under *set to usual*, over events
  with at least three reasons.

Events whose top reason names no field (their kind is new, or a field is missing) cannot be tested so; they are counted.
Shares have 95 % Wilson intervals. Milliseconds are processor time of explaining, all at once and one by one.
"""

import argparse
import csv
import gzip
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.quality import BATCH, BUDGET, choose, parse
from triage import detectors
from triage.contracts import ParsedEvent, Reason
from triage.detectors.base import Detector
from triage.detectors.baseline_forest import BaselineForest
from triage.detectors.leave_out import without_fields
from triage.features.field import FieldModel
from triage.features.tokens import as_number
from triage.learning.statistics import wilson

CONTAMINATION = 0.01
#: Falls of the score this near to each other are the same.
TIE = 1e-9


def falls(detector: Detector, event: ParsedEvent, changed: Sequence[ParsedEvent]) -> np.ndarray:
    """Return which share of an event's score is gone in each changed event, shape ``(len(changed),)``."""
    scores, _ = detector.score([event, *changed])
    return np.asarray((scores[0] - scores[1:]) / scores[0])


def present(event: ParsedEvent) -> list[str]:
    """Return the fields that can be deleted from an event."""
    return [*event.fields, *(["message"] if event.message and "message" not in event.fields else [])]


def usual_value(model: FieldModel, value: Any) -> Any:
    """Return what a field held most often, written so that it is read as such; ``None`` when nothing repeats."""
    tokens = list(model.tables["value"].counts)[:3]
    tried = [text for token in tokens for text in spellings(token, is_number=as_number(value) is not None)]
    return min(tried, key=lambda one: max(model.evidence(one)), default=None)


def spellings(token: str, *, is_number: bool) -> list[Any]:
    """Return values that a token of the baseline may stand for: a bucket's middle, a mask with digits filled in."""
    bucket = token.removeprefix("-").removeprefix("~")
    if is_number and bucket.replace(".", "", 1).isdigit():
        size = round(2 ** (float(bucket) + 0.25)) if "~" in token else float(bucket)
        size = int(size) if size == int(size) else size
        return [-size if token.startswith("-") else size]
    text = token.replace("#", "1")
    return [text, text.upper(), text.title()]


def with_usual(detector: BaselineForest, event: ParsedEvent, names: Sequence[str]) -> ParsedEvent:
    """Return the event with fields set to their most usual value, or without them where none is known."""
    model, _ = detector.baseline_.model_of(event)
    known = {name: model.fields[name] for name in names if name in model.fields}
    found = {name: usual_value(field, event.fields.get(name, event.message)) for name, field in known.items()}
    usual = {name: value for name, value in found.items() if value is not None}
    changed = without_fields(event, [name for name in names if name not in usual])
    message = str(usual.pop("message", changed.message)) if "message" not in event.fields else changed.message
    return replace(changed, fields={**changed.fields, **usual}, message=message)


def delete_from(
    detector: BaselineForest, event: ParsedEvent, reasons: Sequence[Reason], chance: np.random.Generator
) -> dict[str, Any]:
    """Return what deleting does to one event whose top reason names fields."""
    named = [reason for reason in reasons if reason.fields]
    fields = present(event)
    deleted = falls(detector, event, [without_fields(event, reason.fields) for reason in named])
    single = falls(detector, event, [without_fields(event, (name,)) for name in fields])
    usual = falls(detector, event, [with_usual(detector, event, reason.fields) for reason in named])
    others = [place for place, name in enumerate(fields) if name not in named[0].fields]
    stated = [reason.contribution for reason in named]
    return {
        "top_first": bool(deleted[0] >= deleted.max() - TIE),
        "no_field_does_more": bool(deleted[0] >= single.max() - TIE),
        "usual_top_first": bool(usual[0] >= usual.max() - TIE),
        "top_share": float(deleted[0]),
        "other_share": float(single[chance.choice(others)]) if others else None,
        "rank_correlation": float(spearmanr(stated, usual).statistic)
        if len(set(stated)) > 2 and len(set(usual)) > 1
        else None,
    }


def fit_and_flag(folder: Path, limit: int) -> tuple[BaselineForest, list[ParsedEvent], int]:
    """Return a detector that learned a set, at most ``limit`` of the test events it flags, and how many it flags."""
    with gzip.open(folder / "labels.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(folder / "events.ndjson.gz") as file:
        lines = file.read().split(b"\n")
    train, test = choose(rows, CONTAMINATION)
    detector = detectors.get(detectors.DEFAULT)()
    assert isinstance(detector, BaselineForest)
    detector.fit(parse([lines[i] for i in train]), alert_budget=BUDGET, random_state=0)
    later = parse([lines[i] for i in test])
    flagged: list[ParsedEvent] = []
    for part in (later[i : i + BATCH] for i in range(0, len(later), BATCH)):
        flagged += [part[place] for place in np.flatnonzero(detector.flag(*detector.score(part))).tolist()]
    chance = np.random.default_rng(0)
    places = sorted(chance.choice(len(flagged), min(limit, len(flagged)), replace=False).tolist())
    return detector, [flagged[place] for place in places], len(flagged)


def milliseconds(detector: BaselineForest, events: list[ParsedEvent]) -> tuple[float, float]:
    """Return processor time to explain one event, of all at once and of each alone."""
    taken = []
    for batches in ([events], [[event] for event in events]):
        started = time.process_time()
        for batch in batches:
            detector.explain(batch)
        taken.append(1_000 * (time.process_time() - started) / len(events))
    return taken[0], taken[1]


def share(found: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Return how often a test held, with its interval."""
    rate = wilson(sum(one[name] for one in found), len(found))
    return {"share": round(rate.value, 4), "low": round(rate.low, 4), "high": round(rate.high, 4), "n": len(found)}


def mean(found: list[dict[str, Any]], name: str) -> float | None:
    """Return the mean of what was measured."""
    values = [one[name] for one in found if one[name] is not None]
    return round(float(np.mean(values)), 4) if values else None


def measure(folder: Path, limit: int) -> dict[str, Any]:
    """Return the figures of one set."""
    detector, events, flagged = fit_and_flag(folder, limit)
    reasons = detector.explain(events)
    at_once, alone = milliseconds(detector, events)
    chance = np.random.default_rng(1)
    testable = [(event, found) for event, found in zip(events, reasons, strict=True) if found[0].fields]
    tested = [delete_from(detector, event, found, chance) for event, found in testable]
    return {
        "set": folder.name, "flagged": flagged, "explained": len(events), "names_no_field": len(events) - len(tested),
        **{name: share(tested, name) for name in ("top_first", "no_field_does_more", "usual_top_first")},
        **{name: mean(tested, name) for name in ("top_share", "other_share", "rank_correlation")},
        "explain_ms_at_once": round(at_once, 3), "explain_ms_alone": round(alone, 3),
    }  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """Print one set for people."""
    print(f"\n{found['set']}: {found['explained']} of {found['flagged']:,} flagged events explained, ", end="")
    print(f"{found['names_no_field']} with a top reason that names no field")
    for name in ("top_first", "no_field_does_more", "usual_top_first"):
        one = found[name]
        print(f"  {name.replace('_', ' '):20} {one['share']:.3f} [{one['low']:.3f}, {one['high']:.3f}] n={one['n']}")
    for name in ("top_share", "other_share", "rank_correlation", "explain_ms_at_once", "explain_ms_alone"):
        print(f"  {name.replace('_', ' '):20} {found[name]}")


def main() -> None:
    """Test the reasons on each set."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="+", type=Path, metavar="DIR")
    command.add_argument("--events", type=int, default=300, metavar="N")
    command.add_argument("--json", action="store_true", help="end with one JSON list")
    asked = command.parse_args()
    every = []
    for folder in asked.sets:
        every.append(measure(folder, asked.events))
        show(every[-1])
    if asked.json:
        print(json.dumps(every))


if __name__ == "__main__":
    main()
