"""One alert: page, panel, raw record, and what a person may do with it.

Handed: an alert's id and, for changes, the revision the person saw. Hands on: the alert's page or panel as
it is afterwards. A change that lost a race answers 409 and shows both what was asked and what is.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from alerts.forms import NoteForm, RevisionForm, VerdictForm, first_error
from alerts.models import Alert, AlertEvent, VerdictValue
from alerts.permissions import person, role_required
from alerts.selectors.alert import alert_page, document_fields, is_blind, is_waiting, next_try, why_not_explain
from alerts.services import explaining, review
from alerts.views.common import frame, is_fragment, page
from triage import store
from triage.models import Event, Role


def _show(request: HttpRequest, alert_id: int, *, status: int = 200, **extra: Any) -> HttpResponse:
    """Render the alert: the panel with its row for htmx, else the whole page."""
    wanted = request.GET.get("explanation", "")
    try:
        shown = alert_page(alert_id, explanation_id=_number(wanted) if wanted else None)
    except Alert.DoesNotExist as error:
        raise Http404("no such alert") from error
    context: dict[str, Any] = {"shown": shown, **extra}
    if is_fragment(request):
        embedded = request.POST.get("embedded", "") == "1" or extra.get("embedded", False)
        context |= frame(request, "queue") | {"embedded": embedded, "alert": shown.alert}
        response = render(request, "alerts/_alert_response.html", context, status=status)
        response["Cache-Control"] = "no-store"
        return response
    return page(request, "alerts/alert.html", context, active="queue", status=status)


def _number(text: str) -> int:
    """Return a row's number from the address; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


@role_required(Role.VIEWER)
@require_safe
def alert_detail(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Show the alert on a page of its own; ``?explanation=`` opens an earlier one."""
    return _show(request, alert_id)


@role_required(Role.VIEWER)
@require_safe
def alert_panel(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Show the alert in the queue's panel, with ``row=1`` its row too; a browser without htmx gets the page."""
    if not is_fragment(request):
        return redirect("alert", alert_id)
    return _show(request, alert_id, embedded=True, changed=request.GET.get("row") == "1")


def _changed(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Answer a change that worked."""
    if is_fragment(request):
        return _show(request, alert_id, changed=True)
    return redirect("alert", alert_id)


def _act(
    request: HttpRequest, alert_id: int, action: Callable[[], object], *, asked: dict[str, Any] | None = None
) -> HttpResponseBase:
    """Run a service and show the alert; ``asked`` is what the person wanted, shown beside what is now the case."""
    try:
        action()
    except review.StaleAlertError:
        return _show(request, alert_id, status=409, conflict=asked)
    except review.AlreadyOpenError as error:
        return _show(request, alert_id, status=409, problem=str(error))
    except Alert.DoesNotExist as error:
        raise Http404("no such alert") from error
    return _changed(request, alert_id)


@role_required(Role.ANALYST)
@require_POST
def alert_verdict(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Record a verdict."""
    form = VerdictForm(request.POST)
    if not form.is_valid():
        return _show(request, alert_id, status=422, problem=first_error(form))
    data = form.cleaned_data
    asked = {"label": VerdictValue(data["value"]).label, "note": data["note"], "saw": data["expected_revision"]}
    action = partial(review.record_verdict, alert_id=alert_id, user=person(request), **data)
    return _act(request, alert_id, action, asked=asked)


@role_required(Role.ANALYST)
@require_POST
def alert_assign(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Take the alert (``to=me``) or give it back (``to=nobody``)."""
    form = RevisionForm(request.POST)
    if not form.is_valid():
        return _show(request, alert_id, status=422, problem=first_error(form))
    user, expected = person(request), form.cleaned_data["expected_revision"]
    assignee = user if request.POST.get("to") == "me" else None
    action = partial(review.assign, alert_id=alert_id, assignee=assignee, user=user, expected_revision=expected)
    asked = {"label": "Take" if assignee else "Give back", "note": "", "saw": expected}
    return _act(request, alert_id, action, asked=asked)


@role_required(Role.ANALYST)
@require_POST
def alert_reopen(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Open a closed alert again."""
    form = RevisionForm(request.POST)
    if not form.is_valid():
        return _show(request, alert_id, status=422, problem=first_error(form))
    expected = form.cleaned_data["expected_revision"]
    action = partial(review.reopen, alert_id=alert_id, user=person(request), expected_revision=expected)
    return _act(request, alert_id, action, asked={"label": "Reopen", "note": "", "saw": expected})


@role_required(Role.ANALYST)
@require_POST
def alert_note(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Add a note to the alert's history."""
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _show(request, alert_id, status=422, problem=first_error(form))
    action = partial(review.add_note, alert_id=alert_id, text=form.cleaned_data["text"], user=person(request))
    return _act(request, alert_id, action)


@role_required(Role.ANALYST)
@require_POST
def alert_explain(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Ask for a new explanation; ``stronger=1`` asks the larger model."""
    stronger = request.POST.get("stronger") == "1"
    alert = get_object_or_404(Alert, pk=alert_id)
    why_not = why_not_explain(alert, stronger=stronger)
    if why_not:
        return _show(request, alert_id, status=409, refusal=why_not)
    action = partial(explaining.re_explain, alert_id=alert_id, user=person(request), stronger=stronger)
    return _act(request, alert_id, action)


@role_required(Role.VIEWER)
@require_safe
def alert_waiting(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Say whether the explanation that an open page waits for is there (``after`` = the newest it knows)."""
    alert = get_object_or_404(Alert, pk=alert_id)
    newest = alert.explanations.order_by("-id").values_list("pk", flat=True).first() or 0
    after, waiting = _number(request.GET.get("after", "")), is_waiting(alert)
    context = {
        "alert": alert,
        "waiting": waiting,
        "arrived": not waiting and newest > after and not is_blind(alert),
        "waits_until": next_try(alert),
        "newest_id": after,
        "embedded": request.GET.get("embedded") == "1",
    }
    response = render(request, "alerts/_waiting.html", context)
    response["Cache-Control"] = "no-store"
    return response


@role_required(Role.VIEWER)
@require_safe
def event_raw(request: HttpRequest, event_id: int) -> HttpResponse:
    """Show the exact record of one event, or say that retention has taken it."""
    event = Event.objects.filter(pk=event_id).first()
    if event is None:
        get_object_or_404(AlertEvent, event_id=event_id)
    context = {
        "event_id": event_id,
        "event": event,
        "raw": store.raw_text(event_id),
        "fields": document_fields(event) if event else [],
    }
    if is_fragment(request):
        return render(request, "alerts/_raw.html", context)
    return page(request, "alerts/raw.html", context, active="queue")
