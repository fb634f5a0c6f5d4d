"""A language model's text is not trusted: here it becomes an answer, or an error.

Handed: the text a model returned and the request it was given. Hands on: the claims, checks and techniques of an
:class:`~triage.contracts.ExplanationAnswer` whose verdict is in the taxonomy and whose text is plain and capped. An
answer of another structure raises :class:`~triage.explainers.base.ExplanationError` with reason ``invalid``. What the
answer says is checked after this, in :mod:`triage.explainers.grounding`: a claim that cites a line that does not exist
and a technique that does not exist are struck there, and the rest of the answer stays.
"""

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from triage.contracts import Claim, ExplanationRequest
from triage.explainers import lines
from triage.explainers.base import ExplanationError

Verdict = Literal["tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate", "undetermined"]
Confidence = Literal["low", "medium", "high"]
Severity = Literal["info", "low", "medium", "high", "critical"]
VERDICTS: tuple[str, ...] = get_args(Verdict)
CONFIDENCES: tuple[str, ...] = get_args(Confidence)
SEVERITIES: tuple[str, ...] = get_args(Severity)

MAX_TEXT = 600
MAX_CLAIMS = 8
MAX_CHECKS = 8
MAX_TECHNIQUES = 10
#: Text beyond this is not looked at: an answer is a few kilobytes.
MAX_ANSWER = 60_000


class ClaimShape(BaseModel):
    """One claim as a model writes it."""

    model_config = ConfigDict(extra="ignore")
    text: StrictStr
    #: A claim that cites nothing is struck later, by the check against the evidence.
    evidence: Annotated[list[StrictInt], Field(max_length=200)]


class AnswerShape(BaseModel):
    """The whole answer as a model writes it."""

    model_config = ConfigDict(extra="ignore")
    what_happened: Annotated[list[ClaimShape], Field(min_length=1)]
    why_it_matters: list[ClaimShape]
    why_it_may_be_benign: list[ClaimShape]
    next_checks: list[StrictStr]
    suggested_verdict: Verdict
    confidence: Confidence
    techniques: list[StrictStr]
    #: Small models leave it out, and earlier prompts did not ask for it.
    severity: Severity | Literal[""] = ""


def schema() -> dict[str, Any]:
    """Return the answer's JSON schema, from object, array, string, integer and enum only."""
    claim = _object({"text": {"type": "string"}, "evidence": {"type": "array", "items": {"type": "integer"}}})
    claims = {"type": "array", "items": claim}
    strings = {"type": "array", "items": {"type": "string"}}
    return _object(
        {
            "what_happened": claims,
            "why_it_matters": claims,
            "why_it_may_be_benign": claims,
            "next_checks": strings,
            "suggested_verdict": {"type": "string", "enum": list(VERDICTS)},
            "confidence": {"type": "string", "enum": list(CONFIDENCES)},
            "techniques": strings,
            "severity": {"type": "string", "enum": list(SEVERITIES)},
        }
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def first_object(text: str) -> str:
    """Return the first balanced ``{...}`` of a text (quotes respected), or an empty string.

    >>> first_object('Sure! {"a": "}"} Anything else?')
    '{"a": "}"}'
    """
    start = text.find("{")
    depth, quoted, escaped = 0, False, False
    for position in range(start, len(text)) if start >= 0 else ():
        character = text[position]
        if quoted:
            quoted = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            quoted = True
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return text[start : position + 1]
    return ""


def parse(text: str) -> AnswerShape:
    """Return the answer in a model's text; raise :class:`ExplanationError` when there is none."""
    found = first_object(text[:MAX_ANSWER])
    if not found:
        raise ExplanationError("invalid", "the answer holds no complete JSON object")
    try:
        return AnswerShape.model_validate(json.loads(found))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ExplanationError("invalid", f"the answer does not fit the schema: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ExplanationError("invalid", f"the answer is not JSON: {error}") from error


def checked_claims(claims: list[ClaimShape], request: ExplanationRequest) -> tuple[Claim, ...]:
    """Return claims as plain text with the lines they cite, each once, existing or not; raise when one has no text."""
    most = max((line.number for line in request.evidence), default=0)
    checked = []
    for claim in claims[:MAX_CLAIMS]:
        text = lines.plain(claim.text, MAX_TEXT)
        if not text:
            raise ExplanationError("invalid", "a claim has no text")
        # Any number that no line has says the same: it is kept small enough for every store.
        cited = (number if 0 <= number <= most else most + 1 for number in claim.evidence)
        checked.append(Claim(text, tuple(dict.fromkeys(cited))))
    return tuple(checked)


def checked_techniques(technique_ids: list[str]) -> tuple[str, ...]:
    """Return the ids as plain text, each once, known or not."""
    plain = (lines.plain(identifier, 40) for identifier in technique_ids)
    return tuple(dict.fromkeys(identifier for identifier in plain if identifier))[:MAX_TECHNIQUES]


def checked_texts(texts: list[str]) -> tuple[str, ...]:
    """Return plain, capped texts without empty ones."""
    plain = (lines.plain(text, MAX_TEXT) for text in texts[:MAX_CHECKS])
    return tuple(text for text in plain if text)
