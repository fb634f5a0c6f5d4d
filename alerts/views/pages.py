"""Pages that only read: models, help.

Handed: a request. Hands on: HTML.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from alerts.models import VerdictValue
from alerts.permissions import has_role, role_required
from alerts.selectors import drift, drift_charts, estate, llm, versions
from alerts.views import budget
from alerts.views.common import page
from triage.models import ModelStatus, ModelVersion, Role

#: Neither serving nor about to.
PAST = (ModelStatus.RETIRED, ModelStatus.REJECTED)


@role_required(Role.VIEWER)
@require_safe
def model_list(request: HttpRequest) -> HttpResponse:
    """Show every model version with its metrics and the gate's words."""
    rows = [_version(row) for row in estate.models()]
    watched = drift.drift()
    whole = request.GET.get("whole") == "1"
    context = {
        "rows": rows,
        "serving_rows": [row for row in rows if row["model"].status == ModelStatus.CHAMPION],
        "candidates": [row for row in rows if row["model"].status == ModelStatus.CANDIDATE],
        "earlier": [row for row in rows if row["model"].status in PAST],
        "learning": estate.learning(),
        "training": versions.training(),
        "standing": versions.standing(),
        "drift": watched,
        "history": drift_charts.history(watched.watched[0].source.pk) if watched.watched else None,
        "llm": llm.language_model() if whole else None,
        "may_run_models": has_role(request.user, Role.LEAD),
    }
    return page(request, "alerts/models.html", context | budget.start(), active="models")


def _version(row: ModelVersion) -> dict[str, Any]:
    return {
        "model": row,
        "metrics": estate.metrics_of(row),
        "taught": estate.taught_by(row),
        "shadow": versions.shadow_of(row),
    }


@role_required(Role.VIEWER)
@require_safe
def model_llm(request: HttpRequest) -> HttpResponse:
    """Show where the language model is and what it costs; it adds up many explanations, so it follows the page."""
    return page(request, "alerts/_llm.html", {"llm": llm.language_model()})


@role_required(Role.VIEWER)
@require_safe
def model_drift(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show how one source drifted under the serving model."""
    found = drift_charts.history(source_id)
    if found is None:
        raise Http404("nothing is known of that source under the serving model")
    return render(request, "alerts/_drift_history.html", {"history": found})


@role_required(Role.VIEWER)
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """Explain keys, words and verdicts."""
    return page(request, "alerts/help.html", {"verdicts": VerdictValue.choices}, active="help")
