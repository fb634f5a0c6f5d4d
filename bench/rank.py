"""What do verdicts buy? The order of alerts before and after learning from 50, 200 and 1,000 of them, on labelled logs.

    python bench/rank.py DIR ... [--json] [--budget R] [--verdicts N ...] [--rare] [--strangers]
                         [--starts N]

The detector learns the train part of a set (see ``bench/quality.py``) and flags the test part with a generous budget
(default 5 %), so that harmless events are among what it flags. Flagged events become alerts as in Winnow (one open
alert per fingerprint; it is decided, and closed, when a fiftieth of the test part has passed since it opened). The
labels play the analyst: the first N alerts are judged, true when one of their events is an attack. Every later one is
then ranked by P(worth an analyst's time), by severity and score (``before``), and by severity and newest first, as the
queue does without a ranking (``queue``). ``other incidents`` leaves out what was judged in part (of attacks the
incident the set names, else and of harmless ones the fingerprint), so nothing is recognised there; ``all later``
keeps them. Intervals are 95 %, bootstrapped over these incidents. A ranking that Winnow would not use is measured too,
and marked. ``--rare`` keeps of the test part what a set marks as its sample with few attacks (a column ``in_1pct`` or
``in_5pct``). ``--strangers`` gives every kind of alert an entity of its own: what is left when no user, host or address
is ever met again. ``--starts`` lets the first verdict be given at so many places of the stream instead of at its
beginning only, and prints how the gain on other incidents is spread.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from alerts import grouping, hints
from bench import quality
from triage import detectors, ecs
from triage.contracts import ParsedEvent
from triage.learning import ranking, ranking_measure
from triage.learning.ranking import Decided
from triage.learning.ranking_facts import AlertFacts

VERDICTS = (50, 200, 1_000)
#: An alert is open for this share of the test part.
OPEN_SHARE = 1 / 50
#: The bench's clock: one event a second.
START = 1_893_456_000.0
CELLS = ("queue", "before", "after", "gain")
#: What a spread needs of later alerts: so many after the last start, and so many of either class.
MIN_LATER, MIN_OF_A_CLASS = 60, 3
RARE = ("in_1pct", "in_5pct")


@dataclass(slots=True)
class Bundle:
    """An alert that is being put together: its first place in the test part, and its members."""

    opened: int
    flagged: grouping.FlaggedEvent
    members: list[int] = field(default_factory=list)


def flagged_event(event: ParsedEvent, p_value: float) -> grouping.FlaggedEvent:
    fields = event.fields
    text = {name: str(fields.get(name) or "") for name in ("event.action", "event.code", "event.outcome", "host.name",
                                                           "user.name", "source.ip", "process.name")}  # fmt: skip
    category = fields.get("event.category") or ""
    return grouping.FlaggedEvent(
        source_id=1, parser=event.parser, entity=ecs.entity(fields), message=event.message,
        category=str(category[0] if isinstance(category, list) and category else category),
        action=text["event.action"], code=text["event.code"], outcome=text["event.outcome"],
        host_name=text["host.name"], user_name=text["user.name"], source_ip=text["source.ip"],
        process_name=text["process.name"], p_value=p_value, fields=fields,
    )  # fmt: skip


def bundle(events: list[ParsedEvent], flagged: np.ndarray, p_values: np.ndarray) -> list[Bundle]:
    """Return the alerts of flagged events, in order of arrival."""
    patience = max(1, int(len(events) * OPEN_SHARE))
    found: list[Bundle] = []
    opened: dict[str, Bundle] = {}
    for place in np.flatnonzero(flagged).tolist():
        described = flagged_event(events[place], float(p_values[place]))
        mark = grouping.fingerprint(described)
        if mark not in opened or place - opened[mark].opened > patience:
            opened[mark] = Bundle(place, described)
            found.append(opened[mark])
        opened[mark].members.append(place)
    return found


def facts_of(
    one: Bundle, events: list[ParsedEvent], scores: np.ndarray, p_values: np.ndarray, reasons: dict[int, Any]
) -> AlertFacts:
    top = max(one.members, key=lambda place: (scores[place], -place))
    found = [hints.hints(one.flagged, count=len(one.members))]
    severity = grouping.highest(
        [grouping.band(float(p_values[top])), *(hint.severity for each in found for hint in each)]
    )
    return AlertFacts(
        fingerprint=grouping.fingerprint(one.flagged), template=grouping.template(one.flagged),
        entity=one.flagged.entity, source="1", parser=one.flagged.parser, category=one.flagged.category,
        action=one.flagged.action, code=one.flagged.code, severity_rank=grouping.rank(severity),
        score=float(scores[top]), p_value=float(p_values[top]), event_count=len(one.members),
        techniques=len(hints.technique_ids(found[0])), reasons=reasons[top],
        seen_at=events[one.opened].timestamp, arrived_at=START + one.opened,
    )  # fmt: skip


def thinned(later: list[ParsedEvent], rows: list[quality.Row]) -> tuple[list[ParsedEvent], list[quality.Row]]:
    """Return the sample with few attacks, or everything where a set has none."""
    column = next((name for name in RARE if name in rows[0]), "")
    kept = [place for place, row in enumerate(rows) if not column or row[column] == "1"]
    return [later[place] for place in kept], [rows[place] for place in kept]


def estranged(one: Decided) -> Decided:
    """Return an alert whose entity no other kind of alert has."""
    kind = one.facts.entity.partition(":")[0]
    return replace(one, facts=replace(one.facts, entity=f"{kind}:{one.facts.fingerprint}" if kind else ""))


def alerts_of(folder: Path, budget: float, rare: bool) -> tuple[list[Decided], list[str]]:
    """Return every alert of a set with the verdict its labels give, and what its incident is called."""
    history, later, _, rows = quality.read(folder, 0.01)
    later, rows = thinned(later, rows) if rare else (later, rows)
    detector = detectors.get(detectors.DEFAULT)().fit(history, alert_budget=budget, random_state=0)
    parts = [detector.score(later[i : i + quality.BATCH]) for i in range(0, len(later), quality.BATCH)]
    scores, p_values = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    label = np.array([int(row["label"]) for row in rows])
    bundles = bundle(later, detector.flag(scores, p_values) & (label >= 0), p_values)
    tops = [max(one.members, key=lambda place: (scores[place], -place)) for one in bundles]
    reasons = dict(zip(tops, detector.explain([later[place] for place in tops]), strict=True))
    columns = next((names for names in quality.INCIDENTS if all(name in rows[0] for name in names)), ())
    decided, names = [], []
    for one in bundles:
        facts = facts_of(one, later, scores, p_values, reasons)
        attacks = [place for place in one.members if label[place] == 1]
        decided.append(Decided(facts, int(bool(attacks)), START + one.opened + len(later) * OPEN_SHARE))
        incident = "/".join(rows[attacks[0]][name] for name in columns) if attacks and columns else ""
        names.append(incident or facts.fingerprint)
    return decided, names


def compare(decided: list[Decided], names: list[str], n_verdicts: int) -> dict[str, Any]:
    """Judge the first alerts, rank the later ones."""
    taught, began = decided[:n_verdicts], max((one.decided_at for one in decided[:n_verdicts]), default=0.0)
    outcome = ranking.fit_ranker(taught, random_state=0)
    found: dict[str, Any] = {"verdicts": len(taught), "true": sum(one.label for one in taught)}
    if len(taught) < n_verdicts:
        return found | {"refusal": f"there are only {len(decided)} alerts in all"}
    kind = outcome.report.get("kind")
    if outcome.ranker is None and not kind:
        return found | {"refusal": outcome.refusal}
    # What is not used is measured too, so that it shows whether that was right.
    ranker = outcome.ranker or ranking.learn(taught, kind, 1.0, 0.0, 0)
    judged = set(names[:n_verdicts])
    later = [i for i in range(n_verdicts, len(decided)) if decided[i].facts.arrived_at > began]
    found |= {"kind": kind, "not_used": outcome.refusal, "words": outcome.report["words"]}
    for name, places in (("other incidents", [i for i in later if names[i] not in judged]), ("all later", later)):
        found[name] = orders(ranker, [decided[i] for i in places], [names[i] for i in places])
    return found


def orders(ranker: ranking.Ranker, later: list[Decided], names: list[str]) -> dict[str, Any]:
    """Return the average precision of both orders, with intervals over incidents."""
    truth = np.array([one.label for one in later])
    found: dict[str, Any] = {"n": len(truth), "true": int(truth.sum()), "incidents": len(set(names))}
    if not 0 < truth.sum() < len(truth):
        return found | {"refusal": "the later alerts are all of one kind"}
    facts = [one.facts for one in later]
    after, before = ranker.probability(facts), ranking.present_order(facts)
    queue = np.array([one.severity_rank * 1e12 + one.arrived_at for one in facts])
    draws = ranking_measure.resampled(np.array(names), truth, 0)
    both = ranking_measure.precision_intervals(truth, {"queue": queue, "before": before, "after": after}, draws)
    gain = ranking_measure.precision_difference(truth, after, before, draws)
    figures = {name: figure.as_dict() for name, figure in (both | {"gain": gain}).items()}
    return found | figures | {"brier": round(ranking_measure.brier(after, truth), 4)}


def measure(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one set."""
    decided, names = alerts_of(folder, asked.budget, asked.rare)
    decided = [estranged(one) for one in decided] if asked.strangers else decided
    true = sum(one.label for one in decided)
    found: dict[str, Any] = {"set": folder.name, "alerts": len(decided), "true": true}
    found["runs"] = [compare(decided, names, n) for n in asked.verdicts]
    if asked.starts > 1:
        found["spread"] = [spread(decided, names, n, asked.starts) for n in asked.verdicts]
    return found


def spread(decided: list[Decided], names: list[str], n_verdicts: int, starts: int) -> dict[str, Any]:
    """Return the gains on other incidents when the verdicts begin at several places of the stream."""
    places = np.linspace(0, max(0, len(decided) - n_verdicts - MIN_LATER), starts).astype(int)
    runs = [compare(decided[place:], names[place:], n_verdicts) for place in dict.fromkeys(places.tolist())]
    measured = [run for run in runs if run.get("other incidents", {}).get("true", 0) >= MIN_OF_A_CLASS]
    measured = [
        run for run in measured if run["other incidents"]["n"] - run["other incidents"]["true"] >= MIN_OF_A_CLASS
    ]
    used = [run["other incidents"]["gain"]["value"] for run in measured if not run["not_used"]]
    unused = [run["other incidents"]["gain"]["value"] for run in measured if run["not_used"]]
    return {"verdicts": n_verdicts, "starts": len(runs), "used": sorted(used), "not_used": sorted(unused)}


def show(found: dict[str, Any]) -> None:
    """Print one set for people."""
    print(f"\n{found['set']}: {found['alerts']:,} alerts, {found['true']:,} with an attack in them")
    for run in found["runs"]:
        head = f"  {run['verdicts']:>5} verdicts, {run['true']} true: "
        if "refusal" in run:
            print(head + run["refusal"])
            continue
        print(head + run["kind"] + (f" ({run['not_used']})" if run["not_used"] else ""))
        for name in ("other incidents", "all later"):
            part = run[name]
            size = f"    {name:16} n={part['n']:,}, true {part['true']:,}, incidents {part['incidents']:,}: "
            if "refusal" in part:
                print(size + part["refusal"])
                continue
            cells = [f"{key} {part[key]['value']:.3f} [{part[key]['low']}, {part[key]['high']}]" for key in CELLS]
            print(size + "; ".join(cells))
    for run in found.get("spread", []):
        gains = {key: " ".join(f"{gain:+.3f}" for gain in run[key]) or "none" for key in ("used", "not_used")}
        print(f"  {run['verdicts']:>5} verdicts from {run['starts']} places, gain when used: {gains['used']}")
        print(f"        when not used: {gains['not_used']}")


def main() -> None:
    """Measure each set."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="+", type=Path, metavar="DIR")
    command.add_argument("--budget", type=float, default=0.05)
    command.add_argument("--verdicts", type=int, nargs="+", default=list(VERDICTS))
    command.add_argument("--starts", type=int, default=1)
    command.add_argument("--rare", action="store_true")
    command.add_argument("--strangers", action="store_true")
    command.add_argument("--json", action="store_true")
    asked = command.parse_args()
    every = []
    for folder in asked.sets:
        every.append(measure(folder, asked))
        show(every[-1])
    if asked.json:
        print(json.dumps(every))


if __name__ == "__main__":
    main()
