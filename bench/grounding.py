"""Does the grounding check catch what a model makes up, and leave alone what is true? With n and intervals.

    python bench/grounding.py [DIR ...] [--json] [--quick] [--show KIND] [--only SET]

Two measurements. The written sets are alerts written by hand, of many kinds of events, with what a model would say of
them in its own words: true statements, and false ones of each kind. Each set was written without a look at the rules
and measured once before the check was mended for it; what it showed then is in docs/grounding.md, and what is printed
here is what the check does now.

The phrasings are templates filled with the values of many events: of the project's own golden samples, and of the
labelled sets in each DIR (``events.ndjson.gz``, one raw event a line), written in different ways (defanged, rounded to
the minute, as words, with a possessive); each mutation changes one thing.

A true statement that is not grounded is a false alarm; a false one that is not grounded is caught. Rates have 95 %
Wilson intervals; the same seed gives the same statements.
"""

import argparse
import gzip
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.grounding_cases import Case, Statement, case_of, mutations, statements
from bench.grounding_phrases import HELD_OUT, SECOND, THIRD, TUNED
from bench.grounding_written import SETS, TRUE, Written, read
from triage import parsers
from triage.contracts import Claim, ParsedEvent, Record
from triage.explainers import grounding
from triage.explainers.grounding_index import Index
from triage.learning.statistics import wilson

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "triage" / "parsers" / "golden"
RECEIVED_AT = 1_767_225_600.0
SEED, PER_SET, QUICK = 20260301, 150, 60
PHRASES = {"tuned": TUNED, "second": SECOND, "third": THIRD, "held_out": HELD_OUT}
Tally = dict[str, Counter[str]]
HERE = Path(__file__).resolve().parent


def golden_events() -> list[ParsedEvent]:
    """Return the events of the golden samples that a parser understood."""
    pairs = [pair for path in sorted(GOLDEN.glob("*.json")) for pair in json.loads(path.read_bytes())]
    events = parsers.parse([Record(pair["content"]) for pair in pairs], RECEIVED_AT, memory={})
    return [event for event in events if not event.fallback_reason]


def labelled_events(folder: Path, chance: random.Random) -> list[ParsedEvent]:
    """Return a sample of a labelled set's events."""
    with gzip.open(folder / "events.ndjson.gz", "rt", encoding="utf-8", errors="replace") as file:
        rows = [line for _, line in zip(range(20_000), file, strict=False)]
    chosen = chance.sample(rows, min(PER_SET, len(rows)))
    events = parsers.parse([Record(line) for line in chosen], RECEIVED_AT, memory={})
    return [event for event in events if not event.fallback_reason]


def verdict(case: Case, statement: Statement, whole: Index) -> Claim:
    """Return the statement as a checked claim."""
    return grounding.check_claim(Claim(statement.text, statement.cited), case.request, whole)


def measure(cases: list[Case], phrases: list[Any], chance: random.Random, shown: str) -> Tally:
    """Return kind -> counts of statements and of those that were grounded."""
    tally: Tally = defaultdict(Counter)
    for case in cases:
        whole = Index(case.request.evidence)
        for statement in statements(case, phrases):
            note(tally["true"], "true", case, statement, whole, shown)
            for kind, changed in mutations(case, statement, chance):
                note(tally[kind], kind, case, changed, whole, shown)
    return tally


def measure_written(found: list[Written], shown: str) -> Tally:
    """Return kind -> counts of written statements and of those that were grounded."""
    tally: Tally = defaultdict(Counter)
    for one in found:
        case = Case(one.request, {}, {})
        statement = Statement(one.claim.text, one.claim.evidence)
        note(tally[one.kind], one.kind, case, statement, Index(one.request.evidence), shown)
    return tally


def note(counts: Counter[str], kind: str, case: Case, statement: Statement, whole: Index, shown: str) -> None:
    claim = verdict(case, statement, whole)
    grounded = claim.status == grounding.GROUNDED
    counts["n"] += 1
    counts["grounded"] += grounded
    counts["miscited"] += claim.status == grounding.MISCITED
    if shown in {kind, "all"} and grounded != (kind == TRUE):
        print(f"  [{kind}] {statement.text}\n      {list(claim.problems)} cites {statement.cited}")


def rows(tally: Tally) -> Iterator[dict[str, Any]]:
    """Yield one row a kind, true statements first, all mutations together last."""
    together: Counter[str] = Counter()
    for kind in sorted(tally, key=lambda kind: (kind != TRUE, kind)):
        counts = tally[kind]
        yield row(kind, counts)
        if kind != TRUE:
            together.update(counts)
    yield row("all false ones", together)


def row(kind: str, counts: Counter[str]) -> dict[str, Any]:
    caught = counts["n"] - counts["grounded"]
    rate = wilson(caught, counts["n"])
    return {
        "kind": kind, "n": rate.n, "not_grounded": caught, "miscited": counts["miscited"], "rate": round(rate.value, 4),
        "low": round(rate.low, 4), "high": round(rate.high, 4),
    }  # fmt: skip


def show(name: str, found: list[dict[str, Any]]) -> None:
    print(f"\n{name}\n{'kind':18} {'n':>6} {'not grounded':>13}   share (95 % interval)")
    for one in found:
        label = "false alarms" if one["kind"] == "true" else one["kind"]
        print(
            f"{label:18} {one['n']:6} {one['not_grounded']:13}   {one['rate']:7.2%} ({one['low']:.2%} "
            f"to {one['high']:.2%})"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", nargs="*", type=Path)
    options.add_argument("--json", action="store_true")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--show", default="", help="print what went wrong of this kind (true, swap_user, ..., all)")
    options.add_argument("--only", default="", choices=["", *PHRASES, *SETS])
    given = options.parse_args()
    chance = random.Random(SEED)
    sources = {"golden samples": golden_events()}
    sources |= {folder.name: labelled_events(folder, chance) for folder in given.folders}
    result: dict[str, Any] = {}
    for title, name in SETS.items():
        if not given.only or given.only == title:
            written = read(HERE / name)
            result[f"written: {title}"] = list(rows(measure_written(written, given.show)))
            show(f"written set {title} ({len({one.alert for one in written})} alerts)", result[f"written: {title}"])
    for phrasing, phrases in PHRASES.items():
        if given.only and given.only != phrasing:
            continue
        for name, events in sources.items():
            chance = random.Random(f"{SEED} {phrasing} {name}")
            made = [case_of(event, chance) for event in (events[:QUICK] if given.quick else events)]
            found = list(rows(measure(made, phrases, chance, given.show)))
            result[f"{phrasing}: {name}"] = found
            show(f"{phrasing} phrasings, {name} ({len(made)} events)", found)
    if given.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
