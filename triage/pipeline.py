"""The straight line of the event side: claim, read, score, store; then ring for grouping.

Handed: the name of the worker that runs it. Hands on: how many records it took off the queue. Any step
may die anywhere: the lease runs out and the next worker takes the batch up again, with the same result.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from triage import canary, champion, documents, ecs, minutes, reading, shadow, sliding, store, tallies
from triage.contracts import NO_SCORE, ParsedEvent, Score, StoredBatch
from triage.detectors.base import Examined
from triage.models import event_id

logger = logging.getLogger(__name__)

#: Records per pass; one pass is one transaction. Many small batches share one: an event alone costs 400 times more.
PASS_RECORDS = 8_000
MESSAGE_WIDTH = 160  # characters of the message in an event's row


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """A batch and its events."""

    batch: StoredBatch
    events: list[ParsedEvent]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the serving model said of a pass: a score per event, and what they are made of."""

    model_id: int | None
    scores: Sequence[Score]
    examined: Examined | None = None
    flags: np.ndarray | None = None


def process_pass(owner: str) -> int:
    """Take one pass of work off the queue; return its number of records, 0 when nothing waits."""
    work, canaries = canary.apart(store.claim(owner, PASS_RECORDS))
    with store.given_back_in_outage(owner):
        for together in filter(None, [*([batch] for batch in canaries), work]):
            _process(owner, together)
    return sum(batch.record_count for batch in work)


def _process(owner: str, work: Sequence[StoredBatch]) -> None:
    """Process batches together; when that fails one by one, and what breaks even alone is set aside."""
    try:
        process(owner, work)
    except store.LostLeaseError as error:
        logger.warning("%s; the batches are another worker's now", error)
    except Exception as error:
        if len(work) == 1:
            return store.blame(work[0].batch_id, error)
        logger.exception("a pass of %d batches failed; trying them one by one", len(work))
        for batch in work:
            _process(owner, [batch])


def process(owner: str, work: Sequence[StoredBatch]) -> None:
    """Read, score and store batches together; all of them are stored, or none."""
    read = [ReadBatch(batch, reading.read(batch)) for batch in work]
    events = [event for item in read for event in item.events]
    windows = sliding.observe(events)
    judged = judge(events, windows)
    outcomes, rows, chunks = list[store.BatchOutcome](), list[tuple[Any, ...]](), list[documents.ChunkRow]()
    start = 0
    for item in read:
        part = slice(start, start + len(item.events))
        start = part.stop
        outcomes.append(outcome_of(item, judged.scores[part], judged.model_id))
        rows.extend(event_rows(item, judged.scores[part], judged.model_id, windows[part]))
        chunks.extend(document_chunks(item))
    batches = [(item.batch, item.events) for item in read]
    tally = tallies.summarise(batches, judged.model_id, judged.examined, judged.flags)
    beside = shadow.compare(batches, judged.model_id, judged.flags, windows)
    finish = canary.finish if work[0].synthetic else store.finish
    finish(owner, outcomes, rows, chunks, minutes.summarise(batches), tally, beside)


def judge(events: Sequence[ParsedEvent], windows: np.ndarray) -> Judged:
    """Return what the serving model says of events; without a champion every score is :data:`NO_SCORE`."""
    serving = champion.current()
    if serving is None or not events:
        return Judged(None if serving is None else serving.model_id, [NO_SCORE] * len(events))
    examined = serving.detector.examine(events, windows)
    flags = serving.flag(examined)
    flagged = np.flatnonzero(flags).tolist()
    said = serving.detector.explain([events[position] for position in flagged], windows[flagged])
    reasons = dict(zip(flagged, said, strict=True))
    found = zip(examined.scores.tolist(), examined.p_values.tolist(), strict=True)
    scores = [Score(*one, place in reasons, reasons.get(place, ())) for place, one in enumerate(found)]
    return Judged(serving.model_id, scores, examined, flags)


def outcome_of(item: ReadBatch, scores: Sequence[Score], model_id: int | None) -> store.BatchOutcome:
    """Count what became of a batch."""
    return store.BatchOutcome(
        batch_id=item.batch.batch_id,
        event_count=len(item.events),
        flagged_count=sum(score.flagged for score in scores),
        parser_counts=dict(Counter(event.parser for event in item.events)),
        discard_counts=dict(Counter(event.fallback_reason for event in item.events if event.fallback_reason)),
        model_version_id=model_id,
    )


def event_rows(
    item: ReadBatch, scores: Sequence[Score], model_id: int | None, windows: np.ndarray
) -> Iterable[tuple[Any, ...]]:
    """Yield the table rows of a batch's events, in :data:`triage.store.EVENT_COLUMNS` order."""
    source_id, first = item.batch.source_id, event_id(item.batch.batch_id, 0)
    (received,) = store.timestamp_texts([item.batch.received_at])
    times = store.timestamp_texts(event.timestamp for event in item.events)
    each = zip(item.events, times, scores, sliding.stored_forms(windows), strict=True)
    for identifier, (event, time, score, around) in enumerate(each, start=first):
        fields = event.fields
        yield (
            identifier, source_id, received, time, event.timestamp_origin, event.parser, *ecs.columns(fields),
            ecs.entity(fields), event.message[:MESSAGE_WIDTH],
            score.score, score.p_value, score.flagged, False, reasons_text(score), model_id, around,
        )  # fmt: skip


def document_chunks(item: ReadBatch) -> Iterable[documents.ChunkRow]:
    """Yield the compressed documents of a batch's events."""
    (received,) = store.timestamp_texts([item.batch.received_at])
    return documents.chunk_rows(item.batch.batch_id, received, item.events, item.batch.source_id)


def reasons_text(score: Score) -> str:
    """Return a flagged event's reasons as JSON; nothing for the others."""
    return orjson.dumps(score.reasons).decode() if score.flagged else ""
