"""The palette's own list: saved views, and what the person may still undo.

Handed: a request. Hands on: JSON; names are shown as text by the page.
"""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from alerts.permissions import has_role, person, role_required
from alerts.selectors.palette import views_of
from alerts.services import actions
from alerts.services.undo import last_actions
from alerts.text import visible
from triage.models import Role, User


@role_required(Role.VIEWER)
@require_safe
def palette(request: HttpRequest) -> JsonResponse:
    """Return ``{"views": [{"name", "page", "url"}], "undo": [{"action", "said", "at"}]}``."""
    user = person(request)
    views = [
        {"name": visible(view.name, 80), "page": view.page, "url": f"{reverse(view.page)}?{view.query}"}
        for view in views_of(user)
    ]
    response = JsonResponse({"views": views, "undo": _undoable(user)})
    response["Cache-Control"] = "no-store"
    return response


def _undoable(user: User) -> list[dict[str, Any]]:
    """Return the person's last actions that still stand, newest first."""
    if not has_role(user, Role.ANALYST):
        return []
    return [
        {"action": row.pk, "said": visible(actions.said(row), 120), "at": row.created_at.isoformat()}
        for row in last_actions(user)
        if row.undone_at is None
    ]
