"""``manage.py rank``: learn from people's verdicts which alerts are worth their time, and order the queue by it."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from alerts.services import ranking


class Command(BaseCommand):
    """Learn now, print what was measured in words, and rank the open alerts; nothing is hidden or closed."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        learned = ranking.learn()
        ranked = ranking.settle()
        if options["json"]:
            model = learned.model
            about = {"ranking": model.pk if model else None, "status": model.status if model else "not yet"}
            about |= {"sha256": model.state_sha256 if model else "", "ranked": ranked}
            self.stdout.write(json.dumps(about | {"report": learned.outcome.report}))
            return
        for sentence in learned.words:
            self.stdout.write(sentence)
        self.stdout.write(f"{ranked:,} open alerts put into order.")
