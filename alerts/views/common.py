"""What every page shares: the frame around it and how fragments differ from pages.

Handed: a request and a page's own context. Hands on: a response.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from alerts.permissions import has_role
from triage.models import Role

THEMES = ("dark", "light")


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asked, so that only the changed part is wanted."""
    return request.headers.get("HX-Request") == "true"


def wants_json(request: HttpRequest) -> bool:
    """Whether a script of the page asked, which shows the answer itself."""
    return request.headers.get("Accept") == "application/json"


def frame(request: HttpRequest, active: str) -> dict[str, Any]:
    """Return the context of the frame: theme, active rail entry, what the person may do."""
    theme = request.COOKIES.get("theme", "")
    preferences: dict[str, Any] = getattr(request.user, "preferences", {})
    return {
        "theme": theme if theme in THEMES else "",
        "active": active,
        "density": "roomy" if preferences.get("density") == "roomy" else "",
        "must_change_password": bool(preferences.get("change_password")),
        "may_decide": has_role(request.user, Role.ANALYST),
        "may_run_sources": has_role(request.user, Role.LEAD),
    }


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, active: str = "", status: int = 200
) -> HttpResponse:
    """Render a whole page, or a fragment, with the frame's context; never stored by a cache."""
    response = render(request, template, frame(request, active) | context, status=status)
    response["Cache-Control"] = "no-store"
    return response
