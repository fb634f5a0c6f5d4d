"""``manage.py evaluate``: measure the champion on the newest events and on people's verdicts."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.selectors import labels
from triage import champion, training
from triage.learning.statistics import wilson


class Command(BaseCommand):
    """Print the flag rate and the precision, each with its n and 95 % interval; changes nothing.

    ``null`` means not measured. Recall stays unmeasured until unflagged events are audited too.
    """

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--events", type=int, default=20_000, help="how many of the newest events to use")

    def handle(self, *_: Any, **options: Any) -> None:
        serving = champion.current()
        if serving is None:
            raise CommandError(champion.problem() or "no champion yet: Winnow is still learning")
        history = training.collect_history(options["events"])
        events = history.events
        if not events:
            raise CommandError("no stored events to measure on")
        scores, p_values = serving.detector.score(events, history.windows)
        flagged = wilson(int(serving.detector.flag(scores, p_values).sum()), len(events))
        decided = labels.precision()
        report = {
            "version": serving.version,
            "flag_rate": asdict(flagged),
            "precision": None if decided is None else asdict(decided),
            "recall": None,
        }
        self.stdout.write(json.dumps(report))
