"""Score an alert's events again, bit for bit, with the stored version that flagged them.

Handed: an alert. Hands on: old and new scores side by side, then the champion's. Reads only; the raw
records, the parser and the frozen baseline inside the artefact are all it needs.
"""

from typing import Any

from alerts.models import Alert, AlertEvent
from triage import champion, reading, sliding, store
from triage.champion import Champion
from triage.contracts import ParsedEvent
from triage.detectors.base import Detector
from triage.learning.training import READING, SCORING, hash_code
from triage.models import ModelVersion, RawBatch, batch_and_position
from triage.registry.sealed import ArtefactError


class ReplayError(RuntimeError):
    """The alert cannot be scored again; the message says why."""


def replay(*, alert: Alert) -> dict[str, Any]:
    """Return ``{"alert", "identical", "events": [...]}``; raise :class:`ReplayError` when it cannot be done.

    ``code_changed`` names the rooms whose code is not what it was when the version was trained: the likely reason
    where a score differs.
    """
    detectors: dict[int, Detector] = {}
    code = {"reading": hash_code(READING), "scoring": hash_code(SCORING)}
    serving = champion.current()
    rows = []
    for row in alert.alert_events.select_related("model_version").order_by("event_id"):
        if row.model_version is None or row.score is None:
            raise ReplayError(f"event {row.event_id} was never scored")
        if row.model_version.pk not in detectors:
            detectors[row.model_version.pk] = open_version(row.model_version)
        replayed = replay_event(row, row.model_version.version, detectors[row.model_version.pk], serving)
        rows.append(replayed | {"code_changed": changed_rooms(row.model_version, code)})
    return {"alert": alert.pk, "identical": bool(rows) and all(row["identical"] for row in rows), "events": rows}


def changed_rooms(model: ModelVersion, code: dict[str, str]) -> list[str]:
    """Return which rooms' code has changed since a version was trained; none where its manifest does not say."""
    then = model.manifest.get("code_sha256") or {}
    return [name for name, digest in code.items() if then.get(name, digest) != digest]


def replay_event(row: AlertEvent, version: str, detector: Detector, serving: Champion | None) -> dict[str, Any]:
    """Score one event with its own version, then with today's champion."""
    event = read_event(row.event_id)
    around = sliding.of_events([row.event_id])
    new_score = float(detector.score([event], around)[0][0])
    champion_score = None if serving is None else float(serving.detector.score([event], around)[0][0])
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
