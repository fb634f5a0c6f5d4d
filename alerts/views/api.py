"""The alerts API for SOAR and scripts.

Handed: a request with ``Authorization: Bearer T`` or a session. Hands on: JSON; an error is always
``{"error": {"code", "message"}}`` with a fitting status. Nothing is cut off silently: a list says where its
next page starts, a bulk decision says what it skipped and why.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from alerts.models import Alert
from alerts.permissions import has_role
from alerts.selectors import queue
from alerts.selectors.alert import AlertPage, alert_page, is_blind
from alerts.selectors.explanation import ExplanationView
from alerts.selectors.queue import FilterError, QueueFilter
from alerts.selectors.queue_filter import PARAMETERS
from alerts.services import actions, bulk, review
from alerts.services.bulk import CountChangedError, Matching, Numbers
from triage import documents
from triage.models import Role, TokenScope, User
from triage.views.api import ApiError, caller, error_reply

MAX_PAGE = 500
MAX_BODY_BYTES = 2**20
ApiView = Callable[..., HttpResponse]


def api(method: str, role: str, scope: str) -> Callable[[ApiView], ApiView]:
    """Let a view answer one method, for people of a role, by token of a scope or by session (with CSRF)."""

    def decorate(view: ApiView) -> ApiView:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            try:
                user = caller(request, scope)
                if not has_role(user, role):
                    raise ApiError(403, "forbidden", f"this needs the role {role}")
                if request.method not in (method, "HEAD" if method == "GET" else method):
                    raise ApiError(405, "method_not_allowed", f"only {method}")
                return view(request, user, *args, **kwargs)
            except ApiError as error:
                return error_reply(error.status, error.code, str(error))
            except FilterError as error:
                return error_reply(400, "bad_parameter", str(error))
            except Alert.DoesNotExist:
                return error_reply(404, "not_found", "no such alert")

        guarded.required_role = role  # type: ignore[attr-defined]  # read by the permission table test
        return guarded

    return decorate


def _iso(moment: Any) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _summary(alert: Alert) -> dict[str, Any]:
    blind = is_blind(alert)
    return {
        "id": alert.pk,
        "status": alert.status,
        "origin": alert.origin,
        "severity": None if blind else alert.severity,
        "title": alert.title,
        "entity": alert.entity,
        "source": {"id": alert.source_id, "name": alert.source.name},
        "host": alert.host_name,
        "user": alert.user_name,
        "source_ip": alert.source_ip,
        "score": None if blind else alert.score,
        "p_value": None if blind else alert.p_value,
        "worth": None if blind else alert.worth,
        "techniques": [] if blind else alert.techniques,
        "event_count": alert.event_count,
        "first_seen_at": _iso(alert.first_seen_at),
        "last_seen_at": _iso(alert.last_seen_at),
        "assignee": alert.assignee.get_username() if alert.assignee else None,
        "explanation_state": None if blind else alert.explanation_state,
        "severity_parts": None if blind else alert.severity_parts,
        "injection_suspected": None if blind else alert.injection_suspected,
        "revision": alert.revision,
    }


def _explanation(view: ExplanationView | None) -> dict[str, Any] | None:
    """Return an explanation. ``grounding`` is None where nothing was checked, ``cost.usd`` where nobody knows it."""
    if view is None:
        return None
    row, cost = view.row, view.cost
    return {
        "answer": row.answer,
        "evidence": row.evidence,
        "explainer": row.explainer,
        "model": row.model or None,
        "prompt_version": row.prompt_version or None,
        "created_at": _iso(row.created_at),
        "grounding": view.grounding,
        "cost": None if cost is None else {"usd": cost.usd, "basis": cost.basis},
        "tier": row.tier or None,
        "inherited": row.inherited,
        "stale": view.stale,
    }


def _detail(shown: AlertPage) -> dict[str, Any]:
    return _summary(shown.alert) | {
        "injection_findings": [
            {"event_id": one.event_id, "field": one.field, "why": one.why, "excerpt": one.excerpt}
            for one in shown.findings
        ],
        "explanation": _explanation(shown.explanation),
        "explanation_failures": [
            {"reason": one.row.failure, "model": one.row.model or None, "created_at": _iso(one.row.created_at)}
            for one in shown.failures
        ],
        "events": [
            {
                "id": view.link.event_id,
                "timestamp": _iso(view.link.timestamp),
                "score": None if shown.blind else view.link.score,
                "p_value": None if shown.blind else view.link.p_value,
                "reasons": [] if shown.blind else view.link.reasons,
                "message": documents.of(view.event).message if view.event else None,
            }
            for view in shown.events
        ],
        "verdicts": [
            {
                "value": verdict.value,
                "note": verdict.note,
                "decided_by": verdict.decided_by,
                "user": verdict.user.get_username() if verdict.user else None,
                "created_at": _iso(verdict.created_at),
            }
            for verdict in shown.verdicts
        ],
        "history": [
            {"actor": row.actor, "kind": row.actor_kind, "action": row.action, "at": _iso(row.created_at)}
            for row in shown.history
        ],
    }


@api("GET", Role.VIEWER, TokenScope.READ)
def alert_list(request: HttpRequest, user: User) -> JsonResponse:
    """List alerts in the queue's order: ``status``, ``severity``, ``source``, ``q``, ``limit``, ``cursor``."""
    limit = request.GET.get("limit", "50")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_PAGE):
        raise ApiError(400, "bad_parameter", f"limit: 1 to {MAX_PAGE}")
    wanted = QueueFilter.read(request.GET, user)
    found = queue.page(wanted, cursor=request.GET.get("cursor", ""), size=int(limit))
    return JsonResponse({"alerts": [_summary(alert) for alert in found.alerts], "next": found.next_cursor or None})


@api("GET", Role.VIEWER, TokenScope.READ)
def alert_detail(_request: HttpRequest, _user: User, alert_id: int) -> JsonResponse:
    """Return one alert with its explanation, events, verdicts and history."""
    return JsonResponse(_detail(alert_page(alert_id)))


def _body(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object of a request."""
    length = request.headers.get("Content-Length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise ApiError(413, "too_large", f"at most {MAX_BODY_BYTES} bytes")
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", "the body is not JSON") from error
    if not isinstance(found, dict):
        raise ApiError(400, "bad_json", "the body must be a JSON object")
    return found


def _decision(body: dict[str, Any]) -> tuple[str, str]:
    value, note = body.get("value"), body.get("note", "")
    if not isinstance(value, str) or not isinstance(note, str):
        raise ApiError(400, "bad_parameter", "value and note must be strings")
    return value, note


@api("POST", Role.ANALYST, TokenScope.WRITE)
def alert_verdict(request: HttpRequest, user: User, alert_id: int) -> JsonResponse:
    """Record a verdict: ``{"value", "note"?, "revision"?}``; with ``revision`` a stale write is refused (409)."""
    body = _body(request)
    value, note = _decision(body)
    revision = body.get("revision")
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int)):
        raise ApiError(400, "bad_parameter", "revision must be a whole number")
    try:
        review.record_verdict(alert_id=alert_id, value=value, note=note, user=user, expected_revision=revision)
    except actions.ReviewError as error:
        raise ApiError(400, "bad_parameter", str(error)) from error
    except review.StaleAlertError as error:
        current = Alert.objects.select_related("source", "assignee").get(pk=alert_id)
        problem = {"code": "stale", "message": str(error)}
        return JsonResponse({"error": problem, "alert": _summary(current)}, status=409)
    return JsonResponse(_detail(alert_page(alert_id)))


@api("POST", Role.ANALYST, TokenScope.WRITE)
def alert_bulk(request: HttpRequest, user: User) -> JsonResponse:
    """Record one verdict for many, by number or by the queue's filter; say what was decided and skipped, and why.

    ``{"ids": [...], "value", "note"?}``, or ``{"filter": {"severity": "low", ...}, "expected_count"?, "up_to"?,
    "dry_run"?, "value", "note"?}``. A filter that matches more than ``expected_count``, or less than half of it, is
    refused (409) with the count there is; ``up_to`` leaves alone what came later than that alert.
    """
    body = _body(request)
    chosen = _by_filter(body, user) if "filter" in body else _by_number(body)
    if isinstance(chosen, Matching) and _flag(body, "dry_run"):
        told = bulk.preview(chosen.wanted)
        return JsonResponse({"matching": told.count, "up_to": told.up_to, "decided": [], "skipped": []})
    value, note = _decision(body)
    try:
        result = bulk.decide(chosen=chosen, value=value, note=note, user=user)
    except actions.ReviewError as error:
        raise ApiError(400, "bad_parameter", str(error)) from error
    except CountChangedError as error:
        problem = {"code": "count_changed", "message": str(error)}
        return JsonResponse({"error": problem, "matching": error.count, "up_to": error.up_to}, status=409)
    skipped = [{"id": identifier, "reason": reason} for identifier, reason in result.skipped]
    return JsonResponse({"decided": list(result.decided), "skipped": skipped})


def _by_number(body: dict[str, Any]) -> Numbers:
    ids = body.get("ids")
    if not isinstance(ids, list) or not all(type(one) is int and 0 < one < 2**63 for one in ids):
        raise ApiError(400, "bad_parameter", "ids must be a list of alert numbers")
    return Numbers.of(ids)


def _by_filter(body: dict[str, Any], user: User) -> Matching:
    """Return what a filter object asks for; one that narrows nothing needs the count, so that nobody closes all."""
    wanted = body["filter"]
    if "ids" in body or not isinstance(wanted, dict):
        raise ApiError(400, "bad_parameter", "filter must be an object, without ids beside it")
    unknown = [name for name in wanted if name not in PARAMETERS]
    if unknown:
        raise ApiError(400, "bad_parameter", f"filter: unknown {unknown[0][:40]!r}; known: {', '.join(PARAMETERS)}")
    if not all(isinstance(one, str) or type(one) is int for one in wanted.values()):
        raise ApiError(400, "bad_parameter", "filter: values must be strings or whole numbers")
    parameters = QueryDict(mutable=True)
    parameters.update({name: str(one) for name, one in wanted.items()})
    chosen = Matching(QueueFilter.read(parameters, user), _whole(body, "expected_count"), _whole(body, "up_to"))
    if not chosen.wanted.narrowed and chosen.count is None and not _flag(body, "dry_run"):
        raise ApiError(400, "bad_parameter", "filter: one that matches every open alert needs expected_count")
    return chosen


def _whole(body: dict[str, Any], name: str) -> int | None:
    number = body.get(name)
    if number is None:
        return None
    if type(number) is not int or not 0 <= number < 2**63:
        raise ApiError(400, "bad_parameter", f"{name} must be a whole number")
    return number


def _flag(body: dict[str, Any], name: str) -> bool:
    if type(body.get(name, False)) is not bool:
        raise ApiError(400, "bad_parameter", f"{name} must be true or false")
    return bool(body.get(name, False))
