"""What went wrong, in one word of a fixed set.

Handed: a status, an error code and a message, or the body of a reply that came with status 200. Hands on: the
answer's text, or an :class:`~triage.explainers.base.ExplanationError`. Gateways, filters and servers in
trouble like to answer 200 with something that is no answer; each such case is told apart here.
"""

import json
from typing import Any

from triage.explainers import lines
from triage.explainers.base import ExplanationError

BAD_REQUEST = frozenset({400, 422})
#: Error codes that mean that the account, not the request, is the trouble: nobody needs to ask again soon.
ACCOUNT_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
#: Error codes of a model or filter that will not speak about this text; asking in another form is no cure.
POLICY_CODES = frozenset(
    {"cyber_policy", "cyber_policy_violation", "content_policy_violation", "content_filter", "invalid_prompt"}
)
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_OVERFLOW_WORDS = (
    "context length", "context size", "context window", "context_length", "prompt is too long", "too many tokens",
)  # fmt: skip
_FILTERED = frozenset({"content_filter", "safety", "cyber_policy"})


def overflows(status: int, code: str, message: str) -> bool:
    """Tell whether a request was refused because its text is too long for the model."""
    if code in _OVERFLOW_CODES or status == 413:
        return True
    text = message.lower()
    return status in BAD_REQUEST and any(words in text for words in _OVERFLOW_WORDS)


def reason(status: int, code: str, message: str) -> str:
    """Return the word for an error status."""
    if code in ACCOUNT_CODES or status == 402:
        return "budget"
    if code in POLICY_CODES:
        return "refused"
    if status in {408, 504}:
        return "timeout"
    if status == 429 or status >= 500 or 300 <= status < 400:
        return "unreachable"
    return "invalid" if overflows(status, code, message) else "refused"


def json_object(text: str) -> dict[str, Any]:
    """Return the body of a reply; proxies and portals like to answer 200 with a page."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExplanationError("invalid", f"the endpoint's reply is not JSON: {lines.plain(text, 80)}") from error
    if not isinstance(body, dict):
        raise ExplanationError("invalid", "the endpoint's reply is not a JSON object")
    return body


def content(body: dict[str, Any]) -> str:
    """Return the answer's text; raise for everything that is a reply but not an answer."""
    if body.get("error"):
        raise _reported(body["error"])
    choice = first_choice(body)
    if choice is None:
        raise ExplanationError("invalid", "the reply has no choices")
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    if message.get("refusal"):
        raise ExplanationError("refused", f"the model refused: {lines.plain(message['refusal'], 200)}")
    finish = choice.get("finish_reason")
    if isinstance(finish, str) and finish in _FILTERED:
        raise ExplanationError("refused", f"the endpoint's content filter stopped the answer ({finish})", code=finish)
    if finish == "length":
        raise ExplanationError("invalid", "the answer was cut off at the token limit", code="length")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        thought = any(message.get(name) for name in ("reasoning_content", "reasoning"))
        raise ExplanationError("invalid", "the answer is empty" + (": the model only reasoned" if thought else ""))
    return text


def first_choice(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first choice of a reply, None when there is none."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else None


def _reported(error: Any) -> ExplanationError:
    """Return the error that a reply with status 200 carries instead of an answer."""
    told = error if isinstance(error, dict) else {"message": error}
    code = told.get("code")
    code = code if isinstance(code, str) else ""
    word = "budget" if code in ACCOUNT_CODES else "refused" if code in POLICY_CODES else "invalid"
    message = f"the endpoint reports an error: {lines.plain(told.get('message', ''), 200)}"
    return ExplanationError(word, message, code=code)
