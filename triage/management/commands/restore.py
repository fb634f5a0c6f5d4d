"""``manage.py restore DIR``: a fresh installation becomes what a backup holds.

Every file is held against its hash first; an installation that is in use is refused. Give it the SECRET_KEY and
AUDIT_KEY of the one that was backed up, and start it afterwards.
"""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triage.management import snapshot


class Command(BaseCommand):
    """Restore a backup into a fresh installation."""

    help = __doc__ or ""
    requires_migrations_checks = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="what manage.py backup wrote")

    def handle(self, *_: Any, directory: Path, **options: Any) -> None:
        try:
            done = snapshot.restore(directory)
        except snapshot.SnapshotError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"restored {sum(done.counts.values()):,} rows as of {done.made_at}")
        self.stdout.write("Now: manage.py verify_audit, manage.py doctor, and start it.")
