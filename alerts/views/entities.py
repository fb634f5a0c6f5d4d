"""Entities: the list, a page for each, and what it does as a fragment of its own.

Handed: a kind, and the name in the query string (it may hold any character). Hands on: HTML.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from alerts.permissions import role_required
from alerts.selectors import entities
from alerts.selectors.entities import FIELDS, Entity
from alerts.views.common import frame, page
from triage.models import Role

#: Pages of the list that can be turned to.
MAX_PAGE = 200


@role_required(Role.VIEWER)
@require_safe
def entity_list(request: HttpRequest) -> HttpResponse:
    """List the entities that have alerts, riskiest first."""
    text = request.GET.get("q", "").replace("\0", "").strip()[: entities.MAX_NAME]
    kind = request.GET.get("kind", "")
    number = request.GET.get("page", "1")
    nth = min(max(int(number), 1), MAX_PAGE) if number.isascii() and number.isdigit() and len(number) <= 6 else 1
    rows, more = entities.listed(search_for=text, kind=kind, page=nth)
    context = {
        "rows": rows,
        "more": more and nth < MAX_PAGE,
        "nth": nth,
        "kinds": list(FIELDS),
        "kind": kind if kind in FIELDS else "",
        "q": text,
    }
    return page(request, "alerts/entities.html", context, active="entities")


def _entity(request: HttpRequest, kind: str) -> Entity | None:
    return entities.entity_of(kind, request.GET.get("name", ""))


@role_required(Role.VIEWER)
@require_safe
def entity_detail(request: HttpRequest, kind: str) -> HttpResponse:
    """Show one entity."""
    entity = _entity(request, kind)
    if entity is None or not entities.is_known(entity):
        context = {"kind": kind if kind in FIELDS else "", "name": request.GET.get("name", "")[: entities.MAX_NAME]}
        return page(request, "alerts/entity_unknown.html", context, active="entities", status=404)
    return page(request, "alerts/entity.html", {"shown": entities.entity_page(entity)}, active="entities")


@role_required(Role.VIEWER)
@require_safe
def entity_activity(request: HttpRequest, kind: str) -> HttpResponse:
    """Show what an entity does: usual hours, peers, newest events."""
    entity = _entity(request, kind)
    if entity is None:
        return HttpResponse(status=404)
    response = render(
        request, "alerts/_entity_activity.html", frame(request, "entities") | {"done": entities.activity(entity)}
    )
    response["Cache-Control"] = "no-store"
    return response
