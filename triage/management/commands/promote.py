"""``manage.py promote V``: make a version the champion."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage import promotion
from triage.management.operator import at_the_shell
from triage.models import ModelVersion
from triage.registry.sealed import ArtefactError


class Command(BaseCommand):
    """Open a version's artefact and let it serve, whatever the gate has said; running workers take it up in seconds."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("version")

    def handle(self, *_: Any, **options: Any) -> None:
        model = ModelVersion.objects.filter(version=options["version"]).first()
        if model is None:
            raise CommandError(f"no version {options['version']!r}; see: manage.py models")
        try:
            by = at_the_shell()
            changed = promotion.promote(model, by=by, words=f"Promoted by {by.name}.")
        except ArtefactError as error:
            raise CommandError(f"{model.version} is refused, the champion goes on serving: {error}") from error
        self.stdout.write(f"champion {model.version}" if changed else f"champion {model.version} (as before)")
