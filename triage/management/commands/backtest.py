"""``manage.py backtest EVENTS --train-count N --scores OUT.csv [--budget R]``: score a file without a database.

Handed: raw events, one JSON object a line (plain or .gz). Hands on: ``idx,score,flagged,reason`` for every
event after the first N, in file order, and the rates of each stage.
"""

import csv
import gzip
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from django.core.management.base import BaseCommand, CommandError

from triage import detectors, parsers
from triage.contracts import ParsedEvent, Record
from triage.features.windows import Windows

BATCH = 2_000
RECEIVED_AT = 1_893_456_000.0  # 2030-01-01: after every event of any file, and the same on every run
RANDOM_STATE = 0


class Command(BaseCommand):
    help = "Fit on the first N records of a file, score the rest, write idx,score,flagged,reason. Uses no database."
    requires_system_checks: tuple[str, ...] = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("events", type=Path, help="newline-delimited JSON, plain or .gz")
        parser.add_argument("--train-count", type=int, required=True, help="how many records from the start to learn")
        parser.add_argument("--scores", type=Path, required=True, help="the CSV to write")
        parser.add_argument("--budget", type=float, default=0.01, help="share of events to flag (default 0.01)")
        parser.add_argument("--detector", default=detectors.DEFAULT)

    def handle(self, *args: Any, **options: Any) -> None:
        train_count, budget = options["train_count"], options["budget"]
        if not 0 < budget < 1:
            raise CommandError("--budget is a share between 0 and 1")
        records = read_records(options["events"])
        if not 0 < train_count < len(records):
            raise CommandError(
                f"--train-count must lie between 1 and {len(records) - 1:,}, the file's records less one"
            )
        started = time.perf_counter()
        events = parse_all(records)
        self.say("parse", len(events), started)
        started = time.perf_counter()
        windows = Windows().observe(events)
        self.say("windows", len(events), started)
        started = time.perf_counter()
        try:
            detector = detectors.get(options["detector"])().fit(
                events[:train_count],
                alert_budget=budget,
                random_state=RANDOM_STATE,
                windows=windows[:train_count],
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.say("fit", train_count, started)
        later, around = events[train_count:], windows[train_count:]
        started = time.perf_counter()
        parts = [detector.score(later[i : i + BATCH], around[i : i + BATCH]) for i in range(0, len(later), BATCH)]
        self.say("score", len(later), started)
        scores = np.concatenate([part[0] for part in parts])
        flags = detector.flag(scores, np.concatenate([part[1] for part in parts]))
        started = time.perf_counter()
        flagged = np.flatnonzero(flags)
        reasons = explain_all(detector, later, around, flagged)
        if len(flagged):
            self.say("explain", len(flagged), started)
        write_scores(options["scores"], train_count, scores, flags, reasons)
        share = len(flagged) / len(later)
        self.stdout.write(f"flagged {len(flagged):,} of {len(later):,} events ({share:.2%}), budget {budget:.2%}")

    def say(self, stage: str, n: int, started: float) -> None:
        """Print a stage's rate."""
        seconds = max(time.perf_counter() - started, 1e-9)
        self.stdout.write(f"{stage:8s} {n:9,} events  {seconds:8.2f} s  {n / seconds:10,.0f} events/s")


def read_records(path: Path) -> list[Record]:
    """Return one record per line; a line that is not a JSON object is kept as text."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            lines = file.read().split(b"\n")
    except (OSError, EOFError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    if lines and not lines[-1]:
        lines.pop()
    return [to_record(line) for line in lines]


def to_record(line: bytes) -> Record:
    """Return the record of one line."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Record(line.decode("utf-8", "replace"))
    return Record(content if isinstance(content, dict) else line.decode("utf-8", "replace"))


def parse_all(records: Sequence[Record]) -> list[ParsedEvent]:
    """Return the events of records, through the same door as the pipeline."""
    memory: dict[str, str] = {}
    events: list[ParsedEvent] = []
    for i in range(0, len(records), BATCH):
        events.extend(parsers.parse(records[i : i + BATCH], RECEIVED_AT, memory=memory))
    return events


def explain_all(
    detector: Any, events: Sequence[ParsedEvent], windows: np.ndarray, places: np.ndarray
) -> dict[int, str]:
    """Return the first reason of each flagged event by its place."""
    found: dict[int, str] = {}
    for i in range(0, len(places), BATCH):
        part = places[i : i + BATCH].tolist()
        for place, reasons in zip(part, detector.explain([events[p] for p in part], windows[part]), strict=True):
            found[place] = reasons[0].text if reasons else ""
    return found


def write_scores(path: Path, first: int, scores: np.ndarray, flags: np.ndarray, reasons: dict[int, str]) -> None:
    """Write the CSV; scores in full precision."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["idx", "score", "flagged", "reason"])
        for i, (score, flag) in enumerate(zip(scores.tolist(), flags.tolist(), strict=True)):
            writer.writerow([first + i, repr(score), int(flag), reasons.get(i, "")])
