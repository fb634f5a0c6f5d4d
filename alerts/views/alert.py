"""One alert: page, panel, raw record, notes and explanations; deciding is in :mod:`alerts.views.review`.

Handed: an alert's id. Hands on: the alert's page or panel as it is (afterwards).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from alerts.forms import NoteForm, first_error
from alerts.models import Alert
from alerts.permissions import person, role_required
from alerts.selectors.alert import alert_page, is_blind, is_waiting, next_try, why_not_explain
from alerts.selectors.event_record import event_record
from alerts.services import explaining, review
from alerts.views.common import frame, is_fragment, page
from triage.models import Role

#: Where in an alert's page a record may be asked for: its own events, or a row of the timeline.
PLACES = ("alert", "timeline")


def show_alert(request: HttpRequest, alert_id: int, *, status: int = 200, **extra: Any) -> HttpResponse:
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
    return show_alert(request, alert_id)


@role_required(Role.VIEWER)
@require_safe
def alert_panel(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Show the alert in the queue's panel, with ``row=1`` its row too; a browser without htmx gets the page."""
    if not is_fragment(request):
        return redirect("alert", alert_id)
    return show_alert(request, alert_id, embedded=True, changed=request.GET.get("row") == "1")


def _changed(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Answer a change that worked."""
    if is_fragment(request):
        return show_alert(request, alert_id, changed=True)
    return redirect("alert", alert_id)


def _act(request: HttpRequest, alert_id: int, action: Callable[[], object]) -> HttpResponseBase:
    """Run a service and show the alert."""
    try:
        action()
    except Alert.DoesNotExist as error:
        raise Http404("no such alert") from error
    return _changed(request, alert_id)


@role_required(Role.ANALYST)
@require_POST
def alert_note(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Add a note to the alert's history."""
    form = NoteForm(request.POST)
    if not form.is_valid():
        return show_alert(request, alert_id, status=422, problem=first_error(form))
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
        return show_alert(request, alert_id, status=409, refusal=why_not)
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
    """Show one event in full, as fields and as its exact record, or say that retention has taken it."""
    record = event_record(event_id)
    if record is None:
        raise Http404("no such event")
    context: dict[str, Any] = {"record": record, "tree": record.tree, "raw": record.raw, "loaded": True, "place": ""}
    context |= {"event_id": event_id, "alert": record.link.alert if record.link else None}
    if is_fragment(request):
        wanted = request.GET.get("in", "")
        context["place"] = wanted if wanted in PLACES else ""
        response = render(request, "alerts/_raw.html", context)
        response["Cache-Control"] = "no-store"
        return response
    return page(request, "alerts/raw.html", context, active="events")
