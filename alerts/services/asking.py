"""One alert's question to a language model, from the shared answer to the checked one.

Handed: an alert, its evidence, and who wants what. Hands on: an :class:`Outcome`: answers that were held against the
evidence, a failure in one word, or when to come back. Touches neither the alert nor its explanations: the caller
stores. In order: an answer that alerts of the same kind share; the money; the first model; the check against the
evidence; the larger model where the first one's answer does not stand; for severe alerts the same question once more
with free text masked.
"""

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import connection

from alerts import grouping
from alerts.models import Alert, CallPurpose, CallTier, SharedAnswer
from alerts.services import breakers, clusters, consent, safety, spending
from triage import explainers
from triage.contracts import ExplanationAnswer, ExplanationRequest
from triage.explainers import grounding, prompting, swaying
from triage.explainers.base import SDK_RETRIES, CallOptions, ExplanationError
from triage.models import User

logger = logging.getLogger(__name__)

#: After these another model may do better.
DOES_NOT_STAND = frozenset({"invalid", "refused", "ungrounded"})
#: From this severity on free text is masked and the question put a second time.
SEVERE = "high"
#: Another worker asks about the same kind of alert: its answer comes within seconds.
SHARED_SOON_SECONDS = 10.0
MAX_DETAIL = 2000
MAX_ANSWER_TOKENS = CallOptions().max_answer_tokens


class LeaseLostError(RuntimeError):
    """Another worker has taken the alert over; what comes of this question counts no more."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a tier's questions go."""

    tier: str
    base_url: str
    api_key: str
    model: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a question gave no explanation. ``details`` holds the record of the call, where there was one.

    ``answer`` is what was said when none of it stands. ``until`` is the end of the period whose money is spent.
    """

    reason: str
    detail: str
    explainer: str = "openai_chat"
    model: str = ""
    tier: str = ""
    purpose: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    answer: ExplanationAnswer | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A checked answer and how it came about; ``inherited`` from ``shared`` when another alert's was taken over."""

    answer: ExplanationAnswer
    tier: str
    purpose: str
    shared: SharedAnswer | None = None
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking came to: answers and failures in their order, the last one counts.

    ``come_back`` says when to try again without counting this as a try. ``doubt`` says why the answers make an
    injection suspected.
    """

    results: tuple[Given | Failure, ...] = ()
    come_back: dt.timedelta | None = None
    doubt: str = ""

    @property
    def failure(self) -> Failure | None:
        """Return the failure that all of it came to, if it did."""
        last = self.results[-1] if self.results else None
        return last if isinstance(last, Failure) else None


@dataclass(frozen=True, slots=True)
class Question:
    """One alert to be asked about. ``keep`` renews the alert's lease before each call and returns whether it held."""

    alert: Alert
    request: ExplanationRequest
    attempt: int
    keep: Callable[[], bool]
    wanted_by: User | None = None
    wanted_tier: str = ""


def endpoint(tier: str) -> Endpoint | None:
    """Return where a tier's questions go, None when it is not configured."""
    if tier == CallTier.LARGE:
        found = Endpoint(tier, settings.LLM_LARGE_BASE_URL, settings.LLM_LARGE_API_KEY, settings.LLM_LARGE_MODEL)
    else:
        found = Endpoint(tier, settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_MODEL)
    return found if found.base_url else None


def ask(question: Question) -> Outcome:
    """Return what comes of a question; raise :class:`LeaseLostError` when the alert was taken over meanwhile."""
    small, large = endpoint(CallTier.SMALL), endpoint(CallTier.LARGE)
    assert small is not None  # the caller asks only when a model is configured
    if question.wanted_by is not None:
        chosen = large if question.wanted_tier == CallTier.LARGE and large else small
        purpose = CallPurpose.STRONGER if chosen is large else CallPurpose.EXPLAIN
        return _judged(question, chosen, None if chosen is large else large, purpose)
    key = _key(question, small)
    if not key:
        return _judged(question, small, large, CallPurpose.EXPLAIN)
    shared = clusters.find(key)
    inherited = _inherited(question, shared) if shared else None
    if shared is not None and inherited is not None:
        return _rechecked(question, small, shared, inherited)
    lease = clusters.claim(key)
    if lease is None:
        if clusters.find(key) is None:
            return Outcome(come_back=dt.timedelta(seconds=SHARED_SOON_SECONDS))
        return _judged(question, small, large, CallPurpose.EXPLAIN)  # it is there, and does not fit this alert
    try:
        outcome = _judged(question, small, large, CallPurpose.EXPLAIN)
    except BaseException:
        clusters.release(lease)
        raise
    return _offered(question, outcome, lease)


def _key(question: Question, small: Endpoint) -> str:
    """Return the key of the alerts that may share an answer, empty when this one may not."""
    alert = question.alert
    if not settings.LLM_SHARE_HOURS or alert.injection_suspected:
        return ""
    return clusters.key(alert, question.request, model=small.model, policy=settings.LLM_DATA_POLICY)


def _inherited(question: Question, shared: SharedAnswer) -> Given | None:
    """Return a shared answer as this alert's own, held against this alert's evidence; None when it does not stand."""
    filled = clusters.fill(shared, question.request)
    if filled is None:
        return None
    checked = grounding.check(question.request, filled)
    if checked.demoted or checked.struck:
        return None
    answer = grounding.apply(question.request, filled)
    return Given(answer, CallTier.SMALL, CallPurpose.EXPLAIN, shared=shared, inherited=True)


def _rechecked(question: Question, small: Endpoint, shared: SharedAnswer, inherited: Given) -> Outcome:
    """Return the shared answer, now and then after asking again to learn how often it would differ."""
    if not clusters.should_recheck(shared):
        clusters.used(shared)
        return Outcome((inherited,))
    told = _put(question, small, CallPurpose.RECHECK, question.request)
    if isinstance(told, Failure):
        clusters.used(shared)
        return Outcome((inherited,))
    changed = told.answer.suggested_verdict != inherited.answer.suggested_verdict
    clusters.record_recheck(shared, changed=changed)
    return Outcome((told,))


def _offered(question: Question, outcome: Outcome, lease: clusters.Lease) -> Outcome:
    """Let others share what stands; otherwise give the claim back."""
    last = outcome.results[-1] if outcome.results else None
    stands = isinstance(last, Given) and not _demoted(last.answer) and not outcome.doubt
    if not isinstance(last, Given) or not stands:
        clusters.release(lease)
        return outcome
    shared = clusters.store(lease, request=question.request, answer=last.answer)
    results = (*outcome.results[:-1], replace(last, shared=shared))
    return replace(outcome, results=results)


def _judged(question: Question, chosen: Endpoint, stronger: Endpoint | None, purpose: str) -> Outcome:
    """Ask one model, then the larger one when the answer does not stand, then look whether free text swayed it."""
    first = _put(question, chosen, purpose, question.request)
    results: tuple[Given | Failure, ...] = (first,)
    if stronger is not None and _why_stronger(question.alert, first):
        second = _put(question, stronger, CallPurpose.STRONGER, question.request)
        if isinstance(second, Given) or isinstance(first, Failure):
            results, chosen = (first, second), stronger
    last = results[-1]
    doubt = _swayed(question, chosen, last.answer) if isinstance(last, Given) else ""
    return Outcome(results, doubt=doubt)


def _why_stronger(alert: Alert, told: Given | Failure) -> str:
    """Return why the larger model should be asked too, empty when it need not."""
    if isinstance(told, Failure):
        return told.reason if told.reason in DOES_NOT_STAND else ""
    if _demoted(told.answer):
        return "ungrounded"
    if alert.injection_suspected:
        return "injection suspected"
    if told.answer.suggested_verdict in grounding.HARMLESS and grouping.rank(alert.severity) >= grouping.rank(SEVERE):
        return "the model calls harmless what stands out much"
    if told.answer.suggested_verdict in grounding.ATTACK and grouping.rank(alert.severity) <= grouping.rank("low"):
        return "the model calls an attack what stands out little"
    return ""


def _swayed(question: Question, chosen: Endpoint, answer: ExplanationAnswer) -> str:
    """Return how the model judges otherwise once free text is masked; only severe alerts are worth the second call."""
    if grouping.rank(question.alert.severity) < grouping.rank(SEVERE):
        return ""
    masked = swaying.masked(question.request)
    if masked == question.request:
        return ""
    told = _put(question, chosen, CallPurpose.MASKED, masked)
    return swaying.disagree(answer, told.answer) if isinstance(told, Given) else ""


def _put(question: Question, chosen: Endpoint, purpose: str, request: ExplanationRequest) -> Given | Failure:
    """Put one question: reserve, ask, settle, hold the answer against the evidence."""
    if not question.keep():
        raise LeaseLostError
    why_not = consent.why_not_ask(chosen.base_url)
    if why_not:
        return _failed(chosen, purpose, ExplanationError("refused", why_not))
    try:
        call = spending.reserve(
            alert=question.alert,
            purpose=purpose,
            tier=chosen.tier,
            endpoint=chosen.base_url,
            model=chosen.model,
            characters=prompting.characters(request),
            max_answer_tokens=MAX_ANSWER_TOKENS,
        )
    except spending.OverBudgetError as error:
        return replace(_failed(chosen, purpose, ExplanationError("budget", str(error))), until=error.until)
    try:
        answer = _call(question, chosen, request)
    except ExplanationError as error:
        if "call" in error.details:
            spending.settle(call, error.details["call"])
        else:  # the endpoint was not even asked
            spending.release(call)
        return _failed(chosen, purpose, error)
    spending.settle(call, answer.details["call"])
    checked = grounding.apply(request, answer)
    if not checked.details["grounding"]["grounded"]:
        return _ungrounded(chosen, purpose, checked)
    return Given(checked, chosen.tier, purpose)


def _call(question: Question, chosen: Endpoint, request: ExplanationRequest) -> ExplanationAnswer:
    """Call the model without holding a database connection; a fault of ours is a failure like any other."""
    options = CallOptions(
        retries=SDK_RETRIES,
        attempt=question.attempt,
        safety_identifier=safety.identifier(question.wanted_by),
        max_answer_tokens=MAX_ANSWER_TOKENS,
        price=spending.price(chosen.tier),
    )
    explainer = explainers.get("openai_chat")(
        base_url=chosen.base_url,
        api_key=chosen.api_key,
        model=chosen.model,
        timeout=settings.LLM_TIMEOUT_SECONDS,
        policy=settings.LLM_DATA_POLICY,
        options=options,
        breakers=breakers.SHARED,
    )
    if not connection.in_atomic_block:
        connection.close()
    try:
        answer: ExplanationAnswer = explainer.explain(request)
    except ExplanationError:
        raise
    except Exception as error:  # the alert must still be explained by its evidence
        logger.exception("the explainer failed")
        fault = f"{type(error).__name__} in the explainer"
        raise ExplanationError("invalid", fault, details={"call": None}) from error  # it may have cost its money
    return answer


def _failed(chosen: Endpoint, purpose: str, error: ExplanationError) -> Failure:
    details = {**error.details, "code": error.code} if error.code else dict(error.details)
    return Failure(
        error.reason, str(error)[:MAX_DETAIL], model=chosen.model, tier=chosen.tier, purpose=purpose, details=details
    )


def _ungrounded(chosen: Endpoint, purpose: str, checked: ExplanationAnswer) -> Failure:
    """Return the failure that an answer is of which no claim stands; what it said is kept with it."""
    told = checked.details["grounding"]
    return Failure(
        "ungrounded",
        f"none of the {told['claims']} claims is borne out by the evidence",
        model=chosen.model,
        tier=chosen.tier,
        purpose=purpose,
        details=dict(checked.details),
        answer=checked,
    )


def _demoted(answer: ExplanationAnswer) -> bool:
    return bool(answer.details["grounding"]["demoted"])
