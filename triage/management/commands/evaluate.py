"""``manage.py evaluate``: measure the champion on the newest events, without changing anything."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage import champion, training
from triage.learning.statistics import wilson


class Command(BaseCommand):
    """Print what share of recent events the champion flags, with its n and interval."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--events", type=int, default=20_000, help="how many of the newest events to use")

    def handle(self, *_: Any, **options: Any) -> None:
        serving = champion.current()
        if serving is None:
            raise CommandError(champion.problem() or "no champion yet: Winnow is still learning")
        events = training.collect_events(options["events"])
        if not events:
            raise CommandError("no stored events to measure on")
        scores, p_values = serving.detector.score(events)
        flagged = int(serving.detector.flag(scores, p_values).sum())
        rate = wilson(flagged, len(events))
        report = {"version": serving.version, "flag_rate": rate.value, "n": rate.n, "low": rate.low, "high": rate.high}
        self.stdout.write(json.dumps({**report, "precision": None, "recall": None}))
