"""Which version serves: promote one, roll back, reject. One transaction each, and everybody who asked hears of it.

Handed: a version, who decides and why. Hands on: the ledger with at most one champion. A version is opened before it is
promoted, so that one that is refused changes nothing; running workers ask the ledger again within a second.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from triage import champion, hooks, shadow, shadow_figures
from triage.hooks import ChampionChange, Decider
from triage.models import ModelStatus, ModelVersion

MAX_WORDS = 4_000


class StaleChampionError(RuntimeError):
    """Somebody else changed the champion meanwhile; nothing was changed."""


class DecidedError(RuntimeError):
    """The candidate is none any more: somebody else decided on it; nothing was changed."""


class NothingEarlierError(RuntimeError):
    """There is no earlier champion to go back to; nothing was changed."""


def promote(
    model: ModelVersion,
    *,
    by: Decider,
    words: str,
    expected: str | None = None,
    only_candidate: bool = False,
) -> bool:
    """Make a version the champion; the old one is retired. Return whether anything changed.

    ``words`` are put before what the gate said. ``expected`` is the champion's version as the decider saw it
    (empty: none; None: do not compare), ``only_candidate`` refuses a version that was decided on meanwhile.

    Raises, changing nothing, :class:`~triage.registry.sealed.ArtefactError`, :class:`StaleChampionError` or
    :class:`DecidedError`.
    """
    champion.load(model)
    with transaction.atomic():
        now, row = _locked(model.pk, expected)
        if only_candidate and row.status != ModelStatus.CANDIDATE:
            raise DecidedError(f"{row.version} is {row.status} already")
        if now is not None and now.pk == row.pk:
            return False
        if now is not None:
            now.status = ModelStatus.RETIRED
            now.save(update_fields=["status"])
        _crown(row, now, "promote", by, words)
    _take_up(model, row)
    return True


def rollback(*, by: Decider, expected: str | None = None) -> ModelVersion:
    """Put the champion before the present one back. The present one is rejected, so that nothing goes back to it.

    Raises :class:`NothingEarlierError`, :class:`StaleChampionError` or
    :class:`triage.registry.sealed.ArtefactError`, changing nothing.
    """
    earlier = ModelVersion.objects.filter(status=ModelStatus.RETIRED, promoted_at__isnull=False)
    model = earlier.order_by("-promoted_at", "-id").first()
    if model is None:
        raise NothingEarlierError("there is no earlier champion to go back to")
    champion.load(model)
    with transaction.atomic():
        now, row = _locked(model.pk, expected)
        if row.status != ModelStatus.RETIRED:
            raise StaleChampionError(f"{row.version} is {row.status} already")
        if now is not None:
            now.status = ModelStatus.REJECTED
            now.decision = _joined(f"Rolled back by {by.name} on {timezone.now():%Y-%m-%d %H:%M} UTC.", now.decision)
            now.save(update_fields=["status", "decision"])
        _crown(row, now, "rollback", by, f"Put back by {by.name} on {timezone.now():%Y-%m-%d %H:%M} UTC.")
    _take_up(model, row)
    return model


def _locked(model_id: int, expected: str | None) -> tuple[ModelVersion | None, ModelVersion]:
    """Return champion and version, locked until the transaction ends.

    The whole ledger is locked in one order: two who decide at once come one after the other, even before there is a
    champion whose row could be locked. Passes that store events under a version are not held up.
    """
    rows = {row.pk: row for row in ModelVersion.objects.select_for_update(no_key=True).order_by("pk")}
    now = next((row for row in rows.values() if row.status == ModelStatus.CHAMPION), None)
    found = now.version if now is not None else ""
    if expected is not None and expected != found:
        raise StaleChampionError(f"the champion is {found or 'none'} now, not {expected or 'none'}")
    return now, rows[model_id]


def _crown(row: ModelVersion, before: ModelVersion | None, action: str, by: Decider, words: str) -> None:
    row.metrics = _with_figures(row)
    row.status, row.promoted_at = ModelStatus.CHAMPION, timezone.now()
    row.decision = _joined(words, row.decision)
    row.save(update_fields=["status", "promoted_at", "decision", "metrics"])
    previous = before.version if before is not None else None
    hooks.champion_changed(ChampionChange(action, row.version, previous, by, words))


def _with_figures(row: ModelVersion) -> dict[str, Any]:
    """Return a version's metrics with what its time in shadow has shown, for when the minutes are forgotten."""
    seen = shadow_figures.report(row) or {}
    return {**row.metrics, "shadow": seen} if seen.get("events") else row.metrics


def _joined(words: str, earlier: str) -> str:
    return (words if not earlier or words == earlier else f"{words} Before: {earlier}")[:MAX_WORDS]


def _take_up(model: ModelVersion, row: ModelVersion) -> None:
    """Let the caller's row and this process see what was committed."""
    model.status, model.promoted_at, model.decision = row.status, row.promoted_at, row.decision
    champion.forget()
    shadow.forget()


def supersede(newer: ModelVersion) -> int:
    """Reject every older candidate for a newer one; return how many there were."""
    older = ModelVersion.objects.filter(status=ModelStatus.CANDIDATE, pk__lt=newer.pk)
    count = 0
    for row in older.order_by("pk"):
        words = _joined(f"Superseded by {newer.version} before it was decided.", row.decision)
        still = ModelVersion.objects.filter(pk=row.pk, status=ModelStatus.CANDIDATE)
        still.update(metrics=_with_figures(row))
        count += shadow.reject(row.pk, words)
    return count
