"""What is around one alert: similar alerts, what its entity did, and the rest of its events.

Handed: an alert's id and what part is wanted. Hands on: fragments that the alert's page asks for when they come into
view; a browser without scripts gets each as a page of its own. Reads only.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from alerts.models import Alert
from alerts.permissions import role_required
from alerts.selectors.alert import TOP_EVENTS, is_blind, top_events
from alerts.selectors.similar import similar
from alerts.selectors.timeline import WindowError, anchor_of, read_window, timeline
from alerts.views.common import frame, is_fragment, page
from triage.models import Role

#: Events per "show more".
MORE_EVENTS = 25
MAX_START = 100_000


def _show(
    request: HttpRequest, part: str, alert: Alert, context: dict[str, Any], *, heading: str, status: int = 200
) -> HttpResponse:
    """Render a fragment, or the page around it for a browser that runs no scripts."""
    context = context | {"alert": alert, "embedded": request.GET.get("embedded") == "1"}
    if is_fragment(request):
        response = render(request, f"alerts/{part}", frame(request, "queue") | context, status=status)
        response["Cache-Control"] = "no-store"
        return response
    context |= {"part": f"alerts/{part}", "heading": heading, "alone": True}
    return page(request, "alerts/around.html", context, active="queue", status=status)


@role_required(Role.VIEWER)
@require_safe
def alert_similar(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Show what became of alerts like this one."""
    alert = get_object_or_404(Alert, pk=alert_id)
    return _show(request, "_similar.html", alert, {"similar": similar(alert)}, heading="Similar alerts")


@role_required(Role.VIEWER)
@require_safe
def alert_timeline(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Show what the alert's entity did in a window: ``span`` (15m, 1h, 6h, 24h), or ``from`` and ``to``."""
    alert = get_object_or_404(Alert, pk=alert_id)
    anchor, problem = anchor_of(alert), ""
    try:
        window = read_window(request.GET.dict(), anchor)
    except WindowError as error:
        window, problem = read_window({}, anchor), str(error)
    context = {"line": timeline(alert, window, anchor), "problem": problem}
    return _show(request, "_timeline.html", alert, context, heading="Timeline", status=422 if problem else 200)


@role_required(Role.VIEWER)
@require_safe
def alert_events(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Show further events of the alert by score, from the ``start``-th on (0-based)."""
    alert = get_object_or_404(Alert, pk=alert_id)
    wanted = request.GET.get("start", "")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 7 and int(wanted) <= MAX_START):
        raise Http404("start: a number")
    start = int(wanted) if wanted else TOP_EVENTS
    found = top_events(alert, start=start, count=MORE_EVENTS + 1)
    context = {
        "events": found[:MORE_EVENTS],
        "next_start": start + MORE_EVENTS if len(found) > MORE_EVENTS else 0,
        "blind": is_blind(alert),
    }
    return _show(request, "_alert_events.html", alert, context, heading="Events")
