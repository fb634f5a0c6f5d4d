"""An alert as a file for other programs, from its page and from the API; each is in the audit trail.

Handed: an alert's number and a format. Hands on: the file, or why there is none.
"""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_POST

from alerts.models import Alert
from alerts.permissions import person, role_required
from alerts.selectors.case import BlindAuditError
from alerts.services import case_exports
from alerts.services.case_exports import CaseFile, ExportError
from alerts.views.alert import show_alert
from alerts.views.api import api
from triage.models import Role, TokenScope, User
from triage.views.api import ApiError


@role_required(Role.ANALYST)
@require_POST
def alert_export(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    """Hand an alert out as a file."""
    try:
        file = case_exports.export(alert_id=alert_id, form=request.POST.get("format", ""), user=person(request))
    except Alert.DoesNotExist as error:
        raise Http404("no such alert") from error
    except (ExportError, BlindAuditError) as error:
        return show_alert(request, alert_id, status=409, export_problem=str(error))
    response = _answer(file)
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


@api("GET", Role.ANALYST, TokenScope.READ)
def api_alert_export(request: HttpRequest, user: User, alert_id: int) -> HttpResponse:
    """Return an alert in ``format``: json, thehive, iris or stix."""
    form = request.GET.get("format", "json")
    if form not in case_exports.FORMS:
        raise ApiError(400, "bad_parameter", f"format: one of {', '.join(case_exports.FORMS)}")
    try:
        return _answer(case_exports.export(alert_id=alert_id, form=form, user=user))
    except (ExportError, BlindAuditError) as error:
        raise ApiError(409, "not_exported", str(error)) from error


def _answer(file: CaseFile) -> HttpResponse:
    response = HttpResponse(file.content, content_type=file.media_type)
    response["Cache-Control"] = "no-store"
    return response
