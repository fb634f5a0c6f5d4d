"""What does retraining cost an attack? Three ways to go on after the first day, on labelled logs.

    python bench/retrain.py DIR ... [--json] [--parts N]

The test part of a set (see ``bench/quality.py``) is cut into consecutive parts, its days. ``never`` keeps the first
model; ``everything`` learns anew before each day from all events so far; ``unsuspected`` does so too but leaves out
what was flagged on earlier days, as Winnow's own retraining does when nobody has judged it. Nobody judges anything
here: that is the worst case. Of the days after the first: benign events flagged, attacks flagged, and the share of
benign p-values of 0.05 or less, each with n and its 95 % Wilson interval.
"""

import argparse
import itertools
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import quality
from triage import detectors
from triage.contracts import ParsedEvent
from triage.learning.statistics import wilson

WAYS = ("never", "everything", "unsuspected")
BUDGET, MAX_HISTORY = 0.01, 40_000


def days_of(n: int, parts: int) -> list[tuple[int, int]]:
    """Return the first and the last-but-one place of each day."""
    edges = [n * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(edges))


def fit(events: list[ParsedEvent], suspects: np.ndarray) -> Any:
    """Learn from the newest events."""
    newest = events[-MAX_HISTORY:]
    return detectors.get(detectors.DEFAULT)().fit(
        newest, alert_budget=BUDGET, random_state=0, suspects=suspects[-len(newest) :].tolist()
    )


def go_on(way: str, history: list[ParsedEvent], later: list[ParsedEvent], parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the flags and the p-values of the later events, day by day."""
    flags, p_values = np.zeros(len(later), dtype=bool), np.ones(len(later))
    none = np.zeros(len(history), dtype=bool)
    detector = fit(history, none)
    for first, end in days_of(len(later), parts):
        if first and way != "never":
            seen = flags[:first] if way == "unsuspected" else np.zeros(first, dtype=bool)
            detector = fit(history + later[:first], np.concatenate([none, seen]))
        scores, p_values[first:end] = detector.score(later[first:end])
        flags[first:end] = detector.flag(scores, p_values[first:end])
    return flags, p_values


def measure(folder: Path, parts: int) -> dict[str, Any]:
    """Return the figures of the days after the first, for each way."""
    history, later, _, rows = quality.read(folder, 0.01)
    truth = np.array([int(row["label"]) for row in rows])
    after = np.arange(len(later)) >= days_of(len(later), parts)[0][1]
    benign, attacks = after & (truth == 0), after & (truth == 1)
    found: dict[str, Any] = {"set": folder.name, "days": parts}
    for way in WAYS:
        flags, p_values = go_on(way, history, later, parts)
        found[way] = {
            "benign_flagged": asdict(wilson(int(flags[benign].sum()), int(benign.sum()))),
            "attacks_flagged": asdict(wilson(int(flags[attacks].sum()), int(attacks.sum()))),
            "benign_p_at_most_0.05": asdict(wilson(int((p_values[benign] <= 0.05).sum()), int(benign.sum()))),
        }
    return found


def show(found: dict[str, Any]) -> None:
    """Print one set for people."""
    print(f"\n{found['set']}, {found['days'] - 1} days after the first")
    for way in WAYS:
        cells = (
            f"{name} {r['value']:.2%} [{r['low']:.2%}, {r['high']:.2%}] n={r['n']:,}" for name, r in found[way].items()
        )
        print(f"  {way:12}" + "; ".join(cells))


def main() -> None:
    """Measure each set."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="+", type=Path, metavar="DIR")
    command.add_argument("--parts", type=int, default=5)
    command.add_argument("--json", action="store_true")
    asked = command.parse_args()
    every = []
    for folder in asked.sets:
        every.append(measure(folder, asked.parts))
        show(every[-1])
    if asked.json:
        print(json.dumps(every))


if __name__ == "__main__":
    main()
