"""The queue page and its fragments: more rows, a group's inside, its head again, a facet's values, and the pulse.

Handed: a filter in the query string. Hands on: HTML. The pulse says how many alerts have come since the
page was made; rows are added only when the person asks for them.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from alerts.models import Alert
from alerts.permissions import role_required
from alerts.selectors import estate, health, llm, queue, queue_groups
from alerts.selectors.alert import alert_page
from alerts.selectors.queue import FilterError, QueueFilter
from alerts.selectors.queue_facets import facets, values_of
from alerts.selectors.queue_filter import MAX_SEARCH_CHARACTERS
from alerts.selectors.standstill import standstill
from alerts.views.common import frame, page
from triage.models import Role

#: Facets whose values are asked for when they are opened.
SEARCHED_FACETS = ("entity", "technique")
#: Above this many new alerts the page is loaded afresh instead.
MAX_ARRIVALS = 200


def _number(parameters: QueryDict, name: str) -> int:
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0


def _filter(request: HttpRequest) -> tuple[QueueFilter, str]:
    """Return the filter, or the default one and what was wrong."""
    try:
        return QueueFilter.read(request.GET, request.user), ""
    except FilterError as error:
        return QueueFilter(), str(error)


def _wanted(request: HttpRequest) -> QueueFilter:
    """Return a fragment's filter; one that cannot be read is not there."""
    wanted, problem = _filter(request)
    if problem:
        raise Http404(problem)
    return wanted


@role_required(Role.VIEWER)
@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    """Show the queue, with the alert of ``?alert=`` in the panel."""
    wanted, problem = _filter(request)
    newest = queue.newest_id()
    try:
        listed = _listed(wanted, request.GET.get("cursor", ""))
    except FilterError as error:
        listed, problem = _listed(wanted, ""), problem or str(error)
    selected, counted = _number(request.GET, "alert"), facets(wanted)
    context: dict[str, Any] = listed | {
        "wanted": wanted,
        "problem": problem,
        "facets": counted,
        "total": counted.total,
        "bulk_query": wanted.query(),
        "selected": selected,
        "shown": _panel(selected),
        "embedded": True,
        "pulse": {"after": newest, "count": 0, "query": wanted.query()},
        "freshness": estate.freshness(),
        "learning": estate.learning(),
        "sources_exist": estate.source_count() > 0,
        "standstill": standstill(),
        "trouble": health.trouble(),
        "pause": llm.pause(),
    }
    if not counted.total:
        context["event_total"] = estate.event_total()
    return page(request, "alerts/queue.html", context, active="queue")


def _listed(wanted: QueueFilter, cursor: str) -> dict[str, Any]:
    """Return one page of the list as groups or as alerts."""
    if wanted.grouped:
        return {"groups": queue_groups.page(wanted, cursor=cursor), "by": "template"}
    return {"page": queue.page(wanted, cursor=cursor)}


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
    """Return further groups or rows (``cursor``), or those that have come since (``after``), as a fragment."""
    wanted = _wanted(request)
    if "after" in request.GET:
        return _arrivals(request, wanted, _number(request.GET, "after"))
    try:
        listed = _listed(wanted, request.GET.get("cursor", ""))
    except FilterError as error:
        raise Http404(str(error)) from error
    return render(request, "alerts/_list.html", listed | frame(request, "queue") | {"wanted": wanted})


@role_required(Role.VIEWER)
@require_safe
def queue_group(request: HttpRequest) -> HttpResponse:
    """Return what is inside a group beside its head (``without``): its entities, or its alerts."""
    wanted, without = _wanted(request), _number(request.GET, "without")
    if not wanted.template:
        raise Http404("template: which group")
    cursor, context = request.GET.get("cursor", ""), frame(request, "queue") | {"wanted": wanted, "without": without}
    try:
        if not wanted.entity:
            inside = queue_groups.page(wanted, by="entity", cursor=cursor, without=without)
            if cursor or len(inside.groups) > 1:
                return render(request, "alerts/_list.html", context | {"groups": inside, "by": "entity"})
        rows = queue.page(wanted, cursor=cursor, without=without)
    except FilterError as error:
        raise Http404(str(error)) from error
    return render(request, "alerts/_list.html", context | {"page": rows, "inside": True})


@role_required(Role.VIEWER)
@require_safe
def queue_head(request: HttpRequest) -> HttpResponse:
    """Return a group as it is now, empty when nothing of it is left."""
    wanted = _wanted(request)
    if not wanted.template:
        raise Http404("template: which group")
    found = queue_groups.page(wanted, size=1)
    # The address of a group in the list is that of the whole list: the rest of the filter is as it was.
    context = frame(request, "queue") | {"groups": found, "by": "template", "wanted": wanted.changed(template="")}
    return render(request, "alerts/_list.html", context)


@role_required(Role.VIEWER)
@require_safe
def queue_values(request: HttpRequest) -> HttpResponse:
    """Return the values of a facet that has many (``facet``), of those that hold a text (``find``), with counts."""
    wanted, name = _wanted(request), request.GET.get("facet", "")
    if name not in SEARCHED_FACETS:
        raise Http404("facet: which one")
    choices = values_of(wanted, name, request.GET.get("find", "")[:MAX_SEARCH_CHARACTERS])
    return render(request, "alerts/_choices.html", {"choices": choices, "name": name, "searched": True})


def _arrivals(request: HttpRequest, wanted: QueueFilter, after: int) -> HttpResponse:
    newest = queue.newest_id()
    if queue.arrived(wanted, after) > MAX_ARRIVALS:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    rows = queue.arrivals(wanted, after, newest)
    pulse = {"after": newest, "count": 0, "query": wanted.query()}
    context = frame(request, "queue") | {"alerts": rows, "wanted": wanted, "pulse": pulse, "fresh": True}
    return render(request, "alerts/_arrivals.html", context)


@role_required(Role.VIEWER)
@require_safe
def queue_pulse(request: HttpRequest) -> HttpResponse:
    """Return how many alerts have come since ``after``, how fresh the data is, and how far learning is."""
    wanted, _ = _filter(request)
    after = _number(request.GET, "after")
    context = frame(request, "queue") | {
        "pulse": {"after": after, "count": queue.arrived(wanted, after), "query": wanted.query()},
        "freshness": estate.freshness(),
        "learning": estate.learning(),
        "standstill": standstill(),
        "trouble": health.trouble(),
        "pause": llm.pause(),
        "swap": True,
    }
    return render(request, "alerts/_pulse.html", context)
