"""Undo: take back what this person did last.

Handed: nothing, or the number of one of their last ten actions. Hands on: to a form the queue with a notice, to the
page's own script what came back and what did not.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from alerts.permissions import person, role_required
from alerts.services import actions, undo
from alerts.services.undo import NothingToUndoError, Undone
from alerts.text import visible
from alerts.views.common import wants_json
from triage.models import Role

#: Alerts named one by one in an answer; beyond that their number and reasons are enough.
NAMED = 100


@role_required(Role.ANALYST)
@require_POST
def alerts_undo(request: HttpRequest) -> HttpResponseBase:
    """Take back the newest action that still stands, or the one that ``action`` names."""
    named = request.POST.get("action", "")
    if named and not (named.isascii() and named.isdigit() and len(named) <= 18):
        return _refused(request, "action: the number of one of your actions")
    try:
        done = undo.undo(user=person(request), action_id=int(named) if named else None)
    except NothingToUndoError as error:
        return _nothing(request, str(error))
    if wants_json(request):
        return JsonResponse(_answer(done))
    (messages.warning if done.skipped else messages.success)(request, _said(done))
    return redirect("alert", next(iter(done.revisions))) if len(done.revisions) == 1 else redirect("queue")


def _refused(request: HttpRequest, message: str) -> HttpResponseBase:
    if wants_json(request):
        return JsonResponse({"error": "invalid", "message": message}, status=422)
    return _nothing(request, message)


def _nothing(request: HttpRequest, message: str) -> HttpResponseBase:
    """Say that nothing was left to undo; to have asked is no mistake."""
    said = f"Nothing was changed: {message}."
    if wants_json(request):
        return JsonResponse({"action": None, "undone": 0, "ids": [], "revisions": {}, "skipped": 0, "said": said})
    messages.info(request, said)
    return redirect("queue")


def _said(done: Undone) -> str:
    """Say what was taken back, and name what was not."""
    what = actions.said(done.action)
    if not done.revisions and done.skipped:
        text = f"Not undone: {what}."
    elif done.action.alert_count < 2:
        text = f"Undone: {what}."
    else:
        text = f"Undone for {len(done.revisions):,} of {done.action.alert_count:,}: {what}."
    if not done.skipped:
        return text
    names = [f"alert {pk} ({visible(reason, 100)})" for pk, reason in done.skipped]
    return f"{text} Left as it is: {actions.listed(names)}."


def _answer(done: Undone) -> dict[str, Any]:
    shown = dict(list(done.revisions.items())[:NAMED])
    return {
        "action": done.action.pk,
        "kind": done.action.kind,
        "undone": len(done.revisions),
        "ids": list(shown),
        "revisions": shown,
        "skipped": len(done.skipped),
        "left": [{"id": pk, "reason": visible(reason, 100)} for pk, reason in done.skipped[:NAMED]],
        "said": _said(done),
    }
