"""The ranking: learned from people's verdicts, it puts the open alerts into order and does nothing else to them.

Handed: nothing (verdicts and alerts are in the database), or the ids of alerts that have just come or grown. Hands on:
``Alert.worth``, P(worth an analyst's time), and ``Alert.ranking``, which ranking said so. Status, severity and what is
shown are never touched: the same alerts are in the queue before and after. With fewer than 50 verdicts nothing changes.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from alerts.models import Alert, RankingModel, RankingStatus
from alerts.selectors import labels
from alerts.selectors import ranking as selected
from alerts.services import audit
from triage.learning import ranking
from triage.learning.ranking_models import RankingStateError

logger = logging.getLogger(__name__)

AUTOMATION = "ranking"
#: How long a process may rank without asking the database again which ranking is active (seconds).
CHECK_SECONDS = 1.0
#: So many new verdicts, or one and so many seconds since the last try, are worth learning anew.
NEW_VERDICTS, MAX_AGE_SECONDS = 25, 86_400
#: Alerts per transaction, and how many of them one call puts into order at most.
CHUNK, MAX_SETTLED = 500, 50_000
#: Digits of a probability that are kept; more would promise more than was measured.
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Serving:
    """The ranking that orders the queue, ready to be asked."""

    ranking_id: int
    ranker: ranking.Ranker


@dataclass(frozen=True, slots=True)
class Learned:
    """What a try came to: the row it wrote (None below the least number of verdicts), and what was found."""

    model: RankingModel | None
    outcome: ranking.Outcome

    @property
    def words(self) -> list[str]:
        """Sentences for people."""
        return list(self.outcome.report["words"])


@dataclass(slots=True)
class _Cache:
    serving: Serving | None = None
    checked_at: float = 0.0
    refused_id: int = 0


_cache = _Cache()


def forget() -> None:
    """Ask the database again at the next call (after learning, and in tests)."""
    _cache.serving, _cache.checked_at, _cache.refused_id = None, 0.0, 0


def current() -> Serving | None:
    """Return the active ranking, at most :data:`CHECK_SECONDS` old; None when there is none or it is refused."""
    now = time.monotonic()
    if now - _cache.checked_at >= CHECK_SECONDS or not _cache.checked_at:
        _cache.checked_at = now
        _refresh()
    return _cache.serving


def _refresh() -> None:
    ids = RankingModel.objects.filter(status=RankingStatus.ACTIVE).values_list("id", flat=True)
    active_id = ids.first()
    known = _cache.serving.ranking_id if _cache.serving else _cache.refused_id
    if active_id is None:
        _cache.serving, _cache.refused_id = None, 0
    elif active_id != known:
        try:
            _cache.serving, _cache.refused_id = load(RankingModel.objects.get(pk=active_id)), 0
        except RankingStateError as error:
            logger.error("ranking %s is refused, alerts stay unranked: %s", active_id, error)
            _cache.serving, _cache.refused_id = None, active_id


def load(model: RankingModel) -> Serving:
    """Open a stored ranking; raise :class:`RankingStateError` when it is not what was stored."""
    body = model.state.encode()
    if hashlib.sha256(body).hexdigest() != model.state_sha256:
        raise RankingStateError("its state is not the one that was stored")
    try:
        state = orjson.loads(body)
    except ValueError as error:
        raise RankingStateError(f"its state is not JSON: {error}") from error
    return Serving(model.pk, ranking.Ranker.from_state(state))


def is_due() -> bool:
    """Whether enough was decided since the last try."""
    last = selected.newest()
    if last is None:
        return len(labels.alert_labels()) >= ranking.MIN_LABELS
    withdrawn = last.status != RankingStatus.RETIRED and selected.withdrawn_after(last.created_at)
    if withdrawn and len(labels.alert_labels()) < last.n_labels:
        return True  # some of what it learned from says nothing any more
    new = selected.verdicts_after(last.last_verdict_id)
    age = (timezone.now() - last.created_at).total_seconds()
    return new >= NEW_VERDICTS or (new > 0 and age >= MAX_AGE_SECONDS)


def learn() -> Learned:
    """Learn from all verdicts now, and keep the result with an audit entry; with too few nothing is written.

    The same verdicts give the same state; a ranking that would not change is left alone.
    """
    last_verdict_id = selected.newest_verdict_id()
    outcome = ranking.fit_ranker(selected.decided())
    if outcome.report["n"] < ranking.MIN_LABELS:
        _retire_unfounded(outcome)
        return Learned(None, outcome)
    try:
        with transaction.atomic():
            model = _keep(outcome, last_verdict_id)
    except IntegrityError as error:
        logger.info("another process learned a ranking at the same time: %s", error)
        return Learned(selected.active(), outcome)
    finally:
        forget()
    return Learned(model, outcome)


def _keep(outcome: ranking.Outcome, last_verdict_id: int) -> RankingModel:
    active = RankingModel.objects.select_for_update().filter(status=RankingStatus.ACTIVE).first()
    state = "" if outcome.ranker is None else ranking.dump(outcome.ranker.state()).decode()
    sha256 = hashlib.sha256(state.encode()).hexdigest() if state else ""
    if active and state and active.state_sha256 == sha256:
        active.last_verdict_id, active.n_labels = last_verdict_id, outcome.report["n"]
        active.save(update_fields=["last_verdict_id", "n_labels"])
        return active
    if active and (state or outcome.harmful):
        active.status = RankingStatus.RETIRED
        active.save(update_fields=["status"])
    model = RankingModel.objects.create(
        status=RankingStatus.ACTIVE if state else RankingStatus.REFUSED,
        state=state,
        state_sha256=sha256,
        report=outcome.report,
        n_labels=outcome.report["n"],
        last_verdict_id=last_verdict_id,
    )
    _record(model, active, outcome)
    return model


def _retire_unfounded(outcome: ranking.Outcome) -> None:
    """Let no ranking stand whose verdicts were taken back until too few were left to learn from."""
    with transaction.atomic():
        active = RankingModel.objects.select_for_update().filter(status=RankingStatus.ACTIVE).first()
        if active is None or active.n_labels <= outcome.report["n"]:
            return
        active.status = RankingStatus.RETIRED
        active.save(update_fields=["status"])
        details = {"ranking": active.pk, "verdicts": outcome.report["n"], "learned_from": active.n_labels}
        audit.record_automation(action="ranking.retired", automation=AUTOMATION, details=details)
    forget()


def _record(model: RankingModel, active: RankingModel | None, outcome: ranking.Outcome) -> None:
    retired = active.pk if active and active.status == RankingStatus.RETIRED else None
    details: dict[str, Any] = {"ranking": model.pk, "retired": retired, "verdicts": model.n_labels}
    details |= {"sha256": model.state_sha256, "words": outcome.report["words"]}
    action = "ranking.learned" if model.state else "ranking.refused"
    audit.record_automation(action=action, automation=AUTOMATION, details=details)


def rank_alerts(*, alert_ids: Sequence[int]) -> int:
    """Rank alerts that have just come or grown; return how many. Closed ones and blind audits are left alone."""
    serving = current() if alert_ids else None
    if serving is None:
        return 0
    ranked = 0
    for start in range(0, len(alert_ids), CHUNK):
        with transaction.atomic():
            rows = selected.rankable().filter(pk__in=alert_ids[start : start + CHUNK]).order_by("id")
            ranked += _write(list(selected.free(selected.with_reasons(rows))), serving)
    return ranked


def settle() -> int:
    """Put every open alert where the active ranking says (without one: where it stood before); return how many moved.

    In small transactions, the gravest alerts first; at most :data:`MAX_SETTLED`, the next call goes on.
    """
    serving, settled = current(), 0
    if serving is None and selected.active() is not None:
        return 0  # it is refused here: what is ranked stays as it is
    ranking_id = serving.ranking_id if serving else None
    while settled < MAX_SETTLED:
        with transaction.atomic():
            rows = list(selected.free(selected.with_reasons(selected.unsettled(ranking_id)))[:CHUNK])
            settled += _write(rows, serving)
        if len(rows) < CHUNK:
            break
    return settled


def _write(rows: list[Alert], serving: Serving | None) -> int:
    """Write ``worth`` and ``ranking``, nothing else."""
    if not rows:
        return 0
    if serving is None:
        return Alert.objects.filter(pk__in=[alert.pk for alert in rows]).update(worth=None, ranking=None)
    chances = serving.ranker.probability([selected.facts(alert) for alert in rows])
    for alert, chance in zip(rows, chances, strict=True):
        alert.worth, alert.ranking_id = round(float(chance), DIGITS), serving.ranking_id
    return Alert.objects.bulk_update(rows, ["worth", "ranking"], batch_size=CHUNK)


def keep_up() -> int:
    """Learn when it is due, then put the queue into order; return how many alerts were ranked anew."""
    if is_due():
        learn()
    return settle()
