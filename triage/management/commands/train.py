"""``manage.py train``: train a candidate now and let the gate decide."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage import training


class Command(BaseCommand):
    """Train on the kept history; the new version serves only if the gate says so."""

    help = __doc__ or ""

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            model = training.learn("asked for on the command line")
        except training.NotEnoughHistoryError as error:
            raise CommandError(f"not enough history: {error}") from error
        self.stdout.write(f"{model.version}: {model.status}. {model.decision}")
