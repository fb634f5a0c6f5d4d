"""``manage.py budget``: what the alerts of a day cost and find, at the threshold that wishes lead to."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from alerts.selectors import budget as words
from alerts.services import budget
from triage.learning.budget import Wishes
from triage.management.operator import at_the_shell

DEFAULT_MINUTES = 5.0


class Command(BaseCommand):
    """Forecast alerts a day, precision and recall; with --apply the threshold counts from now on."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--alerts-per-day", type=positive, help="default: ALERT_BUDGET_PER_DAY")
        parser.add_argument("--hours", type=positive, help="analysts' hours a day")
        parser.add_argument("--usd", type=positive, help="USD a day for explanations")
        parser.add_argument("--minutes-per-alert", type=positive, help="default: as measured, else 5")
        parser.add_argument("--usd-per-alert", type=positive, help="what explaining one alert costs")
        parser.add_argument(
            "--false-discoveries", type=share, metavar="Q", help="instead: at most this share of usual events"
        )
        parser.add_argument("--apply", action="store_true", help="let the threshold count")
        parser.add_argument("--json", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        usual = budget.usual_minutes()
        minutes = options["minutes_per_alert"] or (usual.value if usual else DEFAULT_MINUTES)
        named = any(options[name] for name in ("alerts_per_day", "hours", "usd", "false_discoveries"))
        wishes = Wishes(
            alerts_per_day=options["alerts_per_day"] if named else float(settings.ALERT_BUDGET_PER_DAY),
            hours_per_day=options["hours"],
            usd_per_day=options["usd"],
            minutes_per_alert=max(minutes, 0.1),
            usd_per_alert=options["usd_per_alert"],
            false_discoveries=options["false_discoveries"],
        )
        try:
            found = budget.forecast(wishes=wishes)
            policy = budget.apply(found=found, by=at_the_shell().name) if options["apply"] else None
        except (budget.NoHistoryError, ValueError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found) | {"applied": policy is not None}))
            return
        for sentence in words.sentences(found):
            self.stdout.write(sentence)
        if not options["minutes_per_alert"]:
            self.stdout.write(f"Minutes per alert: {'median of ' + str(usual.n) + ' alerts' if usual else 'assumed'}.")
        if options["usd"] and not options["usd_per_alert"]:
            self.stdout.write("USD did not limit anything: say with --usd-per-alert what an explanation costs.")
        self.stdout.write(
            "Applied: it counts from now on." if policy else "Nothing was changed; --apply lets it count."
        )


def positive(text: str) -> float:
    """Return a number above zero."""
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return value


def share(text: str) -> float:
    """Return a number between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return value
