"""What is detection worth on labelled logs? With intervals, by type of attack, and with attacks in the history.

    python bench/quality.py DIR ... [--json] [--resamples N] [--contamination R ...]

A DIR holds ``events.ndjson.gz`` (one raw event a line, in forwarding order) and ``labels.csv.gz`` (``idx``, ``label``:
1 attack, 0 benign, -1 not scored, ``split``: train or test, and what else the set knows). The detector learns the train
rows without labels, of the attacks among them only the share ``--contamination`` (default 0.01), and scores the test
rows. AUROC, average precision and recall within the top 1 % come with 95 % percentile intervals of a bootstrap (Efron
1979) over incidents, not lines: the events of one recording or trace stand or fall together. Where a set names no
incidents every event is its own, and it says so. Recall by type of attack is within the top 1 %, with its Wilson
interval. The same seed gives the same figures.
"""

import argparse
import csv
import gzip
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from sklearn.metrics import average_precision_score, roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage import detectors, parsers
from triage.contracts import ParsedEvent, Record
from triage.features.windows import Windows
from triage.learning.statistics import wilson

MAX_TRAIN, MAX_TEST, BATCH, BUDGET = 40_000, 80_000, 2_000, 0.01
RECEIVED_AT = 1_893_456_000.0
#: Columns that name what stands or falls together, and columns that name the type of an attack; best first.
INCIDENTS = (("capture",), ("incident",), ("session",), ("network", "phase"))
TYPES = ("attack_type", "category", "tactic", "phase", "technique_hint")
Row = dict[str, str]


def choose(rows: list[Row], contamination: float) -> tuple[list[int], list[int]]:
    """Return the places of the train and of the test rows: repeats left out, attacks in train thinned, both capped."""
    chance = np.random.default_rng(0)
    splits = ([i for i, row in enumerate(rows) if row["split"] == name] for name in ("train", "test"))
    train, test = ([i for i in part if rows[i].get("dup_rank", "") in ("", "0")] for part in splits)
    bad = [i for i in train if rows[i]["label"] == "1"]
    room = min(len(bad), int(contamination * (len(train) - len(bad))))
    kept = set(chance.choice(bad, room, replace=False).tolist()) if bad else set()
    train = [i for i in train if rows[i]["label"] != "1" or i in kept]
    return cap(train, MAX_TRAIN, chance), cap(test, MAX_TEST, chance)


def cap(places: list[int], limit: int, chance: np.random.Generator) -> list[int]:
    """Return at most ``limit`` of the places, in order."""
    return places if len(places) <= limit else sorted(chance.choice(places, limit, replace=False).tolist())


def parse(lines: list[bytes]) -> list[ParsedEvent]:
    """Return the events of lines, through the same door as the pipeline."""
    memory: dict[str, str] = {}
    records = [Record(orjson.loads(line)) for line in lines]
    batches = (records[i : i + BATCH] for i in range(0, len(records), BATCH))
    return [event for batch in batches for event in parsers.parse(batch, RECEIVED_AT, memory=memory)]


def incidents(rows: list[Row]) -> tuple[np.ndarray, str]:
    """Return the number of each row's incident and what an incident is."""
    for columns in INCIDENTS:
        if all(column in rows[0] for column in columns):
            names = ["/".join(row[column] for column in columns) for row in rows]
            index = {name: number for number, name in enumerate(dict.fromkeys(names))}
            return np.array([index[name] for name in names]), f"{' and '.join(columns)} (n={len(index)})"
    return np.arange(len(rows)), "every event its own"


def figures(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Return AUROC, average precision and recall within the top 1 %, of weighted events."""
    order = np.argsort(-scores, kind="stable")
    top = np.cumsum(weights[order]) <= max(1.0, round(BUDGET * float(weights.sum())))
    recall = float((weights[order] * truth[order])[top].sum() / (weights * truth).sum())
    area = float(roc_auc_score(truth, scores, sample_weight=weights))
    return area, float(average_precision_score(truth, scores, sample_weight=weights)), recall


def intervals(truth: np.ndarray, scores: np.ndarray, units: np.ndarray, resamples: int) -> list[list[float]]:
    """Return the 2.5th and 97.5th percentile of each figure over resampled incidents."""
    chance, found = np.random.default_rng(0), []
    n = int(units.max()) + 1
    for _ in range(resamples):
        weights = np.bincount(chance.integers(0, n, n), minlength=n)[units].astype(float)
        if 0 < (weights * truth).sum() < weights.sum():
            found.append(figures(truth, scores, weights))
    return [
        [round(float(edge), 4) for edge in np.quantile(column, (0.025, 0.975))] for column in zip(*found, strict=True)
    ]


def by_type(rows: list[Row], scores: np.ndarray, truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the recall of each type of attack within the top 1 %, the most frequent twelve."""
    column = next((name for name in TYPES if name in rows[0]), "")
    top = set(np.argsort(-scores, kind="stable")[: max(1, round(BUDGET * len(scores)))].tolist())
    attacks = [i for i in range(len(rows)) if truth[i]]
    total = Counter(rows[i].get(column) or "unnamed" for i in attacks)
    hits = Counter(rows[i].get(column) or "unnamed" for i in attacks if i in top)
    found = {}
    for name, n in total.most_common(12):
        rate = wilson(hits[name], n)
        found[name] = {"recall": round(rate.value, 4), "n": n, "low": round(rate.low, 4), "high": round(rate.high, 4)}
    return found


def read(folder: Path, contamination: float) -> tuple[list[ParsedEvent], list[ParsedEvent], list[Row], list[Row]]:
    """Return the train events, the test events, and the label rows of both."""
    with gzip.open(folder / "labels.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(folder / "events.ndjson.gz") as file:
        lines = file.read().split(b"\n")
    train, test = choose(rows, contamination)
    events = parse([lines[i] for i in (*train, *test)])
    return events[: len(train)], events[len(train) :], [rows[i] for i in train], [rows[i] for i in test]


def measure(folder: Path, contamination: float, resamples: int) -> dict[str, Any]:
    """Learn and score one set."""
    history, later, taught, test = read(folder, contamination)
    stream = Windows()
    around, around_later = stream.observe(history), stream.observe(later)
    detector = detectors.get(detectors.DEFAULT)().fit(history, alert_budget=BUDGET, random_state=0, windows=around)
    parts = [detector.score(later[i : i + BATCH], around_later[i : i + BATCH]) for i in range(0, len(later), BATCH)]
    scores, p_values = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    flags = detector.flag(scores, p_values)
    label = np.array([int(row["label"]) for row in test])
    counted = np.flatnonzero(label >= 0)
    kept, truth, ranked = [test[i] for i in counted], label[counted] == 1, scores[counted]
    units, unit = incidents(kept)
    area, precision, recall = figures(truth, ranked, np.ones(len(ranked)))
    benign = wilson(int(flags[counted][~truth].sum()), int((~truth).sum()))
    valid = {str(a): round(float((p_values[counted][~truth] <= a).mean()), 4) for a in (0.001, 0.01, 0.05, 0.1, 0.5)}
    return {
        "set": folder.name, "n": len(ranked), "attacks": int(truth.sum()), "trained_on": len(history),
        "attacks_in_training": sum(row["label"] == "1" for row in taught), "incident": unit,
        "auroc": round(area, 6), "average_precision": round(precision, 6), "recall_at_1pct": round(recall, 6),
        "intervals": intervals(truth, ranked, units, resamples), "by_type": by_type(kept, ranked, truth),
        "benign_flagged": {"share": benign.value, "n": benign.n, "low": benign.low, "high": benign.high},
        "benign_p_at_most": valid,
    }  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """Print one set for people."""
    print(
        f"\n{found['set']}: {found['n']:,} events scored, {found['attacks']:,} attacks; learned {found['trained_on']:,}"
    )
    print(f"  of them {found['attacks_in_training']} attacks. Incident: {found['incident']}")
    for name, (low, high) in zip(("auroc", "average_precision", "recall_at_1pct"), found["intervals"], strict=True):
        print(f"  {name:18} {found[name]:.3f} [{low:.3f}, {high:.3f}]")
    flagged = found["benign_flagged"]
    print(
        f"  benign flagged     {flagged['share']:.2%} [{flagged['low']:.2%}, {flagged['high']:.2%}] n={flagged['n']:,}"
    )
    print("  benign P(p <= a)   " + "  ".join(f"{a}: {share:.4f}" for a, share in found["benign_p_at_most"].items()))
    for name, rate in found["by_type"].items():
        print(f"    {name[:40]:40} {rate['recall']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}] n={rate['n']}")


def main() -> None:
    """Measure each set at each contamination."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="+", type=Path, metavar="DIR")
    command.add_argument("--contamination", type=float, nargs="+", default=[0.01])
    command.add_argument("--resamples", type=int, default=200)
    command.add_argument("--json", action="store_true")
    asked = command.parse_args()
    every = []
    for folder in asked.sets:
        for contamination in asked.contamination:
            found = {"contamination": contamination, **measure(folder, contamination, asked.resamples)}
            every.append(found)
            show(found)
    if asked.json:
        print(json.dumps(every))


if __name__ == "__main__":
    main()
