"""Deciding on one alert: verdict, take, escalate, reopen.

Handed: an alert's id, what the person wants, and the revision they saw. Hands on: to a form the alert's page or panel
as it is afterwards, to the page's own script a few words, the alert's new row, and the number of the action to undo. A
change that lost a race answers 409 and shows both what was asked and what is.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from alerts.forms import EscalateForm, RevisionForm, VerdictForm, first_error
from alerts.models import Alert, AlertStatus, ReviewAction, Verdict, VerdictValue
from alerts.permissions import person, role_required
from alerts.services import actions, review
from alerts.text import visible
from alerts.views.alert import show_alert
from alerts.views.common import is_fragment, wants_json
from triage.models import Role, User

Asked = dict[str, Any]


def _act(request: HttpRequest, alert_id: int, action: Callable[[], Alert | Verdict], asked: Asked) -> HttpResponseBase:
    """Run a service; ``asked`` is what the person wanted, shown beside what is now the case."""
    try:
        done = action()
    except review.StaleAlertError as error:
        if wants_json(request):
            return _problem("stale", _as_it_is(error.alert), 409, saw=asked["saw"], revision=error.alert.revision)
        return show_alert(request, alert_id, status=409, conflict=asked)
    except review.AlreadyOpenError as error:
        return _refused(request, alert_id, "open", str(error), 409)
    except review.ReviewError as error:
        return _refused(request, alert_id, "invalid", str(error), 422)
    except Alert.DoesNotExist as error:
        raise Http404("no such alert") from error
    if wants_json(request):
        # The revision is that of this very change: what somebody else did a moment later has not been seen yet.
        revision = (done.alert if isinstance(done, Verdict) else done).revision
        return JsonResponse(_answer(alert_id, person(request), revision, changed=revision != asked["saw"]))
    return show_alert(request, alert_id, changed=True) if is_fragment(request) else redirect("alert", alert_id)


def _problem(code: str, message: str, status: int, **more: Any) -> JsonResponse:
    return JsonResponse({"error": code, "message": message, **more}, status=status)


def _refused(request: HttpRequest, alert_id: int, code: str, message: str, status: int) -> HttpResponseBase:
    if wants_json(request):
        return _problem(code, message, status)
    return show_alert(request, alert_id, status=status, problem=message)


def _as_it_is(alert: Alert) -> str:
    """Say what has become of an alert that somebody else has changed."""
    if alert.status != AlertStatus.CLOSED:
        by = f": {visible(alert.assignee.get_username(), 60)} has it" if alert.assignee else ""
        return f"it has changed since you saw it{by}"
    verdict = Verdict.standing.filter(alert=alert).select_related("user").order_by("-id").first()
    who = verdict.user.get_username() if verdict and verdict.user else "automation"
    return f"{visible(who, 60)} closed it{f' as {verdict.get_value_display()}' if verdict else ''}"


def _answer(alert_id: int, user: User, revision: int, *, changed: bool) -> dict[str, Any]:
    """Return what the page's script shows: the row as it is now, and what was done."""
    rows = Alert.objects.select_related("source", "assignee", "ranking")
    alert = rows.defer("ranking__state", "ranking__report").get(pk=alert_id)
    mine = ReviewAction.objects.filter(user=user, items__alert=alert_id, undone_at=None).order_by("-id")
    action = mine.first() if changed else None
    return {
        "alert": alert.pk,
        "revision": revision,
        "status": alert.status,
        "action": action.pk if action else None,
        "said": actions.said(action) if action else "Nothing was changed",
        "row": render_to_string("alerts/_row.html", {"alert": alert, "may_decide": True}),
    }


@role_required(Role.ANALYST)
@require_POST
def alert_verdict(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Record a verdict."""
    form = VerdictForm(request.POST)
    if not form.is_valid():
        return _refused(request, alert_id, "invalid", first_error(form), 422)
    data = form.cleaned_data
    asked = {"label": VerdictValue(data["value"]).label, "note": data["note"], "saw": data["expected_revision"]}
    action = partial(review.record_verdict, alert_id=alert_id, user=person(request), **data)
    return _act(request, alert_id, action, asked)


@role_required(Role.ANALYST)
@require_POST
def alert_assign(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Take the alert (``to=me``) or give it back (``to=nobody``)."""
    form = RevisionForm(request.POST)
    if not form.is_valid():
        return _refused(request, alert_id, "invalid", first_error(form), 422)
    user, expected = person(request), form.cleaned_data["expected_revision"]
    assignee = user if request.POST.get("to") == "me" else None
    action = partial(review.assign, alert_id=alert_id, assignee=assignee, user=user, expected_revision=expected)
    return _act(request, alert_id, action, {"label": "Take" if assignee else "Give back", "note": "", "saw": expected})


@role_required(Role.ANALYST)
@require_POST
def alert_escalate(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Ask for somebody senior, with an optional note, or (``withdraw``) take that back."""
    form = EscalateForm(request.POST)
    if not form.is_valid():
        return _refused(request, alert_id, "invalid", first_error(form), 422)
    data = form.cleaned_data
    common = {"alert_id": alert_id, "user": person(request), "expected_revision": data["expected_revision"]}
    asked = {"label": "Escalate", "note": data["note"], "saw": data["expected_revision"]}
    if data["withdraw"]:
        return _act(request, alert_id, partial(review.withdraw_escalation, **common), asked | {"label": "Withdraw"})
    return _act(request, alert_id, partial(review.escalate, note=data["note"], **common), asked)


@role_required(Role.ANALYST)
@require_POST
def alert_reopen(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Open a closed alert again."""
    form = RevisionForm(request.POST)
    if not form.is_valid():
        return _refused(request, alert_id, "invalid", first_error(form), 422)
    expected = form.cleaned_data["expected_revision"]
    action = partial(review.reopen, alert_id=alert_id, user=person(request), expected_revision=expected)
    return _act(request, alert_id, action, {"label": "Reopen", "note": "", "saw": expected})
