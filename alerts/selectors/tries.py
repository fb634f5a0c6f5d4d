"""What is known of one try to explain an alert: what it cost, why it failed, what it suggested, what changed since.

Handed: an Explanation. Hands on: small values for pages and the API. Details are JSON that other rooms wrote, partly
from what an endpoint sent, so their shape is checked here. What is unknown is None, never 0.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from alerts.models import Alert, CallPurpose, CallTier, Explanation, VerdictValue
from triage.explainers import prompting

CONFIDENCES = ("low", "medium", "high")
#: What each failure means to the person who reads the alert.
FAILURES: dict[str, str] = {
    "budget": "The budget is reached, so no language model was asked.",
    "timeout": "The language model did not answer in time.",
    "refused": "The question was refused, by the data policy here or by the endpoint.",
    "unreachable": "The language model could not be reached.",
    "invalid": "The language model's answer could not be read.",
    "ungrounded": "No claim of the language model stood up to the evidence.",
    "breaker": "The endpoint failed repeatedly and is left alone for a while.",
}
_NO_QUOTA = "The provider of the language model says that the account has nothing left."
#: Who asked why, for a try of each purpose.
PURPOSES: dict[str, str] = {
    CallPurpose.EXPLAIN: "first model",
    CallPurpose.STRONGER: "stronger model",
    CallPurpose.MASKED: "suspected text masked",
    CallPurpose.RECHECK: "checked again",
}
_CALL_TEXTS = (
    "endpoint", "model_asked", "model_answered", "system_fingerprint", "prompt_version", "prompt_sha256",
    "input_sha256", "finish_reason", "request_id", "format", "validation",
)  # fmt: skip
_CALL_COUNTS = ("input_tokens", "output_tokens", "latency_ms", "attempt", "calls")


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars of one try and how they are known: measured, estimated or unknown (then None)."""

    usd: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class Try:
    """One line of the list of tries. ``asked`` says whom and why, ``grounded`` is ``n/m`` where it was checked."""

    row: Explanation
    shown: bool
    asked: str
    grounded: str
    suggested: str
    demoted: bool
    cost: Cost | None
    failure: str


def texts(value: object) -> list[str]:
    """Return the texts and numbers of a list as texts; anything else is left out."""
    return [str(item) for item in value if isinstance(item, str | int | float)] if isinstance(value, list) else []


def object_at(value: object, key: str) -> dict[str, Any]:
    """Return the object under a key, an empty one when there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def suggested(row: Explanation, grounding: dict[str, Any]) -> str:
    """Return what was suggested, in words: what the model said, also where that does not count."""
    told = str(grounding.get("suggested") or "") if grounding.get("demoted") else ""
    value = told or row.suggested_verdict
    labels: dict[str, str] = dict(VerdictValue.choices)
    return str(labels.get(value, value.replace("_", " ")))


def confidence(row: Explanation, grounding: dict[str, Any]) -> str:
    """Return how sure the model said it was: low, medium, high, or empty."""
    told = str(grounding.get("confidence") or "") if grounding.get("demoted") else row.confidence
    return told if told in CONFIDENCES else ""


def stale(alert: Alert, row: Explanation) -> list[str]:
    """Return what has changed since the explanation was written, in words."""
    details = row.details if isinstance(row.details, dict) else {}
    counted = details.get("event_count")
    changed = []
    if isinstance(counted, int):
        joined = alert.event_count - counted
        changed += [f"{joined:,} event{'s' if joined != 1 else ''} joined the alert since"] if joined > 0 else []
    elif alert.last_seen_at > row.created_at:
        changed.append("events have joined the alert since")
    if row.model and settings.LLM_BASE_URL:
        changed += _other_model(row, details)
    return changed


def _other_model(row: Explanation, details: dict[str, Any]) -> list[str]:
    now = settings.LLM_LARGE_MODEL if row.tier == CallTier.LARGE else settings.LLM_MODEL
    call = object_at(details, "call")
    prompt = call.get("prompt_sha256")
    same_prompt = row.prompt_version == prompting.VERSION and prompt in (None, "", prompting.prompt_hash())
    policy, allowed = details.get("policy"), settings.LLM_DATA_POLICY
    return [
        *([f"the model is {now} now"] if now and now != row.model else []),
        *([] if same_prompt else ["the prompt is another one now"]),
        *([f"the data policy is {allowed} now"] if policy not in (None, "", allowed) else []),
    ]


def call_of(row: Explanation) -> dict[str, Any] | None:
    """Return the record of the call: known fields only, texts as texts, counts as whole numbers or None."""
    found = object_at(row.details, "call")
    if not found:
        return None
    told: dict[str, Any] = {name: str(found.get(name) or "") for name in _CALL_TEXTS}
    told |= {name: value if isinstance(value := found.get(name), int) else None for name in _CALL_COUNTS}
    return told | {"shortened": found.get("shortened") is True, "code": str(row.details.get("code") or "")}


def cost_of(row: Explanation) -> Cost | None:
    """Return what a try cost, None when nothing was asked for it."""
    found = object_at(row.details, "call")
    if not found or row.inherited:
        return None
    usd, basis = found.get("cost_usd"), str(found.get("cost_basis") or "unknown")
    if isinstance(usd, bool) or not isinstance(usd, int | float) or basis not in {"measured", "estimated"}:
        return Cost(None, "unknown")
    return Cost(float(usd), basis)


def failure_words(row: Explanation) -> str:
    """Return in one sentence why a try gave no explanation, empty when it did."""
    if not row.failure:
        return ""
    code = row.details.get("code") if isinstance(row.details, dict) else ""
    if row.failure == "budget" and code != "cap" and object_at(row.details, "call"):
        return _NO_QUOTA
    return FAILURES.get(row.failure, f"No explanation came of it ({row.failure.replace('_', ' ')}).")


def try_of(row: Explanation, shown: Explanation | None) -> Try:
    """Return one line of the list of tries; ``shown`` is the one in view."""
    grounding = object_at(row.details, "grounding")
    checked = row.claims is not None and row.grounded is not None
    return Try(
        row=row,
        shown=shown is not None and shown.pk == row.pk,
        asked=PURPOSES.get(row.purpose, "") if row.model else "evidence only",
        grounded=f"{row.grounded}/{row.claims}" if checked else "",
        suggested=suggested(row, grounding),
        demoted=bool(grounding.get("demoted")),
        cost=cost_of(row),
        failure=failure_words(row),
    )
