"""The chat explainer: asks any OpenAI-compatible endpoint, and believes nothing it says unchecked.

Handed: an :class:`~triage.contracts.ExplanationRequest`. Hands on: a validated answer, or an
:class:`~triage.explainers.base.ExplanationError` that says in one word why there is none. This is the only
module that knows the ``openai`` client. Under policy ``pseudonymise`` names are replaced before they are sent
and restored in the answer; under ``raw`` the endpoint must be inside; ``off`` sends nothing.

How an endpoint likes to be asked (response format, parameter names) is learned from its refusals and kept
per endpoint and model for the life of the process.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import openai

from triage.contracts import Claim, ExplanationAnswer, ExplanationRequest
from triage.explainers import answers, endpoints, lines, prompting
from triage.explainers.base import ExplanationError
from triage.explainers.pseudonyms import Pseudonyms
from triage.explainers.redaction import redact

POLICIES = ("off", "pseudonymise", "raw")
#: How the answer's shape is asked for, strictest first.
LADDER = ("json_schema", "json_object", "text")
MAX_ANSWER_TOKENS = 1500
#: Learning an endpoint's habits takes at most this many refused calls.
MAX_CALLS = 6
MAX_DETAIL = 300
MAX_BODY_BYTES = 1_000_000
CONNECT_SECONDS = 5.0
#: Statuses and error codes that mean that the account, not the request, is the trouble.
_BUDGET_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_BAD_REQUEST = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class Habits:
    """What an endpoint accepts: the rung of :data:`LADDER` and its names for optional parameters."""

    rung: int = 0
    limit_name: str = "max_completion_tokens"
    temperature: bool = True


_HABITS: dict[tuple[str, str], Habits] = {}


class OpenAIChatExplainer:
    """Explains an alert with a language model behind ``chat.completions``.

    Parameters: ``base_url`` with its version path, ``api_key`` (may be empty), ``model``, ``timeout`` in
    seconds for the connection, each read and the whole reply, ``policy`` one of :data:`POLICIES`.
    """

    name = "openai_chat"

    def __init__(
        self, *, base_url: str, api_key: str, model: str, timeout: float, policy: str = "pseudonymise"
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown data policy {policy!r}; one of {', '.join(POLICIES)}")
        self._base_url = base_url
        self._api_key = api_key
        self._model = model
        self._timeout = timeout
        self._policy = policy

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        """Return a validated answer; raise :class:`ExplanationError` when there is none."""
        inside = self._check_policy()
        names = self._pseudonyms(request)
        nonce = secrets.token_hex(8)
        messages = prompting.messages(request, nonce=nonce, hide=lambda text: names.hide(redact(text)))
        started = time.monotonic()
        body, rung = self._ask(messages, inside)
        latency_ms = int(1000 * (time.monotonic() - started))
        shape = answers.parse(_content(body))
        answer = _answer(shape, request, names.restore)
        return replace(answer, model=self._model, latency_ms=latency_ms, **self._record(body, rung, len(names.mapping)))

    def _check_policy(self) -> bool:
        """Return whether the endpoint is inside; raise when the policy forbids to call it."""
        if self._policy == "off":
            raise ExplanationError("refused", "the data policy is off: nothing is sent to a language model")
        if not endpoints.host(self._base_url):  # the client would fall back to an address of its own
            raise ExplanationError("invalid", "the address of the language model is not an http(s) URL")
        inside = endpoints.is_internal(self._base_url)
        if self._policy == "raw" and not inside:
            raise ExplanationError(
                "refused",
                f"the data policy raw is for loopback and private endpoints only, and "
                f"{endpoints.host(self._base_url) or 'the endpoint'} is not one; use pseudonymise",
            )
        return inside

    def _pseudonyms(self, request: ExplanationRequest) -> Pseudonyms:
        if self._policy == "raw":
            return Pseudonyms((), ())
        return Pseudonyms(request.identifiers, [line.text for line in request.evidence])

    def _record(self, body: dict[str, Any], rung: int, hidden: int) -> dict[str, Any]:
        """Return the columns that say how the answer came to be."""
        usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
        details = {
            "language_model": True,
            "endpoint": endpoints.host(self._base_url),
            "policy": self._policy,
            "format": LADDER[rung],
            "answered_model": lines.plain(body.get("model") or "", 120),
            "response_id": lines.plain(body.get("id") or "", 120),
            "prompt_sha256": prompting.prompt_hash(),
            "names_hidden": hidden,
        }
        return {
            "prompt_version": prompting.VERSION,
            "input_tokens": _count(usage, "prompt_tokens"),
            "output_tokens": _count(usage, "completion_tokens"),
            "details": details,
        }

    def _ask(self, messages: list[dict[str, str]], inside: bool) -> tuple[dict[str, Any], int]:
        """Return the endpoint's reply as a JSON object and the rung that it accepted."""
        key = (self._base_url, self._model)
        habits = _HABITS.get(key, Habits())
        with self._client(inside) as client:
            for _ in range(MAX_CALLS):
                try:
                    body = _call(client, self._model, messages, habits, self._timeout)
                except openai.APIStatusError as error:
                    habits = self._learned(habits, error)
                    continue
                except (openai.OpenAIError, httpx2.HTTPError) as error:
                    raise self._failure(error) from error
                _HABITS[key] = habits
                return body, habits.rung
        raise ExplanationError("refused", "the endpoint refuses every way of asking")

    def _client(self, inside: bool) -> openai.OpenAI:
        """Return a client that follows no redirect, and uses no proxy for an endpoint inside.

        It does not retry by itself: a failed try is recorded, and the next one is scheduled by the caller.
        """
        timeout = httpx2.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout))
        transport = openai.DefaultHttpxClient(timeout=timeout, follow_redirects=False, trust_env=not inside)
        return openai.OpenAI(
            base_url=self._base_url,
            api_key=self._api_key or "none",
            timeout=timeout,
            max_retries=0,
            http_client=transport,
        )

    def _learned(self, habits: Habits, error: openai.APIStatusError) -> Habits:
        """Return what to try next after a refused request; raise when nothing is left to try."""
        message = str(error).lower()
        if error.status_code not in _BAD_REQUEST or ("context" in message and "length" in message):
            raise self._failure(error) from error
        if habits.limit_name in message and habits.limit_name != "max_tokens":
            return replace(habits, limit_name="max_tokens")
        if "temperature" in message and habits.temperature:
            return replace(habits, temperature=False)
        if habits.rung + 1 < len(LADDER):
            return replace(habits, rung=habits.rung + 1)
        raise self._failure(error) from error

    def _failure(self, error: Exception) -> ExplanationError:
        """Return the error in our words; the endpoint's text is capped and never repeats the key."""
        text = str(error)
        if self._api_key:
            text = text.replace(self._api_key, "[key]")
        detail = lines.plain(redact(text), MAX_DETAIL)
        return ExplanationError(_reason(error), detail or type(error).__name__)


def _call(
    client: openai.OpenAI, model: str, messages: list[dict[str, str]], habits: Habits, timeout: float
) -> dict[str, Any]:
    """Ask once and return the reply's JSON object."""
    parameters: dict[str, Any] = {"model": model, "messages": messages, habits.limit_name: MAX_ANSWER_TOKENS}
    if habits.temperature:
        parameters["temperature"] = 0
    form = LADDER[habits.rung]
    if form == "json_schema":
        wanted = {"name": "explanation", "strict": True, "schema": answers.schema()}
        parameters["response_format"] = {"type": "json_schema", "json_schema": wanted}
    elif form == "json_object":
        parameters["response_format"] = {"type": "json_object"}
    deadline = time.monotonic() + timeout
    with client.chat.completions.with_streaming_response.create(**parameters) as response:
        return _json_object(_read(response.iter_bytes(), deadline).decode("utf-8", "replace"))


def _read(chunks: Iterable[bytes], deadline: float) -> bytes:
    """Return a whole body; a client's time limit is per read, so a trickle or a flood is stopped here."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ExplanationError("invalid", f"the reply is larger than {MAX_BODY_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise ExplanationError("timeout", "the reply took too long to arrive")
    return bytes(body)


def _json_object(text: str) -> dict[str, Any]:
    """Return the reply's body; proxies and portals like to answer 200 with a page."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExplanationError("invalid", f"the endpoint's reply is not JSON: {lines.plain(text, 80)}") from error
    if not isinstance(body, dict):
        raise ExplanationError("invalid", "the endpoint's reply is not a JSON object")
    return body


def _reason(error: Exception) -> str:
    """Return the word for a client error: budget, timeout, refused, invalid or unreachable."""
    if isinstance(error, openai.APIStatusError):
        return _status_reason(error)
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return "timeout"
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return "unreachable"
    return "invalid"


def _status_reason(error: openai.APIStatusError) -> str:
    status = error.status_code
    if error.code in _BUDGET_CODES or status == 402:
        return "budget"
    if status in {408, 504}:
        return "timeout"
    if status == 429 or status >= 500 or 300 <= status < 400:
        return "unreachable"
    return "invalid" if "context" in str(error).lower() and status in _BAD_REQUEST else "refused"


def _content(body: dict[str, Any]) -> str:
    """Return the answer's text; raise for everything that is a reply but not an answer."""
    if body.get("error"):
        error = body["error"] if isinstance(body["error"], dict) else {"message": body["error"]}
        reason = "budget" if error.get("code") in _BUDGET_CODES else "invalid"
        raise ExplanationError(reason, f"the endpoint reports an error: {lines.plain(error.get('message', ''), 200)}")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise ExplanationError("invalid", "the reply has no choices")
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    if message.get("refusal"):
        raise ExplanationError("refused", f"the model refused: {lines.plain(message['refusal'], 200)}")
    if choice.get("finish_reason") == "content_filter":
        raise ExplanationError("refused", "the endpoint's content filter stopped the answer")
    if choice.get("finish_reason") == "length":
        raise ExplanationError("invalid", "the answer was cut off at the token limit")
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise ExplanationError("invalid", "the answer is empty")
    return content


def _answer(
    shape: answers.AnswerShape, request: ExplanationRequest, restore: Callable[[str], str]
) -> ExplanationAnswer:
    """Return the checked answer with the real names back in it."""

    def claims(found: list[answers.ClaimShape]) -> tuple[Claim, ...]:
        checked = answers.checked_claims(found, request)
        return tuple(Claim(lines.plain(restore(claim.text), answers.MAX_TEXT), claim.evidence) for claim in checked)

    return ExplanationAnswer(
        what_happened=claims(shape.what_happened),
        why_it_matters=claims(shape.why_it_matters),
        why_it_may_be_benign=claims(shape.why_it_may_be_benign),
        next_checks=answers.checked_texts([restore(text) for text in answers.checked_texts(shape.next_checks)]),
        suggested_verdict=shape.suggested_verdict,
        confidence=shape.confidence,
        techniques=answers.checked_techniques(shape.techniques),
        explainer=OpenAIChatExplainer.name,
    )


def _count(usage: Any, name: str) -> int | None:
    """Return a token count of the usage block, None when it is missing or nonsense."""
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None
