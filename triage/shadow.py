"""A candidate beside the champion: it scores a sample of live events, and nothing of it reaches an event or an alert.

Handed: a pass's events and what the champion flagged of them. Hands on: figures that add up, for the gate. A candidate
whose artefact is refused, that breaks, or that is far too slow is rejected in the ledger with the reason; the pass goes
on as if it had never been there.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triage import champion, minutes
from triage.champion import Champion
from triage.contracts import ParsedEvent, StoredBatch
from triage.detectors.base import Examined
from triage.learning.shadow_gate import UNDECIDED
from triage.models import ModelStatus, ModelVersion
from triage.registry.sealed import ArtefactError
from triage.shadow_figures import LEVELS, Shadowed

logger = logging.getLogger(__name__)

#: Events of a pass that the candidate scores too, evenly spaced: what it costs is bounded whatever comes in.
MAX_EVENTS = 1_000
#: Processor seconds for so many events beyond which a candidate cannot serve.
SLOW_SECONDS = 10.0

Read = Sequence[tuple[StoredBatch, Sequence[ParsedEvent]]]


class BrokenCandidateError(RuntimeError):
    """A candidate gives what no detector may give."""


@dataclass(slots=True)
class _Beside:
    candidate: Champion | None = None
    checked_at: float = 0.0


_beside = _Beside()


def in_shadow() -> ModelVersion | None:
    """Return the candidate that is to run in shadow: the newest one, unless it was left to people."""
    row = ModelVersion.objects.filter(status=ModelStatus.CANDIDATE).order_by("-trained_at", "-id").first()
    return None if row is None or is_left_to_people(row) else row


def is_left_to_people(row: ModelVersion) -> bool:
    """Return whether the gate has given up on a candidate without refusing it."""
    shadow = row.metrics.get("shadow") or {}
    return shadow.get("verdict") == UNDECIDED


def current() -> Champion | None:
    """Return the candidate in shadow, loaded; asked for as often as the champion."""
    now = time.monotonic()
    if now - _beside.checked_at >= champion.CHECK_SECONDS:
        _beside.checked_at = now
        _refresh(in_shadow())
    return _beside.candidate


def _refresh(row: ModelVersion | None) -> None:
    loaded = _beside.candidate
    if row is None:
        _beside.candidate = None
    elif loaded is None or loaded.model_id != row.pk:
        _beside.candidate = None
        try:
            _beside.candidate = champion.load(row)
            champion.settle()
        except ArtefactError as error:
            logger.exception("candidate %s is refused", row.version)
            reject(row.pk, f"Refused before it ran in shadow: {error}.")
    if _beside.candidate is not None:
        _beside.candidate = champion.under_policy(_beside.candidate)


def forget() -> None:
    """Ask the ledger again at the next call."""
    _beside.candidate, _beside.checked_at = None, 0.0


def reject(model_id: int, words: str) -> bool:
    """Reject a candidate, if it still is one; return whether it was."""
    forget()
    candidates = ModelVersion.objects.filter(pk=model_id, status=ModelStatus.CANDIDATE)
    return bool(candidates.update(status=ModelStatus.REJECTED, decision=words))


def compare(read: Read, serving_id: int | None, flags: np.ndarray | None, windows: np.ndarray) -> list[Shadowed]:
    """Return what the candidate makes of a sample of a pass; nothing without a champion or a candidate.

    ``flags`` are the champion's and ``windows`` what happened around them, of all events of ``read`` in order.
    """
    if serving_id is None or flags is None or not len(flags):
        return []
    beside = current()
    if beside is None or beside.model_id == serving_id:
        return []
    try:
        return _compare(beside, read, serving_id, flags, windows)
    except Exception as error:
        logger.exception("candidate %s broke on live events", beside.version)
        reject(beside.model_id, f"Refused: it broke on live events ({type(error).__name__}: {str(error)[:300]}).")
        return []


def _compare(beside: Champion, read: Read, serving_id: int, flags: np.ndarray, windows: np.ndarray) -> list[Shadowed]:
    step = -(-len(flags) // MAX_EVENTS)
    sample = [event for _, events in read for event in events][::step]
    received = [minutes.minute_of(batch.received_at) for batch, _ in read]
    each = np.repeat(received, [len(events) for _, events in read])[::step]
    started = time.process_time()
    examined = beside.detector.examine(sample, windows[::step])
    theirs = np.asarray(beside.flag(examined), dtype=bool)
    if time.process_time() - started > SLOW_SECONDS:
        raise BrokenCandidateError(f"{len(sample):,} events took it more than {SLOW_SECONDS:.0f} s")
    _check(examined, theirs, len(sample))
    ours = np.asarray(flags, dtype=bool)[::step]
    return [
        _counted(beside.model_id, serving_id, minute, examined.p_values[at], theirs[at], ours[at])
        for minute in np.unique(each).tolist()
        for at in [each == minute]
    ]


def _check(examined: Examined, theirs: np.ndarray, n: int) -> None:
    if examined.scores.shape != (n,) or examined.p_values.shape != (n,) or theirs.shape != (n,):
        raise BrokenCandidateError("not one score, p-value and flag for each event")
    if not np.isfinite(examined.scores).all():
        raise BrokenCandidateError("a score is not a number")
    if not ((examined.p_values >= 0) & (examined.p_values <= 1)).all():
        raise BrokenCandidateError("a p-value is not between 0 and 1")


def _counted(
    candidate_id: int, champion_id: int, minute: int, p_values: np.ndarray, theirs: np.ndarray, ours: np.ndarray
) -> Shadowed:
    return Shadowed(
        candidate_id=candidate_id,
        champion_id=champion_id,
        minute=minute,
        events=len(theirs),
        both=int((theirs & ours).sum()),
        only_candidate=int((theirs & ~ours).sum()),
        only_champion=int((~theirs & ours).sum()),
        **{name: int((p_values <= level).sum()) for name, level in LEVELS.items()},
    )
