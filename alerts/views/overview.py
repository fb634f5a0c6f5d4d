"""The overview page, and its heavier parts as fragments of their own.

Handed: ``range`` in the query string. Hands on: HTML. The page shows at once what needs somebody now; what adds up many
alerts follows when the page is there. With ``whole=1`` everything is in the page, for whoever runs no scripts.
"""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from alerts.permissions import role_required
from alerts.selectors import estate, health, llm, overview
from alerts.selectors import overview_estate as installation
from alerts.selectors import overview_quality as quality
from alerts.selectors import overview_rates as rates
from alerts.selectors import overview_times as work
from alerts.selectors.overview import Span, SpanError
from alerts.selectors.standstill import standstill
from alerts.views.common import page
from triage import canary
from triage.models import Role


def _span(request: HttpRequest) -> Span:
    try:
        return overview.span_of(request.GET.get("range", ""))
    except SpanError as error:
        raise BadRequest(str(error)) from error


def _intake(span: Span) -> dict[str, Any]:
    return {"intake": rates.intake(span)}


def _flow(span: Span) -> dict[str, Any]:
    return {"flow": rates.flow(span)}


def _work(span: Span) -> dict[str, Any]:
    return {"times": work.times(span)}


def _quality(span: Span) -> dict[str, Any]:
    return {"decisions": quality.decisions(span)}


def _techniques(span: Span) -> dict[str, Any]:
    return {"heat": installation.heat_map(span)}


#: The parts that follow: name -> what they show.
PARTS: dict[str, Callable[[Span], dict[str, Any]]] = {
    "intake": _intake,
    "flow": _flow,
    "work": _work,
    "quality": _quality,
    "techniques": _techniques,
}
#: What the parts are called where a person chooses one.
TITLES = {
    "intake": "what comes in",
    "flow": "what becomes of it",
    "work": "time to act",
    "quality": "what people decided",
    "techniques": "techniques that fired",
}


def _parts(request: HttpRequest) -> list[str]:
    """Return the parts that are to be in the page itself, each once."""
    names = list(dict.fromkeys(request.GET.getlist("part")))
    if not PARTS.keys() >= set(names):
        raise BadRequest(f"part: one of {', '.join(PARTS)}")
    return names


@role_required(Role.VIEWER)
@require_safe
def overview_page(request: HttpRequest) -> HttpResponse:
    """Show how the installation does."""
    span = _span(request)
    parts = _parts(request)
    context: dict[str, Any] = {
        "span": span,
        "at": timezone.now(),
        "spans": [(name, words) for name, words, *_ in overview.SPANS],
        "parts": parts,
        "offered": [(name, title) for name, title in TITLES.items() if name not in parts],
        "waiting": overview.waiting(),
        "sources": installation.sources(),
        "money": installation.money(),
        "mutes": installation.mutes(),
        "alarms": installation.alarms(),
        "freshness": estate.freshness(),
        "learning": estate.learning(),
        "standstill": standstill(),
        "trouble": health.trouble(),
        "pause": llm.pause(),
        "canary": canary.judge(),
    }
    for name in parts:
        context |= PARTS[name](span)
    return page(request, "alerts/overview.html", context, active="overview")


def _part(request: HttpRequest, name: str) -> HttpResponse:
    span = _span(request)
    return page(request, f"alerts/_overview_{name}.html", {"span": span, **PARTS[name](span)})


@role_required(Role.VIEWER)
@require_safe
def overview_intake(request: HttpRequest) -> HttpResponse:
    """Show what came in and what was flagged."""
    return _part(request, "intake")


@role_required(Role.VIEWER)
@require_safe
def overview_flow(request: HttpRequest) -> HttpResponse:
    """Show alerts opened and explained."""
    return _part(request, "flow")


@role_required(Role.VIEWER)
@require_safe
def overview_work(request: HttpRequest) -> HttpResponse:
    """Show how long alerts wait for a person."""
    return _part(request, "work")


@role_required(Role.VIEWER)
@require_safe
def overview_quality(request: HttpRequest) -> HttpResponse:
    """Show what people decided."""
    return _part(request, "quality")


@role_required(Role.VIEWER)
@require_safe
def overview_techniques(request: HttpRequest) -> HttpResponse:
    """Show which ATT&CK techniques fired."""
    return _part(request, "techniques")
