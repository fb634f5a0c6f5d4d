"""Alerts get their explanations.

Handed: alerts that wait for one (the rows are the queue, claimed by a lease). Hands on: Explanation rows,
appended and never changed: evidence first, so that every alert says why it was flagged even while no
language model answers, then what asking one came to (:mod:`alerts.services.asking`) or the reason why there is
nothing. An explanation may raise an alert's severity; it has no way to lower it, or to close or hide anything.

An alert is explained once; events that join later do not trigger another call. :func:`re_explain` does.
"""

import datetime as dt
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from alerts.models import Alert, AlertOrigin, AlertStatus, CallTier, Explanation, ExplanationState
from alerts.services import asking, audit, notifying, severity
from alerts.services.evidence import answer_by_rule, build_request
from alerts.services.grouping import wake_explaining
from triage.contracts import ExplanationAnswer, ExplanationRequest
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
#: Waits are up to this much longer, at random.
JITTER = 0.25
_DICE = random.SystemRandom()
AUTOMATION = "explaining"
ANSWER_KEYS = (
    "what_happened", "why_it_matters", "why_it_may_be_benign", "next_checks", "techniques", "suggested_verdict",
    "confidence", "severity",
)  # fmt: skip
#: All that storing an explanation may change of an alert.
STORED = (
    "explanation_state", "explanation_lease_until", "explanation_attempts", "explanation_wanted_by",
    "explanation_wanted_tier", "severity", "severity_rank", "severity_parts", "injection_suspected",
    "injection_findings", "revision", "updated_at",
)  # fmt: skip
#: Alerts per pass: a worker is given back often enough to be stopped.
BATCH = 50
#: Evidence costs milliseconds, a model's answer seconds.
EVIDENCE_FACTOR = 10


@dataclass(slots=True)
class Claimed:
    """An alert that this process explains, until its lease ends."""

    alert: Alert
    lease_until: dt.datetime

    def renew(self) -> bool:
        """Begin a new lease for the next call; return whether the alert is still this process's."""
        until = _lease_end()
        kept = Alert.objects.filter(
            pk=self.alert.pk, explanation_state=ExplanationState.RUNNING, explanation_lease_until=self.lease_until
        ).update(explanation_lease_until=until)
        self.lease_until = until if kept else self.lease_until
        return bool(kept)


def _lease_end() -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=60 + LEASE_CALLS * settings.LLM_TIMEOUT_SECONDS)


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


def explain_alert(*, alert_id: int, unasked: str = "") -> bool:
    """Explain one alert when it waits for it; return whether this call did. ``unasked`` says why no model is asked."""
    claimed = _claim(alert_id)
    if claimed is None:
        return False
    _explain(claimed, unasked)
    return True


def re_explain(*, alert_id: int, user: User, stronger: bool = False) -> Alert:
    """Let a person ask for a new explanation; raise ``Alert.DoesNotExist``. Earlier ones stay.

    ``stronger`` asks the larger model, where one is configured. A new explanation is never taken over from another
    alert.
    """
    with transaction.atomic():
        alert = Alert.objects.select_for_update(of=("self",)).get(pk=alert_id)
        alert.explanation_wanted_by = user
        alert.explanation_wanted_tier = CallTier.LARGE if stronger else CallTier.SMALL
        alert.explanation_state = ExplanationState.PENDING
        alert.explanation_lease_until = None
        alert.explanation_attempts = 0
        alert.revision += 1
        alert.save(
            update_fields=[
                "explanation_state", "explanation_lease_until", "explanation_attempts", "explanation_wanted_by",
                "explanation_wanted_tier", "revision", "updated_at",
            ]
        )  # fmt: skip
        details = {"tier": str(alert.explanation_wanted_tier)}
        audit.record_person(action="alert.re_explain", user=user, alert=alert, details=details)
        transaction.on_commit(wake_explaining, robust=True)
    return alert


def make_due() -> int:
    """Let alerts that wait for money or for an endpoint be tried now, as after a cap was raised; return how many."""
    waiting = Alert.objects.filter(explanation_state=ExplanationState.PENDING, explanation_lease_until__isnull=False)
    return waiting.update(explanation_lease_until=None)


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
    lease_until = _lease_end()
    taken = (
        Alert.objects.filter(_free(), pk=alert_id)
        .exclude(origin=AlertOrigin.BLIND_AUDIT)
        .exclude(status=AlertStatus.MUTED)
        .update(
            explanation_state=ExplanationState.RUNNING,
            explanation_lease_until=lease_until,
            explanation_attempts=F("explanation_attempts") + 1,
        )
    )
    return (
        Claimed(Alert.objects.select_related("explanation_wanted_by").get(pk=alert_id), lease_until) if taken else None
    )


def _explain(claimed: Claimed, unasked: str = "") -> str:
    """Explain a claimed alert and store what came of it; return the failure's reason or an empty string."""
    request = build_request(claimed.alert)
    why_not = unasked or explainer_status()
    if why_not:
        answer = answer_by_rule(request, note=why_not)
        _store(claimed, request, ExplanationState.DONE, results=[answer])
        return ""
    if claimed.alert.explanation_attempts > MAX_ATTEMPTS:
        return _give_up(claimed, request, [_ended_nowhere()])
    try:
        outcome = asking.ask(_question(claimed, request))
    except asking.LeaseLostError:
        logger.warning("alert %s was taken over by another process", claimed.alert.pk)
        return ""
    return _conclude(claimed, request, outcome)


def _question(claimed: Claimed, request: ExplanationRequest) -> asking.Question:
    alert = claimed.alert
    return asking.Question(
        alert=alert,
        request=request,
        attempt=alert.explanation_attempts,
        keep=claimed.renew,
        wanted_by=alert.explanation_wanted_by,
        wanted_tier=alert.explanation_wanted_tier,
    )


def _ended_nowhere() -> asking.Failure:
    detail = f"{MAX_ATTEMPTS} tries did not come to an end"
    return asking.Failure("timeout", detail, model=settings.LLM_MODEL)


def _conclude(claimed: Claimed, request: ExplanationRequest, outcome: asking.Outcome) -> str:
    """Store an outcome: an answer, a failure for good, or one to be tried again."""
    failure = outcome.failure
    results = list(outcome.results)
    if outcome.come_back is not None:
        _put_back(claimed, outcome.come_back)
        return ""
    if failure is None:
        _store(claimed, request, ExplanationState.DONE, results=results, doubt=outcome.doubt)
        return ""
    if failure.reason == "breaker":
        _put_back(claimed, dt.timedelta(seconds=float(failure.details.get("retry_after_s", BACKOFF_SECONDS))))
        return failure.reason
    if failure.until is not None:
        _wait_for_money(claimed, request, results, failure.until)
        return failure.reason
    if failure.reason in PASSING and claimed.alert.explanation_attempts < MAX_ATTEMPTS:
        _store(claimed, request, ExplanationState.PENDING, results=results, retry_at=_retry_at(claimed.alert))
        return failure.reason
    return _give_up(claimed, request, results)


def _retry_at(alert: Alert) -> dt.datetime:
    """Return when to try again: later each time, and not at the same moment as everybody else."""
    wait = BACKOFF_SECONDS * BACKOFF_FACTOR ** (alert.explanation_attempts - 1)
    return timezone.now() + dt.timedelta(seconds=wait * _DICE.uniform(1.0, 1.0 + JITTER))


def _put_back(claimed: Claimed, wait: dt.timedelta) -> None:
    """Let the alert wait without counting a try: nothing was asked."""
    Alert.objects.filter(
        pk=claimed.alert.pk, explanation_state=ExplanationState.RUNNING, explanation_lease_until=claimed.lease_until
    ).update(
        explanation_state=ExplanationState.PENDING,
        explanation_lease_until=timezone.now() + max(wait, dt.timedelta(seconds=1)),
        explanation_attempts=F("explanation_attempts") - 1,
    )


def _wait_for_money(
    claimed: Claimed, request: ExplanationRequest, results: Sequence[asking.Given | asking.Failure], until: dt.datetime
) -> None:
    """Put the alert back until the next period; that there was no money for it is written down once a period."""
    told = claimed.alert.explanations.filter(failure="budget").order_by("-id").first()
    if told is not None and told.details.get("until") == until.isoformat():
        _put_back(claimed, until - timezone.now())
        return
    _store(claimed, request, ExplanationState.PENDING, results=results, retry_at=until, counts=False)


def _give_up(claimed: Claimed, request: ExplanationRequest, results: Sequence[asking.Given | asking.Failure]) -> str:
    failure = results[-1]
    assert isinstance(failure, asking.Failure)
    note = f"the language model gave no explanation: {failure.reason}"
    answer = answer_by_rule(request, note=note)
    _store(claimed, request, ExplanationState.FAILED, results=[*results, answer])
    return failure.reason


def _store(
    claimed: Claimed,
    request: ExplanationRequest,
    state: str,
    *,
    results: Sequence[asking.Given | asking.Failure | ExplanationAnswer],
    retry_at: dt.datetime | None = None,
    counts: bool = True,
    doubt: str = "",
) -> None:
    """Append what came of a try and release the lease, in one transaction.

    When the lease has passed to another process, nothing is stored: that one's result counts. ``counts`` tells
    whether this was a try, ``doubt`` why free text is suspected to have swayed the model.
    """
    with transaction.atomic():
        alert = _held(claimed)
        if alert is None:
            logger.warning("alert %s was explained by another process meanwhile", claimed.alert.pk)
            return
        alert.explanation_state = state
        alert.explanation_lease_until = retry_at
        alert.explanation_attempts -= 0 if counts else 1
        if state != ExplanationState.PENDING:
            alert.explanation_wanted_by, alert.explanation_wanted_tier = None, ""
        _raise(alert, results, doubt)
        alert.revision += 1
        alert.save(update_fields=STORED)
        for result in results:
            _append(alert, request, result)


def _held(claimed: Claimed) -> Alert | None:
    """Return the alert's row, locked, while it is still this process's; None otherwise."""
    rows = Alert.objects.filter(
        pk=claimed.alert.pk, explanation_state=ExplanationState.RUNNING, explanation_lease_until=claimed.lease_until
    )
    return rows.select_for_update(of=("self",)).first()


def _raise(alert: Alert, results: Sequence[Any], doubt: str) -> None:
    """Let the answer that counts raise the severity; what does not stand raises nothing, and nothing lowers it."""
    last = results[-1]
    before = alert.severity
    if isinstance(last, asking.Given) and not last.answer.details["grounding"]["demoted"]:
        severity.raise_by_model(alert, last.answer.severity)
    if doubt:
        severity.suspect(alert, [{"event_id": None, "field": "", "why": doubt, "excerpt": ""}])
    if alert.severity != before:
        details = {"before": before, "after": alert.severity, "parts": alert.severity_parts}
        audit.record_automation(action="alert.severity_raised", automation=AUTOMATION, alert=alert, details=details)
        notifying.note_alerts([alert])


def _append(
    alert: Alert, request: ExplanationRequest, result: asking.Given | asking.Failure | ExplanationAnswer
) -> None:
    """Append one row: an answer of a model, a failure, or the evidence in words."""
    row = Explanation(alert=alert, evidence=[asdict(line) for line in request.evidence])
    if isinstance(result, asking.Failure):
        row.explainer, row.model, row.tier, row.purpose = (
            result.explainer,
            result.model[:120],
            result.tier,
            result.purpose,
        )
        row.failure, row.failure_detail, row.details = result.reason[:32], result.detail, dict(result.details)
        if result.until is not None:
            row.details["until"] = result.until.isoformat()
        if result.answer is not None:
            _fill(row, result.answer)
    elif isinstance(result, asking.Given):
        _fill(row, result.answer)
        row.tier, row.purpose, row.shared, row.inherited = result.tier, result.purpose, result.shared, result.inherited
    else:
        _fill(row, result)
    row.details["event_count"] = alert.event_count  # events that join later make it stale
    row.save()


def _fill(row: Explanation, answer: ExplanationAnswer) -> None:
    """Copy an answer into its row; an answer that was held against the evidence brings its counts."""
    told = asdict(answer)
    row.answer = {key: told[key] for key in ANSWER_KEYS}
    row.explainer, row.model = answer.explainer[:32], answer.model[:120]
    row.prompt_version = answer.prompt_version[:32]
    row.suggested_verdict = "" if row.failure else answer.suggested_verdict
    row.confidence = "" if row.failure else answer.confidence
    row.input_tokens, row.output_tokens = answer.input_tokens, answer.output_tokens
    row.latency_ms = answer.latency_ms
    row.details = {**row.details, **answer.details}
    checked = answer.details.get("grounding")
    if checked is not None:
        row.claims, row.grounded = checked["claims"], checked["grounded"]


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
        _append(alert, request, answer_by_rule(request, note="the language model has not answered yet"))
    return True
