"""What the models page says about versions: the shadow's figures, what one may go back to, the training under way.

Handed: the ledger. Hands on: small values for templates. Unknown is None, never 0.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from alerts.selectors import drift_charts
from triage import shadow_figures
from triage.learning import shadow_gate
from triage.models import LearnState, ModelStatus, ModelVersion

#: A training that has said nothing for so long has died.
SILENT_AFTER = dt.timedelta(minutes=15)
RESTING = ("idle", "failed", "refused")


@dataclass(frozen=True, slots=True)
class Standing:
    """Who serves, and to whom one may go back."""

    champion: ModelVersion | None
    earlier: ModelVersion | None

    @property
    def seen(self) -> str:
        """What a form says the person saw: the champion's version, or nothing."""
        return self.champion.version if self.champion else ""


def standing() -> Standing:
    """Return the champion and the one before it: two queries."""
    return Standing(
        champion=ModelVersion.objects.filter(status=ModelStatus.CHAMPION).first(),
        earlier=ModelVersion.objects.filter(status=ModelStatus.RETIRED, promoted_at__isnull=False)
        .order_by("-promoted_at", "-id")
        .first(),
    )


def training() -> LearnState | None:
    """Return what the learn queue is doing, or how it failed; None while it rests."""
    state = LearnState.objects.first()
    if state is None or state.phase in ("idle", "refused"):
        return None
    return state if state.phase in RESTING or timezone.now() - state.changed_at < SILENT_AFTER else None


def shadow_of(row: ModelVersion) -> dict[str, Any] | None:
    """Return what a version's time in shadow has shown, for the page; None when it never was there."""
    found = shadow_figures.report(row)
    if found is None:
        return None
    rates = [
        {"name": name, **found[key]}
        for name, key in (("candidate", "candidate_rate"), ("champion", "champion_rate"))
        if key in found
    ]
    return {
        **found,
        "running": row.status == ModelStatus.CANDIDATE and found.get("verdict") == shadow_gate.WAIT,
        "rates": rates,
        "differing": [(label, _paired(found.get(key))) for label, key in _LABELLED if _paired(found.get(key))],
        "confidence": shadow_gate.CONFIDENCE * 100,
        "chart": drift_charts.shadow(row) if row.status == ModelStatus.CANDIDATE else None,
    }


_LABELLED = (("Confirmed alerts", "confirmed"), ("False alarms", "false_alarms"))


def _paired(pair: dict[str, int] | None) -> dict[str, int] | None:
    """Return how many of the decided alerts each of the two flags; None without any."""
    if not pair or not sum(pair.values()):
        return None
    return {
        "n": sum(pair.values()),
        "candidate": pair["both"] + pair["only_first"],
        "champion": pair["both"] + pair["only_second"],
    }
