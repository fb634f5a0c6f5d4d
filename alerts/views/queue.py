"""The queue page and its two fragments: more rows, and the pulse.

Handed: a filter in the query string. Hands on: HTML. The pulse says how many alerts have come since the
page was made; rows are added only when the person asks for them.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from alerts.models import Alert
from alerts.permissions import role_required
from alerts.selectors import estate, health, llm, queue
from alerts.selectors.alert import alert_page
from alerts.selectors.queue import FilterError, QueueFilter
from alerts.views.common import frame, page
from triage.models import Role

#: Above this many new alerts the page is loaded afresh instead.
MAX_ARRIVALS = 200


def _number(parameters: QueryDict, name: str) -> int:
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0


def _filter(parameters: QueryDict) -> tuple[QueueFilter, str]:
    """Return the filter, or the default one and what was wrong."""
    try:
        return QueueFilter.read(parameters), ""
    except FilterError as error:
        return QueueFilter(), str(error)


@role_required(Role.VIEWER)
@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    """Show the queue, with the alert of ``?alert=`` in the panel."""
    wanted, problem = _filter(request.GET)
    newest = queue.newest_id()
    try:
        found = queue.page(wanted, cursor=request.GET.get("cursor", ""))
    except FilterError as error:
        found, problem = queue.page(wanted), str(error)
    selected = _number(request.GET, "alert")
    context: dict[str, Any] = {
        "wanted": wanted,
        "problem": problem,
        "page": found,
        "facets": queue.facets(wanted),
        "selected": selected,
        "shown": _panel(selected),
        "embedded": True,
        "pulse": {"after": newest, "count": 0, "query": wanted.query()},
        "freshness": estate.freshness(),
        "learning": estate.learning(),
        "sources_exist": estate.source_count() > 0,
        "trouble": health.trouble(),
        "pause": llm.pause(),
    }
    if not found.alerts:
        context["event_total"] = estate.event_total()
    return page(request, "alerts/queue.html", context, active="queue")


def _panel(alert_id: int) -> Any:
    if not alert_id:
        return None
    try:
        return alert_page(alert_id)
    except Alert.DoesNotExist:
        return None


@role_required(Role.VIEWER)
@require_safe
def queue_rows(request: HttpRequest) -> HttpResponse:
    """Return further rows (``cursor``) or those that have come since (``after``) as a fragment."""
    wanted, problem = _filter(request.GET)
    if problem:
        raise Http404(problem)
    if "after" in request.GET:
        return _arrivals(request, wanted, _number(request.GET, "after"))
    try:
        found = queue.page(wanted, cursor=request.GET.get("cursor", ""))
    except FilterError as error:
        raise Http404(str(error)) from error
    return render(request, "alerts/_rows.html", {"page": found, "wanted": wanted})


def _arrivals(request: HttpRequest, wanted: QueueFilter, after: int) -> HttpResponse:
    newest = queue.newest_id()
    if queue.arrived(wanted, after) > MAX_ARRIVALS:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    rows = queue.arrivals(wanted, after, newest)
    pulse = {"after": newest, "count": 0, "query": wanted.query()}
    context = {"alerts": rows, "wanted": wanted, "pulse": pulse, "fresh": True, "facets": queue.facets(wanted)}
    return render(request, "alerts/_arrivals.html", context)


@role_required(Role.VIEWER)
@require_safe
def queue_pulse(request: HttpRequest) -> HttpResponse:
    """Return how many alerts have come since ``after``, how fresh the data is, and how far learning is."""
    wanted, _ = _filter(request.GET)
    after = _number(request.GET, "after")
    context = frame(request, "queue") | {
        "pulse": {"after": after, "count": queue.arrived(wanted, after), "query": wanted.query()},
        "freshness": estate.freshness(),
        "learning": estate.learning(),
        "trouble": health.trouble(),
        "pause": llm.pause(),
        "swap": True,
    }
    return render(request, "alerts/_pulse.html", context)
