"""The audit trail: a page to read and an export, which is in the trail itself.

Handed: a filter. Hands on: HTML, or CSV whose cells no spreadsheet takes for formulas.
"""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_POST, require_safe

from alerts.exports import csv_cell
from alerts.permissions import person, role_required
from alerts.selectors import trail
from alerts.selectors.trail import TrailFilter
from alerts.services import audit
from alerts.views.common import page
from triage.models import Role

COLUMNS = ("time", "actor", "kind", "action", "alert", "details")


@role_required(Role.LEAD)
@require_safe
def trail_page(request: HttpRequest) -> HttpResponse:
    """Show who did what, newest first."""
    wanted, before = TrailFilter.read(request.GET), request.GET.get("before", "")
    number = int(before) if before.isascii() and before.isdigit() and len(before) <= 18 else 0
    entries, following = trail.page(wanted, before=number)
    context = {"entries": entries, "next": following, "wanted": wanted, "actions": trail.actions(wanted.action)}
    return page(request, "alerts/trail.html", context, active="settings")


@role_required(Role.LEAD)
@require_POST
def trail_export(request: HttpRequest) -> StreamingHttpResponse:
    """Hand the matching entries out as CSV; that it was done is an entry of its own."""
    wanted = TrailFilter.read(request.POST)
    audit.record_person(action="trail.exported", user=person(request), details={"filter": wanted.query()})

    def rows() -> Iterator[str]:
        yield ",".join(map(csv_cell, COLUMNS)) + "\r\n"
        for line in trail.lines(wanted):
            yield ",".join(map(csv_cell, line)) + "\r\n"

    response = StreamingHttpResponse(rows(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="winnow-audit.csv"'
    response["Cache-Control"] = "no-store"
    return response
