"""The alert budget: a forecast to look at, and a threshold to apply.

Handed: wishes in a form. Hands on: the forecast's fragment; or, applied, the models page. A look stores nothing.
"""

import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from alerts.forms import BudgetForm
from alerts.permissions import has_role, person, role_required
from alerts.selectors import budget as words
from alerts.services import budget
from alerts.services.budget import History
from triage.learning.budget import Wishes
from triage.models import Role

DEFAULT_MINUTES = 5.0
#: Whoever moves the slider looks at one history for so long (seconds): reading it takes longer than forecasting.
LOOK_SECONDS = 60.0
_looked: dict[str, tuple[float, History]] = {}


def forget() -> None:
    """Read the history anew next time."""
    _looked.clear()


def _history() -> History:
    """Return the history, at most a minute old; raise ``NoHistoryError`` as the service does."""
    model = words.serving()
    key = f"{model.pk} {model.version} {model.trained_at.isoformat()}" if model else ""
    read_at, found = _looked.get(key, (0.0, None))
    if found is None or time.monotonic() - read_at > LOOK_SECONDS:
        found = budget.history()
        _looked.clear()
        _looked[key] = time.monotonic(), found
    return found


def start() -> dict[str, Any]:
    """Return what the fragment needs before anybody has asked: the standing policy, and a form filled in with it."""
    policy = words.standing()
    wishes = policy.wishes if policy else {"alerts_per_day": settings.ALERT_BUDGET_PER_DAY}
    return {"budget_form": BudgetForm(initial=wishes), "policy": policy, "serving": words.serving()}


def _wishes(data: QueryDict) -> tuple[BudgetForm, Wishes | None]:
    form = BudgetForm(data)
    if not form.is_valid():
        return form, None
    known = {name: value for name, value in form.cleaned_data.items() if value is not None}
    if "minutes_per_alert" not in known:
        usual = budget.usual_minutes()
        known["minutes_per_alert"] = max(usual.value, 0.1) if usual else DEFAULT_MINUTES
    return form, Wishes(**known)


@role_required(Role.VIEWER)
@require_safe
def budget_forecast(request: HttpRequest) -> HttpResponse:
    """Show what wishes would buy."""
    form, wishes = _wishes(request.GET)
    context: dict[str, Any] = start() | {"budget_form": form, "may_run_models": has_role(request.user, Role.LEAD)}
    if wishes is not None:
        try:
            history = _history()
            found = budget.forecast(wishes=wishes, found=history)
        except (budget.NoHistoryError, ValueError) as error:
            context["why_not"] = str(error)
        else:
            context |= {
                "forecast": found,
                "sentences": words.sentences(found),
                "curve": words.curve(history.days, found.threshold),
                "wished": {name: value for name, value in asdict(wishes).items() if value is not None},
            }
    return render(request, "alerts/_budget.html", context)


@role_required(Role.LEAD)
@require_POST
def budget_apply(request: HttpRequest) -> HttpResponseBase:
    """Let the threshold count that wishes lead to now."""
    form, wishes = _wishes(request.POST)
    if wishes is None:
        messages.error(request, f"Nothing was changed: {' '.join(str(e) for es in form.errors.values() for e in es)}")
        return redirect("models")
    try:
        policy = budget.apply(found=budget.forecast(wishes=wishes), by=person(request).get_username())
    except (budget.NoHistoryError, ValueError) as error:
        messages.error(request, f"Nothing was changed: {error}.")
    else:
        messages.success(request, f"Events above {policy.threshold:.4g} are flagged from now on.")
    return redirect("models")
