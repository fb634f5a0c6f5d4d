"""Presence: an open page says that its person is looking at an alert, and hears who else is.

Handed: an alert's id, every 15 seconds. Hands on: one line, empty when nobody else is there.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from alerts.models import Alert
from alerts.permissions import person, role_required
from alerts.services.presence import note_presence
from triage.models import Role


@role_required(Role.ANALYST)
@require_POST
def alert_presence(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Note that this person has the alert open; return who else has."""
    try:
        others = note_presence(alert_id=alert_id, user=person(request))
    except Alert.DoesNotExist as error:
        raise Http404("no such alert") from error
    response = render(request, "alerts/_presence.html", {"others": others})
    response["Cache-Control"] = "no-store"
    return response
