"""``manage.py backup DIR``: the database as of now and every model version, while Winnow goes on."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage.management import snapshot


class Command(BaseCommand):
    """Write a backup into an empty directory."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="a directory that is empty or not there yet")

    def handle(self, *_: Any, directory: Path, **options: Any) -> None:
        try:
            made = snapshot.make(directory)
        except snapshot.SnapshotError as error:
            raise CommandError(str(error)) from error
        rows = sum(made.counts.values())
        self.stdout.write(f"{rows:,} rows of {len(made.counts)} tables, {made.files} files, {made.total_bytes:,} bytes")
        self.stdout.write(
            "SECRET_KEY and AUDIT_KEY are not in it: without them stored addresses of channels cannot be read"
        )
        self.stdout.write("and the audit trail cannot be verified. Keep them apart from it.")
        self.stdout.write(str(directory))
