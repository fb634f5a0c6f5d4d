"""``manage.py rollback``: put the champion before the present one back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage import training
from triage.registry.artefact import ArtefactError


class Command(BaseCommand):
    """Serve the previous champion again; the present one is retired."""

    help = __doc__ or ""

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            model = training.rollback()
        except ArtefactError as error:
            raise CommandError(f"the previous champion is refused, the present one goes on serving: {error}") from error
        if model is None:
            raise CommandError("there is no earlier champion to go back to")
        self.stdout.write(f"champion {model.version}")
