"""``manage.py models``: list model versions."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from triage import shadow_figures
from triage.models import ModelVersion


def described(model: ModelVersion) -> dict[str, Any]:
    """Return one version as plain values."""
    return {
        "version": model.version,
        "detector": model.detector,
        "status": model.status,
        "trained_at": model.trained_at.isoformat(),
        "promoted_at": model.promoted_at.isoformat() if model.promoted_at else None,
        "artefact_sha256": model.artefact_sha256,
        "decision": model.decision,
        "metrics": model.metrics,
        "shadow": shadow_figures.report(model),
        "label_set": model.manifest.get("label_set"),
    }


class Command(BaseCommand):
    """List versions, newest first."""

    help = __doc__ or ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        listed = [described(model) for model in ModelVersion.objects.order_by("-trained_at")]
        if options["json"]:
            self.stdout.write(json.dumps(listed))
            return
        if not listed:
            self.stdout.write("no model yet: Winnow is still learning")
        for model in listed:
            self.stdout.write(f"{model['version']}  {model['status']:<10}{model['detector']}  {model['decision']}")
