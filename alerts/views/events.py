"""The event search: page, more rows, counts over time, value menu, export.

Handed: a query in the address. Hands on: HTML, or a file. Every answer is bounded: it says how far it looked and how to
go on. What cannot be read is shown with its place, never an error page.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from alerts import event_query
from alerts.permissions import has_role, person, role_required
from alerts.selectors import events, values
from alerts.selectors.event_filter import OFFERED, RANGES, EventFilter
from alerts.services import event_exports
from alerts.views.common import frame, is_fragment, page
from triage.models import EventChunk, Role, Source
from triage.searching.over_time import Counts, Spans

MAX_VALUE = 4000


def _number(parameters: QueryDict, name: str) -> int | None:
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


@role_required(Role.VIEWER)
@require_safe
def events_page(request: HttpRequest) -> HttpResponse:
    """Show the search: the newest events that are asked for, or the most frequent values of a field of theirs."""
    asked = EventFilter.read(request.GET)
    context: dict[str, Any] = _search(asked) | {"may_export": has_role(request.user, Role.ANALYST)}
    if not asked.problems and asked.group:
        context["tops"] = events.most_frequent(asked)
    elif not asked.problems:
        context |= _page_of(asked, _number(request.GET, "before"), 0)
    if not asked.problems and not EventChunk.objects.exists():
        context["empty"] = "sources" if Source.objects.exists() else "nothing"
    return page(request, "alerts/events.html", context, active="events")


def _search(asked: EventFilter) -> dict[str, Any]:
    ranges = [
        {"name": name, "label": label, "chosen": name == asked.span and not (asked.since or asked.until),
         "query": asked.address(span=name, since=None, until=None)}
        for name, (label, _) in RANGES.items()
    ]  # fmt: skip
    return {
        "asked": asked,
        "ranges": ranges,
        "offered": OFFERED,
        "width": len(asked.columns) + 3,  # time, message and p beside them
        "ungrouped": asked.without("group"),
        "events_query": asked.query,
        "terms_max": event_query.MAX_LENGTH,
        "most": event_exports.MAX_EVENTS,
        "histogram_address": f"{reverse('event_histogram')}?{asked.without('group', 'cols')}",
    }


def _page_of(asked: EventFilter, before: int | None, rounds: int) -> dict[str, Any]:
    """Return a page of rows and where it goes on, by itself as long as it is not full."""
    found = events.event_page(asked, before=before)
    more = f"{reverse('event_rows')}?{asked.address()}&{urlencode({'before': found.next, 'round': rounds + 1})}"
    goes_on = found.next is not None and not found.full and rounds < events.ROUNDS
    return {"found": found, "more": more, "goes_on": goes_on}


@role_required(Role.VIEWER)
@require_safe
def event_rows(request: HttpRequest) -> HttpResponseBase:
    """Return the next rows below ``before``; a browser without htmx gets the page that begins there."""
    asked = EventFilter.read(request.GET)
    before = _number(request.GET, "before")
    if not is_fragment(request):
        return redirect(f"{reverse('events')}?{asked.address()}" + (f"&before={before}" if before else ""))
    rounds = min(_number(request.GET, "round") or 1, events.ROUNDS)
    context = _search(asked) | ({} if asked.problems else _page_of(asked, before, rounds))
    response = render(request, "alerts/_event_rows.html", frame(request, "events") | context)
    response["Cache-Control"] = "no-store"
    return response


@role_required(Role.VIEWER)
@require_safe
def event_histogram(request: HttpRequest) -> HttpResponse:
    """Count what is asked for over time: a fragment that goes on until all is counted, or a page of its own."""
    asked = EventFilter.read(request.GET)
    context = _search(asked) | _histogram(asked, request.GET)
    template = "alerts/_event_histogram.html" if is_fragment(request) else "alerts/event_histogram.html"
    return page(request, template, context, active="events")


def _histogram(asked: EventFilter, parameters: QueryDict) -> dict[str, Any]:
    if asked.problems:
        return {}
    known = _counted(parameters)
    extent = None if known else events.extent(asked)
    if known is None and extent is None:
        return {}
    spans, counted = known or (events.spans_for(*extent), None)  # type: ignore[misc]
    brush = f"{reverse('events')}?{asked.without('range', 'from', 'to')}&from={{from}}&to={{to}}".replace("?&", "?")
    before = _number(parameters, "before") if known else None
    shown = events.histogram(asked, spans, brush=brush, before=before, counted=counted)
    return {"histogram": shown, "count_more": _count_more(asked, shown)}


def _count_more(asked: EventFilter, shown: events.Histogram) -> str:
    """Return where counting goes on with what is counted so far; empty when all is."""
    if shown.next is None:
        return ""
    spans, counts = shown.spans, shown.counts
    so = (spans.start, spans.step, counts.outside, *counts.all, *(counts.flagged or []))
    low, high = (bound.isoformat() if bound else "" for bound in asked.bounds())
    found = {"q": asked.query, "from": low, "to": high, "before": shown.next, "so": ".".join(map(str, so))}
    return f"{reverse('event_histogram')}?{urlencode({name: value for name, value in found.items() if value != ''})}"


def _counted(parameters: QueryDict) -> tuple[Spans, Counts] | None:
    """Return what earlier answers have counted, as they wrote it: start, step, outside, counts, flagged."""
    parts = parameters.get("so", "")[:4000].split(".")
    if len(parts) < 5 or not all(part.isascii() and part.isdigit() and len(part) <= 12 for part in parts):
        return None
    start, step, outside, *counts = map(int, parts)
    count = len(counts) // 2
    if not step or len(counts) % 2 or start + step * count >= 2**36:
        return None
    return Spans(start, step, count), Counts(counts[:count], counts[count:], outside)


@role_required(Role.VIEWER)
@require_safe
def event_values(request: HttpRequest) -> HttpResponse:
    """Show what can be done with one value of a field: the menu for a script, a page for everybody else."""
    asked = {name: request.GET.get(name, "")[:MAX_VALUE].replace("\0", "") for name in ("field", "value", "q")}
    context = {"menu": values.menu(asked["field"], asked["value"], asked["q"])}
    if is_fragment(request):
        response = render(request, "alerts/_value_menu.html", context)
        response["Cache-Control"] = "no-store"
        return response
    return page(request, "alerts/value.html", context, active="events")


@role_required(Role.ANALYST)
@require_POST
def event_export(request: HttpRequest) -> HttpResponseBase:
    """Send what is asked for as a file, and write down who took it."""
    asked = EventFilter.read(request.POST)
    form = request.POST.get("format", "")
    if form not in event_exports.FORMATS:
        raise Http404("no such format")
    if asked.problems:
        return redirect(f"{reverse('events')}?{asked.address()}")
    event_exports.record(asked=asked, form=form, user=person(request))
    response = StreamingHttpResponse(event_exports.file_of(asked, form), content_type=event_exports.FORMATS[form])
    response["Content-Disposition"] = f'attachment; filename="events-{timezone.now():%Y%m%d-%H%M%S}.{form}"'
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
