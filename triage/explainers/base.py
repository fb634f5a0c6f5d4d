"""The shape of an explainer: from evidence to an answer in words.

An explainer is handed an :class:`~triage.contracts.ExplanationRequest` and hands on an answer whose
claims cite evidence lines. It never sees the database and never decides anything.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from triage.contracts import ExplanationAnswer, ExplanationRequest
from triage.explainers.prices import Price

#: What the client library repeats by itself within one question; later tries are the caller's to schedule.
SDK_RETRIES = 2
#: A model that is shut down within so many days needs a successor.
SHUTDOWN_WARN_DAYS = 60
#: Why there is no explanation; nothing else is ever said.
REASONS = ("budget", "timeout", "refused", "unreachable", "invalid", "ungrounded", "breaker")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What is kept about one question to a language model, whether it was answered or not.

    ``cost_basis`` is measured, estimated or unknown; ``cost_usd`` is None when it is unknown. ``calls`` counts
    requests on the wire, refused ones included; ``unanswered`` those of them that ended without a reply and may have
    been billed, so that they are in the cost as an estimate. Tokens are those of the last one. ``validation`` is
    ``valid`` or one of :data:`REASONS`.
    """

    endpoint: str
    model_asked: str
    prompt_version: str
    prompt_sha256: str
    input_sha256: str
    attempt: int
    calls: int
    latency_ms: int
    validation: str
    cost_basis: str = "unknown"
    cost_usd: float | None = None
    model_answered: str = ""
    system_fingerprint: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str = ""
    request_id: str = ""
    format: str = ""
    shortened: bool = False
    unanswered: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How a question is put, apart from to whom.

    ``retries`` of passing failures within the question, ``attempt`` as the caller counts them,
    ``safety_identifier`` for endpoints outside (empty sends none), ``max_answer_tokens`` of the answer, ``price``
    where the operator names one, ``prompt`` a version of the prompt other than the current one.
    """

    retries: int = 0
    attempt: int = 1
    safety_identifier: str = ""
    max_answer_tokens: int = 1500
    price: Price | None = None
    prompt: str = ""


class ExplanationError(RuntimeError):
    """No explanation could be had.

    ``reason`` is one of :data:`REASONS`; ``code`` is the endpoint's own word for it where it has one;
    ``details`` holds the :class:`CallRecord` under ``call`` once anything was asked, and ``retry_after_s`` for an
    open breaker.
    """

    def __init__(self, reason: str, message: str, *, code: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code
        self.details: dict[str, Any] = dict(details or {})


class Explainer(Protocol):
    """Something that explains an alert."""

    name: str

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        """Return a validated answer; raise :class:`ExplanationError` when there is none."""
