"""Alarms: closed by people.

Handed: a note. Hands on: the models page, with what came of it.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from alerts.permissions import person, role_required
from alerts.services import alarms
from triage.models import Alarm, Role


@role_required(Role.LEAD)
@require_POST
def alarm_close(request: HttpRequest, alarm_id: int) -> HttpResponseBase:
    """Close an alarm."""
    try:
        alarms.close_alarm(alarm_id=alarm_id, user=person(request), note=request.POST.get("note", ""))
    except Alarm.DoesNotExist as error:
        raise Http404("no such alarm") from error
    except alarms.AlarmClosedError as error:
        messages.error(request, f"Nothing was changed: {error}.")
    else:
        messages.success(request, "The alarm is closed.")
    return redirect("models")
