"""``manage.py drain``: wait until every accepted record is stored and grouped."""

import argparse
import json
import time
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand

from triage import store, tasks


class Command(BaseCommand):
    """Wait for the pipeline; print one JSON line of counts; exit 1 on time-out."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--timeout", type=float, default=300.0, help="seconds")

    def handle(self, *_: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["timeout"]
        drained = is_drained()
        while not drained and time.monotonic() < deadline:
            if store.backlog_records():
                tasks.send("pipeline", tasks.process_pending.name)
            time.sleep(0.1)
            drained = is_drained()
        self.stdout.write(json.dumps(counts()))
        if not drained:
            self.stderr.write(f"timed out: {store.backlog_records()} records are still waiting")
            raise SystemExit(1)


def is_drained() -> bool:
    """Return whether nothing waits for storing, late scoring or grouping."""
    return not (store.backlog_records() or store.unscored_exist() or store.ungrouped_exist())


def counts() -> dict[str, int]:
    """Return the counts of every stage."""
    stages = store.stage_counts()
    names = ("accepted", "events", "flagged", "quarantined")
    return {**{name: stages[name] for name in names}, "alerts": apps.get_model("alerts.Alert").objects.count()}
