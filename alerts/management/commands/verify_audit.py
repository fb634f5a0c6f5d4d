"""``manage.py verify_audit``: is the audit trail as it was written?

Walks the chain of seals, prints one line for each entry that was changed, deleted, moved or inserted behind Winnow's
back and for an end that was cut off, and exits with 1 if there is any. The end of the chain is printed last; written
down elsewhere (paper, another host, a disk that is written once) and given back with ``--anchor``, it shows also a
database that was put back to an earlier state.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from alerts.services import sealing

LINE = re.compile(r"(\d{1,18}) ([0-9a-f]{64})\b")


class Command(BaseCommand):
    """Say which audit entries are not as they were written; exit 1 if any."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--anchor", type=Path, help="a file of earlier ends of the chain: held against it, and added to"
        )

    def handle(self, *_: Any, anchor: Path | None = None, **options: Any) -> None:
        found = sealing.examine(anchors=_anchors(anchor) if anchor else None)
        for fault in found.faults:
            place = f"link {fault.position}: " if fault.position is not None else ""
            entry = f"entry {fault.entry_id} " if fault.entry_id is not None else ""
            self.stdout.write(f"FAULT {place}{entry}{fault.what}")
        self.stdout.write(f"{found.sealed} entries examined, {len(found.faults)} faults")
        self.stdout.write(f"end of the chain: {found.position} {found.digest}")
        if found.faults:
            raise SystemExit(1)
        if anchor:
            with anchor.open("a", encoding="utf-8") as file:
                file.write(f"{found.position} {found.digest} {timezone.now():%Y-%m-%dT%H:%M:%SZ}\n")


def _anchors(path: Path) -> dict[int, str]:
    """Return the ends of the chain that a file holds; a file that is not there yet holds none."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {path}: {error}") from error
    found: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = LINE.match(line)
        if match is None:
            raise CommandError(f"{path}, line {number}: not the end of a chain as this command writes it")
        found[int(match[1])] = match[2]
    found.pop(0, None)
    return found
