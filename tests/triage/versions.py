"""Stored model versions without training each anew: one small detector, fitted once, in as many folders as wanted."""

import datetime as dt
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils import timezone

from triage.contracts import ParsedEvent
from triage.detectors.baseline_forest import BaselineForest
from triage.models import ModelVersion
from triage.registry import artefact

METRICS = {
    "alert_budget": 0.01,
    "n_calibration": 400,
    "flag_rate": {"value": 0.01, "n": 1000, "low": 0.005, "high": 0.018},
    "p_value_validity": [],
}


@lru_cache(maxsize=1)
def fitted() -> BaselineForest:
    """Return a detector that knows three users."""
    events = [
        ParsedEvent(1.7e9 + i, "event", "ecs_json", "", {"user.name": "abc"[i % 3], "bytes": i * 37 % 101})
        for i in range(200)
    ]
    return BaselineForest().fit(events, alert_budget=0.05, random_state=0)


def store_version(folder: Path, version: str, *, minutes_ago: float = 10, **fields: Any) -> ModelVersion:
    """Write a version's folder and enter it in the ledger as a candidate, unless ``status`` says otherwise."""
    manifest = {"detector": "baseline_forest"}
    sha256 = artefact.save(folder, version, fitted().state(), manifest)
    then = timezone.now() - dt.timedelta(minutes=minutes_ago)
    values = {"trained_at": then, "manifest": manifest, "metrics": METRICS, **fields}
    if fields.get("status") in ("champion", "retired"):
        values.setdefault("promoted_at", then)
    return ModelVersion.objects.create(version=version, detector="baseline_forest", artefact_sha256=sha256, **values)


def spoil(folder: Path, version: str) -> None:
    """Change a byte of a version's artefact."""
    path = folder / version / "pipeline.skops"
    body = path.read_bytes()
    path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
