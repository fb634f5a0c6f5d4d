"""``manage.py replay ALERT_ID``: score an alert's events again with the version that flagged them."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.models import Alert
from alerts.services.replaying import ReplayError, replay


class Command(BaseCommand):
    """Print old and new score, whether they are identical, and what the champion says today."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("alert_id", type=int)
        parser.add_argument("--json", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        alert = Alert.objects.filter(pk=options["alert_id"]).first()
        if alert is None:
            raise CommandError(f"no alert {options['alert_id']}")
        try:
            result = replay(alert=alert)
        except ReplayError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        for row in result["events"]:
            self.stdout.write(
                f"event {row['event_id']}  {row['version']}: {row['old_score']!r} -> {row['new_score']!r}"
                f"  identical {str(row['identical']).lower()}  champion {row['champion_score']!r}"
                f"  difference {row['difference']!r}"
                f"{'  code changed since: ' + ', '.join(row['code_changed']) if row['code_changed'] else ''}"
            )
        self.stdout.write(f"identical {str(result['identical']).lower()}")
