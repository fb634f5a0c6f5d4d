"""How often does drift raise a false alarm, and how soon does it see a change? By simulation.

    python bench/drift.py [--json] [--quick]

An installation of ten sources sends blocks of 250 events, one block each every ten minutes (4,320 a month), through
the judgement that serves (:mod:`triage.learning.drift`). Stable traffic is of four sorts: independent events; day and
night, which differ in mix and in evidence; a nightly job that is half of the events for an hour; and slow weather, an
autocorrelated wandering of mix and evidence. None of them changes for good, so every alarm is false. Then a change is
planted after a week, and the events until its alarm are counted.

Printed: false alarms per month and installation with a 95 % Poisson interval (exact, Garwood 1936) and the months
simulated; per change the share of runs in which it was found within 2,000 events, with n and Wilson interval, and the
median delay.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from triage.detectors.base import P_EDGES
from triage.learning import drift
from triage.learning.drift import Block, Reference
from triage.learning.statistics import wilson

SOURCES, BLOCKS_PER_DAY, DAYS, BEFORE_DAYS, KEPT_DAYS = 10, 144, 30, 8, 14
EVENTS, COLUMNS, KINDS, BUDGET = 250, 20, 12, 0.01
LEVEL = drift.alarm_level(SOURCES * BLOCKS_PER_DAY * DAYS)
WITHIN = 2_000
#: A change that is not found by then counts as not found.
PATIENCE = 60


class Traffic:
    """The events of one source: how they are mixed and how much evidence they carry, block by block."""

    def __init__(self, sort: str, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.sort = sort
        self.mix = self.chance.dirichlet(np.full(KINDS, 0.7))
        self.other = self.chance.dirichlet(np.full(KINDS, 0.7))
        self.scale = self.chance.uniform(0.3, 1.3, COLUMNS)
        self.weather = np.zeros(KINDS + COLUMNS)
        self.number = 0

    def state(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mix of kinds and the mean evidence per column at this hour."""
        hour = self.number % BLOCKS_PER_DAY / (BLOCKS_PER_DAY / 24)
        mix, scale = self.mix, self.scale
        if self.sort == "day and night":
            day = 0.5 - 0.5 * np.cos(2 * np.pi * hour / 24)
            mix, scale = day * self.mix + (1 - day) * self.other, self.scale * (0.8 + 0.4 * day)
        if self.sort == "nightly job" and 2 <= hour < 3:
            mix, scale = 0.5 * self.mix + 0.5 * self.other, self.scale * 1.3
        if self.sort == "slow weather":
            # A mean-reverting walk that forgets in about half a day.
            self.weather = 0.985 * self.weather + self.chance.normal(0, 0.05, len(self.weather))
            wild = self.mix * np.exp(self.weather[:KINDS])
            mix, scale = wild / wild.sum(), self.scale * np.exp(self.weather[KINDS:])
        return mix, scale

    def block(self, change: Callable[[Any], None] | None = None) -> Block:
        """Return the next block, changed if asked."""
        mix, scale = self.state()
        self.number += 1
        now = {"mix": mix.copy(), "scale": scale.copy(), "low_p": 0.0, "flagged": BUDGET, "new": 0.0}
        if change is not None:
            change(now)
        counts = self.chance.multinomial(EVENTS, now["mix"] * (1 - now["new"]))
        kinds = {f"kind-{number}": int(count) for number, count in enumerate(counts) if count}
        if now["new"]:
            kinds["new"] = EVENTS - int(counts.sum())
        evidence = self.chance.gamma(EVENTS, now["scale"])  # a sum of exponentials
        p_values = self.chance.uniform(0, 1, EVENTS)
        low = self.chance.uniform(0, 1, EVENTS) < now["low_p"]
        p_values[low] *= 0.1
        classes = np.searchsorted(P_EDGES, p_values, side="left")
        flagged = int(self.chance.binomial(EVENTS, now["flagged"]))
        p_counts = tuple(np.bincount(classes, minlength=len(P_EDGES)).tolist())
        sums = {f"column-{number}": float(value) for number, value in enumerate(evidence)}
        return Block(EVENTS, flagged, p_counts, kinds, sums)


def new_kind(now: Any) -> None:
    """A kind of event never seen takes a fifth of the mix."""
    now["new"] = 0.2


def vanished(now: Any) -> None:
    """The most frequent kind stops coming."""
    now["mix"][int(np.argmax(now["mix"]))] = 0.0
    now["mix"] /= now["mix"].sum()


def broken_field(now: Any) -> None:
    """A field is renamed in a third of the events: two columns of evidence rise from 1 to about 2 there."""
    now["scale"][:2] += 0.7


def new_values(now: Any) -> None:
    """Every column carries a quarter more evidence: new hosts, new users."""
    now["scale"] *= 1.25


def odd_scores(now: Any) -> None:
    """Every tenth event has a p-value below 0.1 that had none."""
    now["low_p"] = 0.1


def more_alerts(factor: float) -> Callable[[Any], None]:
    """So many times as many events are flagged."""

    def change(now: Any) -> None:
        now["flagged"] = BUDGET * factor

    return change


STABLE = ("independent", "day and night", "nightly job", "slow weather")
CHANGES: dict[str, Callable[[Any], None]] = {
    "a new kind, 20 % of events": new_kind,
    "the most frequent kind vanishes": vanished,
    "a field renamed in a third of events": broken_field,
    "all evidence up by a quarter": new_values,
    "p below 0.1 for a tenth more events": odd_scores,
    "three times as many flagged": more_alerts(3),
    "ten times as many flagged": more_alerts(10),
}


def judged(
    traffic: Traffic, blocks: int, change: Callable[[Any], None] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(number of the block, aspects that raise an alarm)`` after a week; each day has its own reference."""
    past = [traffic.block() for _ in range(BEFORE_DAYS * BLOCKS_PER_DAY)]
    before: dict[str, float] = {}
    for number in range(blocks):
        if number % BLOCKS_PER_DAY == 0:
            old = past[-KEPT_DAYS * BLOCKS_PER_DAY : len(past) - BLOCKS_PER_DAY]
            reference = Reference(old, np.arange(len(old)) / BLOCKS_PER_DAY)
        block = traffic.block(change)
        past.append(block)
        found = reference.judge(block, before)
        levels = {aspect: reference.level(aspect, LEVEL) or float("inf") for aspect in found}
        raised = [aspect for aspect, one in found.items() if one.evidence >= levels[aspect]]
        before = {aspect: 0.0 if aspect in raised else one.evidence for aspect, one in found.items()}
        yield number, raised


def false_alarms(sort: str, months: float) -> dict[str, Any]:
    """Return the false alarms of stable traffic, with the interval of their rate."""
    count, aspects = 0, dict.fromkeys(drift.ASPECTS, 0)
    for seed in range(round(SOURCES * months)):
        # After an alarm nobody looks: it is counted once per source and aspect, as the open alarm is one.
        seen: set[str] = set()
        for _, raised in judged(Traffic(sort, seed), BLOCKS_PER_DAY * DAYS):
            seen.update(raised)
        count += len(seen)
        for aspect in seen:
            aspects[aspect] += 1
    low = float(chi2.ppf(0.025, 2 * count) / 2) if count else 0.0
    high = float(chi2.ppf(0.975, 2 * count + 2) / 2)
    return {
        "traffic": sort, "months": months, "alarms": count, "per_month": count / months,
        "low": low / months, "high": high / months, "by_aspect": aspects,
    }  # fmt: skip


def delays(name: str, sorts: tuple[str, ...], runs: int) -> dict[str, Any]:
    """Return how soon a planted change is found, over runs of these sorts of stable traffic in turn."""
    found: list[float] = []
    for seed in range(runs):
        traffic = Traffic(sorts[seed % len(sorts)], 10_000 + seed)
        first = next((n for n, raised in judged(traffic, PATIENCE, CHANGES[name]) if raised), None)
        found.append(float("inf") if first is None else (first + 1) * EVENTS)
    rate = wilson(sum(delay <= WITHIN for delay in found), runs)
    median = float(np.median(found))
    return {
        "change": name, "traffic": list(sorts), "found": rate.value, "low": rate.low, "high": rate.high, "n": runs,
        "median_events": None if median == float("inf") else median,
    }  # fmt: skip


def main() -> None:
    """Simulate and print."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--json", action="store_true")
    command.add_argument("--quick", action="store_true", help="a tenth of it")
    asked = command.parse_args()
    months, runs = (0.2, 12) if asked.quick else (2, 100)
    print(f"{SOURCES} sources, a block of {EVENTS} events each every ten minutes, alarm level {LEVEL:,.0f}")
    stable = []
    for sort in STABLE:
        stable.append(false_alarms(sort, months))
        row = stable[-1]
        print(
            f"  stable, {sort:15} {row['alarms']:3} false alarms in {months} months: {row['per_month']:.2f} a month"
            f" [{row['low']:.2f}, {row['high']:.2f}]  {row['by_aspect']}"
        )
    planted = []
    for name, sorts in ((name, sorts) for sorts in (STABLE[:3], STABLE[3:]) for name in CHANGES):
        planted.append(delays(name, sorts, runs if len(sorts) > 1 else runs // 3))
        row = planted[-1]
        median = "not found" if row["median_events"] is None else f"{row['median_events']:,.0f} events"
        where = "" if len(sorts) > 1 else "in slow weather "
        interval = f"[{row['low']:.3f}, {row['high']:.3f}] n={row['n']}"
        print(f"  {name:38} {where}within {WITHIN:,} events {row['found']:.3f} {interval}, median {median}")
    if asked.json:
        print(json.dumps({"alarm_level": LEVEL, "stable": stable, "planted": planted}))


if __name__ == "__main__":
    main()
