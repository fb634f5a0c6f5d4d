"""Score an alert's events again, bit for bit, with the stored version that flagged them.

Handed: an alert. Hands on: old and new scores side by side, then the champion's. Reads only; the raw
records, the parser and the frozen baseline inside the artefact are all it needs.
"""

from typing import Any

from alerts.models import Alert, AlertEvent
from triage import champion, reading, store
from triage.contracts import ParsedEvent
from triage.detectors.base import Detector
from triage.models import ModelVersion, RawBatch, batch_and_position
from triage.registry.artefact import ArtefactError


class ReplayError(RuntimeError):
    """The alert cannot be scored again; the message says why."""


def replay(*, alert: Alert) -> dict[str, Any]:
    """Return ``{"alert", "identical", "events": [...]}``; raise :class:`ReplayError` when it cannot be done."""
    detectors: dict[int, Detector] = {}
    rows = []
    for row in alert.alert_events.select_related("model_version").order_by("event_id"):
        if row.model_version is None or row.score is None:
            raise ReplayError(f"event {row.event_id} was never scored")
        if row.model_version.pk not in detectors:
            detectors[row.model_version.pk] = open_version(row.model_version)
        rows.append(replay_event(row, row.model_version.version, detectors[row.model_version.pk]))
    return {"alert": alert.pk, "identical": bool(rows) and all(row["identical"] for row in rows), "events": rows}


def replay_event(row: AlertEvent, version: str, detector: Detector) -> dict[str, Any]:
    """Score one event with its own version, then with today's champion."""
    event = read_event(row.event_id)
    new_score = float(detector.score([event])[0][0])
    serving = champion.current()
    champion_score = None if serving is None else float(serving.detector.score([event])[0][0])
    return {
        "event_id": row.event_id,
        "version": version,
        "old_score": row.score,
        "new_score": new_score,
        "identical": row.score == new_score,
        "champion": None if serving is None else serving.version,
        "champion_score": champion_score,
        "difference": None if champion_score is None or row.score is None else champion_score - row.score,
    }


def read_event(event_id: int) -> ParsedEvent:
    """Read one event from its raw batch, as the pipeline did."""
    batch_id, position = batch_and_position(event_id)
    batch = next(store.stored_batches(RawBatch.objects.filter(pk=batch_id)), None)
    if batch is None:
        raise ReplayError(f"the raw record of event {event_id} is past the retention period")
    return reading.read(batch)[position]


def open_version(model: ModelVersion) -> Detector:
    """Open a stored version's detector."""
    try:
        return champion.load(model).detector
    except ArtefactError as error:
        raise ReplayError(f"{model.version} cannot be opened: {error}") from error
