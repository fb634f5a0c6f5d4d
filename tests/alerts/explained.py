"""Explanations as a language model's answers leave them, for tests of pages and selectors."""

from typing import Any

from alerts.models import Alert, Explanation
from triage.explainers import prompting

LINES = ("user.name=backup", "source.ip=203.0.113.7", "2 events are in this alert.")
CLAIMS: dict[str, list[dict[str, Any]]] = {
    "what_happened": [
        {"text": "User backup logged in.", "evidence": [1], "status": "grounded", "problems": []},
        {
            "text": "It came from 198.51.100.9.",
            "evidence": [2],
            "status": "struck",
            "problems": ["198.51.100.9 is in no evidence line"],
        },
    ],
    "why_it_matters": [
        {
            "text": "There were 2 events.",
            "evidence": [1],
            "status": "miscited",
            "problems": ["2 is not in the cited lines"],
        },
    ],
}


def call(**fields: Any) -> dict[str, Any]:
    """Return the record of a call that was answered."""
    told = {
        "endpoint": "llm.example",
        "model_asked": "small-1",
        "model_answered": "small-1-0926",
        "system_fingerprint": "fp_1",
        "prompt_version": prompting.VERSION,
        "prompt_sha256": prompting.prompt_hash(),
        "input_sha256": "ab" * 32,
        "attempt": 1,
        "calls": 2,
        "latency_ms": 1234,
        "validation": "valid",
        "cost_basis": "measured",
        "cost_usd": 0.00137,
        "input_tokens": 2412,
        "output_tokens": 388,
        "finish_reason": "stop",
        "request_id": "req-7",
        "format": "json_schema",
    }
    return told | fields


def summary(**fields: Any) -> dict[str, Any]:
    """Return what the check against the evidence leaves in an explanation's details."""
    told = {
        "grounded": 1,
        "miscited": 1,
        "struck": 1,
        "claims": 3,
        "suggested": "tp_impact",
        "confidence": "high",
        "demoted": "",
        "struck_techniques": [["T9999", "T9999 is no technique"]],
        "check_problems": [["wks-9 is in no evidence line"]],
    }
    return told | fields


def by_model(alert: Alert, **fields: Any) -> Explanation:
    """Store a checked answer of a language model: one claim grounded, one miscited, one struck."""
    answer = CLAIMS | {"next_checks": ["Ask the owner of wks-9."], "techniques": ["T1078"]}
    defaults: dict[str, Any] = {
        "explainer": "openai_chat",
        "model": "small-1",
        "prompt_version": prompting.VERSION,
        "answer": answer,
        "evidence": [{"number": n, "origin": "event", "text": text} for n, text in enumerate(LINES, start=1)],
        "suggested_verdict": "tp_impact",
        "confidence": "high",
        "latency_ms": 1234,
        "purpose": "explain",
        "tier": "small",
        "claims": 3,
        "grounded": 1,
        "details": {"policy": "pseudonymise", "grounding": summary(), "call": call()},
    }
    return Explanation.objects.create(alert=alert, **(defaults | fields))


def by_evidence(alert: Alert, text: str = "said by rule") -> Explanation:
    """Store what the evidence explainer says."""
    answer = {"what_happened": [{"text": text, "evidence": [1]}]}
    lines = [{"number": 1, "origin": "event", "text": LINES[0]}]
    return Explanation.objects.create(alert=alert, explainer="evidence", answer=answer, evidence=lines)


def failed(alert: Alert, reason: str = "timeout", **fields: Any) -> Explanation:
    """Store a try that gave nothing."""
    defaults = {"explainer": "openai_chat", "model": "small-1", "purpose": "explain", "tier": "small"}
    return Explanation.objects.create(alert=alert, failure=reason, **(defaults | fields))
