"""``manage.py train``: train a candidate now and let the gate decide."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage import training


class Command(BaseCommand):
    """Train on the kept history. The first model serves at once; a later one runs in shadow until the gate decides."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--learn-flagged",
            action="store_true",
            help="also learn from events that were flagged and not judged: when what changed is usual now",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        learn_flagged = options["learn_flagged"]
        try:
            model = training.learn("asked for on the command line", self.tell, learn_flagged=learn_flagged)
        except training.NotEnoughHistoryError as error:
            raise CommandError(f"not enough history: {error}") from error
        self.stdout.write(f"{model.version}: {model.status}. {model.decision}")

    def tell(self, phase: str, detail: str) -> None:
        """Say on standard error what is being done."""
        self.stderr.write(f"{phase}: {detail}")
