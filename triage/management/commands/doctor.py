"""``manage.py doctor``: check everything a deployment needs; each failing line carries its fix."""

from typing import Any

from django.core.management.base import BaseCommand

from triage.management import diagnosis


class Command(BaseCommand):
    """Print one line per check; exit 1 if any fails."""

    help = __doc__ or ""

    def handle(self, *_: Any, **options: Any) -> None:
        findings = diagnosis.examine()
        for finding in findings:
            mark = "FAIL" if not finding.healthy else "warn" if finding.warning else "ok  "
            self.stdout.write(f"{mark} {finding.name}: {finding.detail}")
            if not finding.healthy or finding.warning:
                self.stdout.write(f"     fix: {finding.fix}")
        if not all(finding.healthy for finding in findings):
            raise SystemExit(1)
