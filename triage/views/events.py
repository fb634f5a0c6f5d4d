"""``/api/v1/events``: stored events, newest first.

Handed: filters in the query. Hands on: one page of events and where the next one starts. The order is that
of the ids, which grow with the time of receipt, so that a page never shifts while events come in.
"""

from typing import Any

import orjson
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from triage import documents
from triage.conditions import All, Condition, Match, Written
from triage.models import Event, Source
from triage.searching import results, walk
from triage.views.api import Parameters, api_access

NAMES = frozenset({"contains", "source", "flagged", "host", "since", "limit", "before"})
#: Where the pipeline keeps what a sender called its source.
SENDER_SOURCE = "log.file.path"
DEFAULT_PAGE, MAX_PAGE = 100, 1000


@api_access()
def events(request: HttpRequest) -> HttpResponse:
    """Return ``{"events": [...], "next": id or null}``; pass ``next`` as ``before`` for the next page."""
    parameters = Parameters(request, NAMES)
    limit = parameters.number("limit", DEFAULT_PAGE, maximum=MAX_PAGE)
    found = _found(parameters, limit + 1)
    page = found[:limit]
    documents.prefetch(page)
    names = dict(Source.objects.values_list("id", "name"))
    answer = {
        "events": [as_json(event, names.get(event.source_id, "")) for event in page],
        "next": page[-1].pk if len(found) > limit else None,
    }
    return HttpResponse(orjson.dumps(answer), content_type="application/json")


def _found(parameters: Parameters, limit: int) -> list[Event]:
    """Return the first events that match; a text is looked for in the compressed documents, newest first."""
    rows = _matching(parameters)
    contains, source = parameters.text("contains"), parameters.text("source")
    sent_as = ""
    if source:
        feeds = list(Source.objects.filter(name=source).values_list("id", flat=True))
        rows, sent_as = (rows & Q(source_id__in=feeds), "") if feeds else (rows, source)
    before = parameters.number("before", 0, maximum=2**63 - 1) or None
    if not contains and not sent_as:
        newest = Event.objects.filter(rows).order_by("-id")
        return list((newest if before is None else newest.filter(id__lt=before))[:limit])
    asked: list[Condition] = [Written(text) for text in (contains, sent_as) if text]
    if sent_as:
        asked.append(Match(SENDER_SOURCE, sent_as))
    found = results.search(All(tuple(asked)), limit=limit, before=before, budget=walk.UNLIMITED, rows=rows)
    return found.events


def _matching(parameters: Parameters) -> Q:
    """Return what the rows are asked."""
    asked = Q()
    if host := parameters.text("host"):
        asked &= Q(host_name=host)
    if (flagged := parameters.boolean("flagged")) is not None:
        asked &= Q(flagged=flagged)
    if since := parameters.time("since"):
        asked &= Q(timestamp__gte=since)
    return asked


def as_json(event: Event, feed: str) -> dict[str, Any]:
    """Return an event for the API.

    ``feed`` is the Source whose token it came with; ``source`` is what the sender called its source (a file,
    a channel), else the feed. A time that no sender gave is the time of receipt.
    """
    document = documents.of(event)
    fields = document.fields or {}
    return {
        "id": event.pk,
        "timestamp": event.timestamp.isoformat().replace("+00:00", "Z"),
        "timestamp_origin": event.timestamp_origin,
        "received_at": event.received_at.isoformat().replace("+00:00", "Z"),
        "host": event.host_name,
        "feed": feed,
        "source": fields.get(SENDER_SOURCE) or feed,
        "sourcetype": fields.get("winnow.sourcetype", ""),
        "severity": event.log_level,
        "message": document.message or event.message,
        "score": event.score,
        "p_value": event.p_value,
        "flagged": event.flagged,
        "reasons": orjson.loads(event.reasons) if event.reasons else [],
        "parser": event.parser,
        "entity": event.entity,
        "fields": fields,
    }
