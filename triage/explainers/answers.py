"""A language model's text is not trusted: here it becomes an answer, or an error.

Handed: the text a model returned and the request it was given. Hands on: an
:class:`~triage.contracts.ExplanationAnswer` whose claims cite lines that exist, whose techniques are known,
whose verdict is in the taxonomy and whose text is plain and capped. Anything else raises
:class:`~triage.explainers.base.ExplanationError` with reason ``invalid``.
"""

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from triage import attack
from triage.contracts import Claim, ExplanationRequest
from triage.explainers import lines
from triage.explainers.base import ExplanationError

Verdict = Literal["tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate", "undetermined"]
Confidence = Literal["low", "medium", "high"]
VERDICTS: tuple[str, ...] = get_args(Verdict)
CONFIDENCES: tuple[str, ...] = get_args(Confidence)

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
    evidence: Annotated[list[StrictInt], Field(min_length=1, max_length=200)]


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
    """Return claims as plain text; raise when one cites a line that does not exist."""
    known = {line.number for line in request.evidence}
    checked = []
    for claim in claims[:MAX_CLAIMS]:
        unknown = [number for number in claim.evidence if number not in known]
        if unknown:
            raise ExplanationError("invalid", f"a claim cites evidence line {unknown[0]}, which does not exist")
        text = lines.plain(claim.text, MAX_TEXT)
        if not text:
            raise ExplanationError("invalid", "a claim has no text")
        checked.append(Claim(text, tuple(dict.fromkeys(claim.evidence))))
    return tuple(checked)


def checked_techniques(technique_ids: list[str]) -> tuple[str, ...]:
    """Return the ids, each once; raise when one is not in the ATT&CK table."""
    for identifier in technique_ids:
        if not attack.is_known(identifier):
            raise ExplanationError("invalid", f"unknown ATT&CK technique {lines.plain(identifier, 40)!r}")
    return tuple(dict.fromkeys(technique_ids))[:MAX_TECHNIQUES]


def checked_texts(texts: list[str]) -> tuple[str, ...]:
    """Return plain, capped texts without empty ones."""
    plain = (lines.plain(text, MAX_TEXT) for text in texts[:MAX_CHECKS])
    return tuple(text for text in plain if text)
