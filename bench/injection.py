"""How much injected text is found, and how often are ordinary events suspected? With n and intervals.

    python bench/injection.py CORPUS_DIR [EVENTS_DIR ...] [--json] [--show]

CORPUS_DIR holds JSON lines with ``text``, ``label`` and, where known, ``family``, ``encoding``, ``carrier``: every row
labelled ``injection`` should be found, every other row should not. ``log_shaped`` rows are whole log lines and go
through the parsers like any record. Each EVENTS_DIR holds ``events.ndjson.gz`` and ``labels.csv.gz``; its rows with
label 0 are ordinary events; where no row has that, those with label -1 are taken for ordinary. The project's golden
samples count as ordinary too. Rates have 95 % Wilson intervals.
"""

import argparse
import csv
import gzip
import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage import parsers
from triage.contracts import Record
from triage.explainers import injection
from triage.learning.statistics import wilson

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "triage" / "parsers" / "golden"
RECEIVED_AT, MOST = 1_767_225_600.0, 40_000


def find(texts: list[str]) -> list[tuple[injection.Finding, ...]]:
    """Return what is suspected in each record, after the parsers."""
    events = parsers.parse([Record(text) for text in texts], RECEIVED_AT, memory={})
    return [injection.suspected(event.fields, event.message) for event in events]


def corpus(path: Path, show: bool) -> list[dict[str, Any]]:
    """Return one row for each label, family and encoding of a corpus file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    shaped = "carrier" in rows[0]
    found = find([row["text"] for row in rows]) if shaped else [injection.suspected({}, row["text"]) for row in rows]
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for row, findings in zip(rows, found, strict=True):
        names = [f"{path.stem} {row['label']}"]
        names += [
            f"  {key} {row[key]}"
            for key in ("family", "encoding", "carrier", "type")
            if row.get(key) and row["label"] == "injection"
        ]
        for name in names:
            groups[name].update(n=1, found=bool(findings))
        if show and bool(findings) != (row["label"] == "injection"):
            print(
                f"  [{'missed' if row['label'] == 'injection' else 'suspected'}] {row['id']}: "
                f"{row['text'][:200]!r} {findings[:1]}"
            )
    return [entry(name, counts) for name, counts in groups.items()]


def ordinary(folder: Path, show: bool) -> dict[str, Any]:
    """Return how many of a labelled set's benign events are suspected, each kind of text counted as it comes."""
    with gzip.open(folder / "events.ndjson.gz", "rt", encoding="utf-8", errors="replace") as file:
        texts = file.read().splitlines()
    with gzip.open(folder / "labels.csv.gz", "rt", encoding="utf-8") as file:
        labels = {int(row["idx"]): row["label"] for row in csv.DictReader(file)}
    label = "0" if "0" in labels.values() else "-1"
    told = folder.name if label == "0" else f"{folder.name}, unlabelled"
    chosen = [text for index, text in enumerate(texts) if labels.get(index) == label]
    step = max(1, -(-len(chosen) // MOST))
    return suspects(told, chosen[::step], show)


def suspects(name: str, texts: list[str], show: bool) -> dict[str, Any]:
    start = time.process_time()
    found = find(texts)
    spent = time.process_time() - start
    if show:
        kinds = Counter((f[0].field, f[0].why, f[0].excerpt[:100]) for f in found if f)
        for kind, count in kinds.most_common(12):
            print(f"  [suspected] {count} x {kind}")
    counts = Counter(n=len(texts), found=sum(map(bool, found)))
    return entry(f"ordinary: {name}", counts) | {"us_per_event": round(spent / max(len(texts), 1) * 1e6, 1)}


def entry(name: str, counts: Counter[str]) -> dict[str, Any]:
    rate = wilson(counts["found"], counts["n"])
    return {"name": name, "n": rate.n, "found": counts["found"], "rate": rate.value, "low": rate.low, "high": rate.high}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("corpus", type=Path)
    options.add_argument("folders", nargs="*", type=Path)
    options.add_argument("--json", action="store_true")
    options.add_argument("--show", action="store_true")
    given = options.parse_args()
    found = [row for path in sorted(given.corpus.glob("*.jsonl")) for row in corpus(path, given.show)]
    pairs = [pair for path in sorted(GOLDEN.glob("*.json")) for pair in json.loads(path.read_bytes())]
    contents = [c if isinstance(c, str) else json.dumps(c) for c in (pair["content"] for pair in pairs)]
    found.append(suspects("golden samples", contents, given.show))
    found += [ordinary(folder, given.show) for folder in given.folders]
    for row in found:
        cost = f"  {row['us_per_event']} us CPU an event, parsing included" if "us_per_event" in row else ""
        print(
            f"{row['name']:48} {row['found']:6} of {row['n']:6}  {row['rate']:8.3%} ({row['low']:.3%} "
            f"to {row['high']:.3%}){cost}"
        )
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
