"""``manage.py export_training DIR --user NAME``: what people confirmed, as rows to fine-tune a language model with."""

import argparse
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from alerts.services import training_export
from alerts.services.training_export import ExportError
from triage.models import User


class Command(BaseCommand):
    """Export confirmed explanations for fine-tuning."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("out", type=Path, help="a directory that does not exist yet, or is empty")
        parser.add_argument("--user", required=True, help="the lead or admin who exports; goes into the audit trail")

    def handle(self, *_: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"no user {options['user']}")
        try:
            done = training_export.export(out=options["out"], user=user)
        except (ExportError, PermissionDenied) as error:
            raise CommandError(str(error)) from error
        for name, rows in done.rows.items():
            self.stdout.write(f"{rows:8,}  {name}")
        for why, n in sorted(done.left_out.items()):
            if n:
                self.stdout.write(f"{n:8,}  left out: {why}")
