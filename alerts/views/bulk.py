"""Bulk: one decision for the selected alerts, or for all that match the queue's filter.

Handed: numbers with the revisions that were seen, or a filter with the count the person was shown. Hands on: to a form
the queue with a notice, to the page's own script what was done and why the rest was not. A filter that matches more
than the person was shown, or less than half of it, changes nothing: 409 with the new count.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from alerts.forms import BulkForm, first_error
from alerts.models import ReviewAction, VerdictValue
from alerts.permissions import person, role_required
from alerts.selectors.queue import FilterError, QueueFilter
from alerts.services import actions, bulk
from alerts.services.bulk import BulkResult, Chosen, CountChangedError, Matching, Numbers
from alerts.views.common import is_fragment, page, wants_json
from triage.models import Role, User

#: Alerts left alone that are named one by one in an answer; beyond that the reasons with their numbers are enough.
NAMED = 100


@role_required(Role.ANALYST)
@require_safe
def bulk_confirm(request: HttpRequest) -> HttpResponse:
    """Ask before many are changed: the exact number, what, and a note for all."""
    try:
        wanted = QueueFilter.read(request.GET, request.user)
    except FilterError as error:
        return _ask(request, {"problem": str(error)}, status=400)
    selected = request.GET.get("bulk_selected", "")
    by_number = selected.isascii() and selected.isdigit() and len(selected) <= 9
    context: dict[str, Any] = {"do": request.GET.get("bulk_do", ""), "value": request.GET.get("bulk_value", "")}
    context |= {"selected": int(selected)} if by_number else _matches(wanted)
    return _ask(request, context)


def _matches(wanted: QueueFilter) -> dict[str, Any]:
    return {"wanted": wanted, "preview": bulk.preview(wanted)}


def _ask(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    do = context.get("do")
    context |= {"do": do if do in ("assign", "escalate") else "verdict", "verdicts": VerdictValue.choices}
    if is_fragment(request):
        response = render(request, "alerts/_bulk_confirm.html", context, status=status)
        response["Cache-Control"] = "no-store"
        return response
    return page(request, "alerts/bulk.html", context, active="queue", status=status)


@role_required(Role.ANALYST)
@require_POST
def alerts_bulk(request: HttpRequest) -> HttpResponseBase:
    """Carry out one decision for many, in one transaction."""
    form = BulkForm(request.POST)
    if not form.is_valid():
        return _refused(request, form, first_error(form), 422)
    data = form.cleaned_data
    try:
        result = _perform(_chosen(data, person(request)), data, person(request))
    except CountChangedError as error:
        more = {"count": error.count, "up_to": error.up_to}
        return _refused(request, form, f"{error}", 409, more)
    except (FilterError, actions.ReviewError) as error:
        return _refused(request, form, str(error), 422)
    if wants_json(request):
        return JsonResponse(_answer(result))
    (messages.warning if result.skipped else messages.success)(request, _said(result))
    query = data["query"]
    return redirect(f"{reverse('queue')}{'?' if query else ''}{query}")


def _chosen(data: dict[str, Any], user: User) -> Chosen:
    if data["alerts"]:
        return Numbers(data["alerts"])
    return Matching(QueueFilter.read(QueryDict(data["query"]), user), count=data["count"], up_to=data["up_to"])


def _perform(chosen: Chosen, data: dict[str, Any], user: User) -> BulkResult:
    if data["do"] == "assign":
        return bulk.assign(chosen=chosen, assignee=user if data["value"] == "me" else None, user=user)
    if data["do"] == "escalate":
        return bulk.escalate(chosen=chosen, user=user, note=data["note"])
    return bulk.decide(chosen=chosen, value=data["value"], note=data["note"], user=user)


def _refused(
    request: HttpRequest, form: BulkForm, message: str, status: int, more: dict[str, Any] | None = None
) -> HttpResponseBase:
    """Say why nothing was changed; a form is shown again with what matches now."""
    if wants_json(request):
        return JsonResponse(
            {"error": "count" if more else "invalid", "message": message, **(more or {})}, status=status
        )
    context: dict[str, Any] = {"problem": message, "do": form.data.get("do"), "value": form.data.get("value", "")}
    try:
        context |= _matches(QueueFilter.read(QueryDict(form.data.get("query", "")[:4000]), request.user))
    except FilterError as error:
        context["problem"] = str(error)
    return _ask(request, context | {"note": form.data.get("note", "")[:10_000]}, status=status)


def _said(result: BulkResult) -> str:
    """Say what was done, and why the rest was not."""
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in result.reasons.items())
    left = f" {len(result.skipped):,} left as they are: {reasons}." if result.skipped else ""
    if result.action_id is None:
        return f"Nothing was changed.{left}"
    return f"{actions.said(ReviewAction.objects.get(pk=result.action_id))}.{left}"


def _answer(result: BulkResult) -> dict[str, Any]:
    return {
        "action": result.action_id,
        "done": len(result.decided),
        "skipped": len(result.skipped),
        "reasons": result.reasons,
        "left": [{"id": pk, "reason": reason} for pk, reason in result.skipped[:NAMED]],
        "said": _said(result),
    }
