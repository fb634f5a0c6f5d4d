"""Do as many alerts come as were forecast? On the days after the ones a forecast rests on.

    python bench/budget.py [DIR ...] [--json] [--days N]

Without a DIR the traffic is the invented company of ``bench/company``: a month of ordinary records by the clock, the
first ten days learned, seven days of history, five days counted. A DIR is a labelled set (see ``bench/quality.py``);
its test part is cut into equal parts that stand for days, half of them history. Only benign events are counted there:
an attack that comes is no fault of a forecast. For each wish: alerts a day forecast with the 95 % interval, alerts a
day that came (groups of events by fingerprint), and their ratio. ``once`` keeps the first threshold; ``daily``
forecasts anew before each day from the days before it, as Winnow does.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from alerts import grouping
from bench import quality
from bench.company.stream import Stream
from bench.rank import flagged_event
from triage import detectors, parsers
from triage.contracts import Envelope, ParsedEvent, Record
from triage.learning import budget

WISHES = (5, 20, 50, 150)
MAX_P = 0.1
#: The company: records a day, days in all, days learned and days of history.
RECORDS, DAYS, LEARNED, HISTORY = 3_000, 22, 10, 7
NOW = 1_780_000_000.0
Day = list[float]


def day_scores(events: list[ParsedEvent], scores: np.ndarray, p_values: np.ndarray) -> Day:
    """Return the highest score of every group of events that would be one alert."""
    highest: dict[str, float] = {}
    for place in np.flatnonzero(p_values <= MAX_P).tolist():
        mark = grouping.fingerprint(flagged_event(events[place], float(p_values[place])))
        highest[mark] = max(highest.get(mark, 0.0), float(scores[place]))
    return sorted(highest.values(), reverse=True)


def company_days() -> tuple[list[ParsedEvent], list[list[ParsedEvent]]]:
    """Return the events that are learned, and the later ones day by day."""
    messages = Stream(7).history(now=NOW, count=RECORDS * DAYS)
    records = [Record(message.content, Envelope(time=message.time, host=message.host)) for message in messages]
    memory: dict[str, str] = {}
    batches = (records[i : i + quality.BATCH] for i in range(0, len(records), quality.BATCH))
    events = [event for batch in batches for event in parsers.parse(batch, NOW, memory=memory)]
    first = messages[0].time
    length = (messages[-1].time - first) / DAYS
    days: list[list[ParsedEvent]] = [[] for _ in range(DAYS)]
    for message, event in zip(messages, events, strict=True):
        days[min(int((message.time - first) / length), DAYS - 1)].append(event)
    return [event for day in days[:LEARNED] for event in day], days[LEARNED:]


def set_days(folder: Path, parts: int) -> tuple[list[ParsedEvent], list[list[ParsedEvent]]]:
    """Return a labelled set's history, and the benign events of its test part in equal parts."""
    history, later, _, rows = quality.read(folder, 0.01)
    benign = [event for event, row in zip(later, rows, strict=True) if row["label"] == "0"]
    edges = [len(benign) * part // parts for part in range(parts + 1)]
    return history, [benign[edges[part] : edges[part + 1]] for part in range(parts)]


def measure(name: str, learned: list[ParsedEvent], days: list[list[ParsedEvent]], known: int) -> dict[str, Any]:
    """Return forecast and reality for each wish; the first ``known`` days are the history."""
    detector = detectors.get(detectors.DEFAULT)().fit(learned, alert_budget=0.01, random_state=0)
    scored = [day_scores(day, *detector.score(day)) for day in days]
    rows = []
    for wish in WISHES:
        threshold = budget.threshold_for(scored[:known], wish)
        forecast = budget.alerts_per_day(scored[:known], threshold)
        if forecast.value < wish / 2:
            continue  # there is not that much to flag
        once = [count(day, threshold) for day in scored[known:]]
        daily = [
            count(scored[place], budget.threshold_for(scored[place - known : place], wish))
            for place in range(known, len(scored))
        ]
        rows.append(
            {
                "wish": wish, "forecast": forecast.value, "low": forecast.low, "high": forecast.high,
                "once": float(np.mean(once)), "daily": float(np.mean(daily)), "days": len(once),
            }
        )  # fmt: skip
    return {"set": name, "history_days": known, "rows": rows}


def count(day: Day, threshold: float) -> int:
    """Return the alerts of a day above a threshold."""
    return sum(score > threshold for score in day)


def show(found: dict[str, Any]) -> None:
    """Print one set for people."""
    print(f"\n{found['set']}: {found['history_days']} days of history")
    for row in found["rows"]:
        print(
            f"  wish {row['wish']:4}: forecast {row['forecast']:6.1f} [{row['low']:.1f}, {row['high']:.1f}] a day;"
            f" came {row['once']:6.1f} (ratio {row['once'] / row['forecast']:.2f}) with one threshold,"
            f" {row['daily']:6.1f} (ratio {row['daily'] / row['forecast']:.2f}) forecast daily, n={row['days']} days"
        )
    if not found["rows"]:
        print("  too few groups of events for any wish")


def main() -> None:
    """Measure the company, or the sets that are named."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("sets", nargs="*", type=Path, metavar="DIR")
    command.add_argument("--days", type=int, default=14)
    command.add_argument("--json", action="store_true")
    asked = command.parse_args()
    every, began = [], time.monotonic()
    if not asked.sets:
        every.append(measure("company", *company_days(), known=HISTORY))
        show(every[-1])
    for folder in asked.sets:
        every.append(measure(folder.name, *set_days(folder, asked.days), known=asked.days // 2))
        show(every[-1])
    print(f"\n{time.monotonic() - began:.0f} s")
    if asked.json:
        print(json.dumps(every))


if __name__ == "__main__":
    main()
