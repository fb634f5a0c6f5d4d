"""``manage.py up``: the whole of Winnow as children of one foreground process."""

import argparse
import os
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from triage.management import supervisor, welcome


class Command(BaseCommand):
    """Migrate, start web, workers and beat, watch them, and stop them all on SIGTERM or Ctrl-C."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000, help="0 picks a free one")
        parser.add_argument("--web-workers", type=int, default=1)
        # Scoring is most of the work and keeps a core busy; more than two would starve the rest of a small machine.
        cores = min(2, os.cpu_count() or 1)
        parser.add_argument("--pipeline-workers", type=int, default=cores, help="default: one a core, at most two")
        parser.add_argument("--explain-workers", type=int, default=1)
        parser.add_argument("--welcome", action="store_true", help="make and print a login and an intake token")
        parser.add_argument("--demo", action="store_true", help="--welcome, and stream a marked sample feed")

    def handle(self, *_: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        plan = supervisor.Plan(
            host=options["host"],
            port=options["port"],
            web_workers=options["web_workers"],
            pipeline_workers=options["pipeline_workers"],
            explain_workers=options["explain_workers"],
        )
        running = supervisor.Supervisor(plan)
        running.start()
        try:
            if running.wait_until_ready():
                self.stdout.write(f"ready {running.url}")
                self.stdout.flush()
                if options["demo"] or options["welcome"]:
                    welcome.show(self.stdout, running.url, sample_feed=options["demo"])
                if options["demo"]:
                    running.add(welcome.sample_feed(running.url))
            running.watch()
        finally:
            running.stop()
