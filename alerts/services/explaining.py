"""Alerts get their explanations.

Handed: alerts that wait for one (the rows are the queue, claimed by a lease). Hands on: Explanation rows,
appended and never changed: evidence first, so that every alert says why it was flagged even while no
language model answers, then the model's answer or the reason why there is none. An explanation touches
neither severity nor status: it has no way to lower or close anything.

An alert is explained once; events that join later do not trigger another call. :func:`re_explain` does.
"""

import datetime as dt
import logging
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from alerts.models import Alert, AlertOrigin, AlertStatus, Explanation, ExplanationState
from alerts.services import audit
from alerts.services.evidence import build_request
from triage import explainers
from triage.contracts import ExplanationAnswer, ExplanationRequest
from triage.explainers.base import Explainer, ExplanationError
from triage.models import User

__all__ = ["build_request", "explain_alert", "explain_pending", "explainer_status", "re_explain"]

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
#: Failures that may pass by themselves and are tried again.
PASSING = frozenset({"timeout", "unreachable"})
#: After these the pass ends: the others would meet the same.
ENDS_PASS = PASSING | {"breaker"}
BACKOFF_SECONDS = 30
BACKOFF_FACTOR = 4
#: A lease outlives the slowest chain of calls one explanation may take.
LEASE_CALLS = 7
MAX_DETAIL = 2000
#: Alerts per pass: a worker is given back often enough to be stopped.
BATCH = 50
#: Evidence costs milliseconds, a model's answer seconds.
EVIDENCE_FACTOR = 10


@dataclass(frozen=True, slots=True)
class Claimed:
    """An alert that this process explains, until its lease ends."""

    alert: Alert
    lease_until: dt.datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try gave no explanation. ``details`` holds the record of the call, where there was one."""

    reason: str
    detail: str
    explainer: str
    model: str
    details: dict[str, Any] = field(default_factory=dict)


def explainer_status() -> str:
    """Return why no language model is asked, or an empty string when one is."""
    if not settings.LLM_BASE_URL:
        return "no language model is configured"
    if settings.LLM_DATA_POLICY == "off":
        return "the data policy is off: nothing is sent to a language model"
    return ""


def explain_pending(*, limit: int = BATCH) -> int:
    """Explain up to ``limit`` waiting alerts, most severe first; return how many were handled.

    A try that times out or cannot reach the endpoint ends the pass: the others would only wait for the same.
    """
    store_missing_evidence(limit=EVIDENCE_FACTOR * limit)
    handled = 0
    for identifier in list(_waiting().values_list("pk", flat=True)[:limit]):
        claimed = _claim(identifier)
        if claimed is None:
            continue
        handled += 1
        if _explain(claimed) in ENDS_PASS:
            break
    return handled


def explain_alert(*, alert_id: int) -> bool:
    """Explain one alert when it waits for it; return whether this call did."""
    claimed = _claim(alert_id)
    if claimed is None:
        return False
    _explain(claimed)
    return True


def re_explain(*, alert_id: int, user: User) -> Alert:
    """Let a person ask for a new explanation; raise ``Alert.DoesNotExist``. Earlier ones stay."""
    with transaction.atomic():
        alert = Alert.objects.select_for_update().get(pk=alert_id)
        alert.explanation_state = ExplanationState.PENDING
        alert.explanation_lease_until = None
        alert.explanation_attempts = 0
        alert.revision += 1
        alert.save(
            update_fields=[
                "explanation_state", "explanation_lease_until", "explanation_attempts", "revision", "updated_at",
            ]
        )  # fmt: skip
        audit.record_person(action="alert.re_explain", user=user, alert=alert)
    return alert


def _free() -> Q:
    """Return what can be claimed: waiting and due, or left behind by a process that died."""
    now = timezone.now()
    due = Q(explanation_lease_until__isnull=True) | Q(explanation_lease_until__lte=now)
    left_behind = Q(explanation_state=ExplanationState.RUNNING, explanation_lease_until__lte=now)
    return (Q(explanation_state=ExplanationState.PENDING) & due) | left_behind


def _waiting() -> Any:
    """Return open alerts that can be claimed. A blind audit is never explained: its reviewer must not know."""
    rows = Alert.objects.filter(_free(), status=AlertStatus.OPEN).exclude(origin=AlertOrigin.BLIND_AUDIT)
    return rows.order_by("-severity_rank", "id")


def _claim(alert_id: int) -> Claimed | None:
    """Take an alert by conditional update; None when someone else has it or nothing is to do."""
    lease_until = timezone.now() + dt.timedelta(seconds=60 + LEASE_CALLS * settings.LLM_TIMEOUT_SECONDS)
    taken = (
        Alert.objects.filter(_free(), pk=alert_id)
        .exclude(origin=AlertOrigin.BLIND_AUDIT)
        .update(
            explanation_state=ExplanationState.RUNNING,
            explanation_lease_until=lease_until,
            explanation_attempts=F("explanation_attempts") + 1,
        )
    )
    return Claimed(Alert.objects.get(pk=alert_id), lease_until) if taken else None


def _explain(claimed: Claimed) -> str:
    """Explain a claimed alert and store what came of it; return the failure's reason or an empty string."""
    request = build_request(claimed.alert)
    why_not = explainer_status()
    if why_not:
        answer = _evidence_answer(request, note=why_not)
        _store(claimed, request, ExplanationState.DONE, answers=[answer])
        return ""
    if claimed.alert.explanation_attempts > MAX_ATTEMPTS:
        detail = f"{MAX_ATTEMPTS} tries did not come to an end"
        return _give_up(claimed, request, Failure("timeout", detail, "openai_chat", settings.LLM_MODEL))
    outcome = _ask(request)
    if isinstance(outcome, ExplanationAnswer):
        _store(claimed, request, ExplanationState.DONE, answers=[outcome])
        return ""
    if outcome.reason == "breaker":
        _wait_for_breaker(claimed, outcome)
        return outcome.reason
    if outcome.reason in PASSING and claimed.alert.explanation_attempts < MAX_ATTEMPTS:
        _store(claimed, request, ExplanationState.PENDING, failure=outcome)
        return outcome.reason
    return _give_up(claimed, request, outcome)


def _wait_for_breaker(claimed: Claimed, failure: Failure) -> None:
    """Put the alert back until the endpoint may be asked again: nothing was asked, so it was no try."""
    wait = float(failure.details.get("retry_after_s", BACKOFF_SECONDS))
    Alert.objects.filter(
        pk=claimed.alert.pk, explanation_state=ExplanationState.RUNNING, explanation_lease_until=claimed.lease_until
    ).update(
        explanation_state=ExplanationState.PENDING,
        explanation_lease_until=timezone.now() + dt.timedelta(seconds=max(wait, 1.0)),
        explanation_attempts=F("explanation_attempts") - 1,
    )


def _give_up(claimed: Claimed, request: ExplanationRequest, failure: Failure) -> str:
    note = f"the language model gave no explanation: {failure.reason}"
    answer = _evidence_answer(request, note=note)
    _store(claimed, request, ExplanationState.FAILED, failure=failure, answers=[answer])
    return failure.reason


def _ask(request: ExplanationRequest) -> ExplanationAnswer | Failure:
    """Call the language model without holding a database connection; never raises."""
    explainer: Explainer = explainers.get("openai_chat")(
        base_url=settings.LLM_BASE_URL,
        api_key=settings.LLM_API_KEY,
        model=settings.LLM_MODEL,
        timeout=settings.LLM_TIMEOUT_SECONDS,
        policy=settings.LLM_DATA_POLICY,
    )
    if not connection.in_atomic_block:
        connection.close()
    try:
        return explainer.explain(request)
    except ExplanationError as error:
        return Failure(error.reason, str(error)[:MAX_DETAIL], explainer.name, settings.LLM_MODEL, error.details)
    except Exception as error:  # a fault of ours must not keep the alert from being explained by evidence
        logger.exception("the explainer failed")
        return Failure("invalid", f"{type(error).__name__} in the explainer", explainer.name, settings.LLM_MODEL)


def _evidence_answer(request: ExplanationRequest, *, note: str) -> ExplanationAnswer:
    answer: ExplanationAnswer = explainers.get("evidence")().explain(request)
    return ExplanationAnswer(**(_columns(answer) | {"details": {**answer.details, "note": note}}))


def _columns(answer: ExplanationAnswer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in ExplanationAnswer.__dataclass_fields__}


def _store(
    claimed: Claimed,
    request: ExplanationRequest,
    state: str,
    *,
    failure: Failure | None = None,
    answers: list[ExplanationAnswer] | None = None,
) -> None:
    """Append what came of a try and release the lease, in one transaction.

    When the lease has passed to another process, nothing is stored: that one's result counts.
    """
    retry_at = None
    if state == ExplanationState.PENDING:
        wait = BACKOFF_SECONDS * BACKOFF_FACTOR ** (claimed.alert.explanation_attempts - 1)
        retry_at = timezone.now() + dt.timedelta(seconds=wait)
    with transaction.atomic():
        kept = Alert.objects.filter(
            pk=claimed.alert.pk,
            explanation_state=ExplanationState.RUNNING,
            explanation_lease_until=claimed.lease_until,
        ).update(
            explanation_state=state,
            explanation_lease_until=retry_at,
            revision=F("revision") + 1,
            updated_at=timezone.now(),
        )
        if not kept:
            logger.warning("alert %s was explained by another process meanwhile", claimed.alert.pk)
            return
        if failure is not None:
            _append_failure(claimed.alert, request, failure)
        for answer in answers or []:
            _append_answer(claimed.alert, request, answer)


def _evidence_rows(request: ExplanationRequest) -> list[dict[str, Any]]:
    return [asdict(line) for line in request.evidence]


def _append_failure(alert: Alert, request: ExplanationRequest, failure: Failure) -> None:
    Explanation.objects.create(
        alert=alert,
        explainer=failure.explainer,
        model=failure.model[:120],
        evidence=_evidence_rows(request),
        failure=failure.reason[:32],
        failure_detail=failure.detail,
        details=failure.details,
    )


def _append_answer(alert: Alert, request: ExplanationRequest, answer: ExplanationAnswer) -> None:
    told = asdict(answer)
    keys = ("what_happened", "why_it_matters", "why_it_may_be_benign", "next_checks", "techniques")
    Explanation.objects.create(
        alert=alert,
        explainer=answer.explainer[:32],
        model=answer.model[:120],
        prompt_version=answer.prompt_version[:32],
        answer={key: told[key] for key in (*keys, "suggested_verdict", "confidence")},
        evidence=_evidence_rows(request),
        suggested_verdict=answer.suggested_verdict,
        confidence=answer.confidence,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        latency_ms=answer.latency_ms,
        details=dict(answer.details),
    )


def store_missing_evidence(*, limit: int) -> int:
    """Give every waiting alert that has no explanation row at all its evidence; return how many got it.

    Only when a language model is asked: otherwise the evidence is the explanation and comes with the claim.
    """
    if explainer_status():
        return 0
    without = _waiting().filter(~Exists(Explanation.objects.filter(alert=OuterRef("pk"))))
    return sum(_store_evidence(identifier) for identifier in list(without.values_list("pk", flat=True)[:limit]))


def _store_evidence(alert_id: int) -> bool:
    with transaction.atomic():
        alert = Alert.objects.select_for_update().get(pk=alert_id)
        if alert.explanations.exists():
            return False
        request = build_request(alert)
        _append_answer(alert, request, _evidence_answer(request, note="the language model has not answered yet"))
    return True
