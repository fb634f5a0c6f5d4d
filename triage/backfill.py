"""Score what came in before there was a model.

Handed: the serving champion. Hands on: how many records were scored. Stored events are read again from
their raw batches, so a score given late is the score it would have had then.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from triage import champion, pipeline, reading, sliding, store
from triage.contracts import Score
from triage.models import event_id

#: Batches per transaction.
BATCHES = 64


def score_some() -> int:
    """Score some of the unscored batches; return their number of records, 0 when none are left."""
    if champion.current() is None:
        return 0
    work = store.unscored(BATCHES)
    outcomes: list[store.BatchOutcome] = []
    rows: list[tuple[Any, ...]] = []
    for batch in work:
        item = pipeline.ReadBatch(batch, reading.read(batch))
        judged = pipeline.judge(item.events, sliding.of_batch(batch.batch_id, len(item.events)))
        if judged.model_id is None:
            return 0
        outcomes.append(pipeline.outcome_of(item, judged.scores, judged.model_id))
        rows.extend(score_rows(item, judged.scores, judged.model_id))
    store.write_scores(outcomes, rows)
    return sum(batch.record_count for batch in work)


def score_rows(item: pipeline.ReadBatch, scores: Sequence[Score], model_id: int) -> Iterable[tuple[Any, ...]]:
    """Yield ``(score, p_value, flagged, reasons, model_version_id, event_id)`` of a batch's events."""
    for position, score in enumerate(scores):
        identifier = event_id(item.batch.batch_id, position)
        yield (score.score, score.p_value, score.flagged, pipeline.reasons_text(score), model_id, identifier)
