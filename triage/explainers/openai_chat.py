"""The chat explainer: asks any OpenAI-compatible endpoint, and believes nothing it says unchecked.

Handed: an :class:`~triage.contracts.ExplanationRequest`. Hands on: a validated answer, or an
:class:`~triage.explainers.base.ExplanationError` that says in one word why there is none; both carry a
:class:`~triage.explainers.base.CallRecord`. This is the only module that knows the ``openai`` client. Secrets
are replaced under every policy. Under policy ``pseudonymise`` names are replaced before they are sent and
restored in the answer; under ``raw`` the endpoint must be inside; ``off`` sends nothing.

How an endpoint likes to be asked is kept per endpoint and model for the life of the process; whether it is worth
asking at all is kept where the caller says, by default there too.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import openai

from triage.contracts import Claim, ExplanationAnswer, ExplanationRequest
from triage.explainers import (
    answers,
    breaker,
    chat_failures,
    chat_habits,
    chat_transport,
    endpoints,
    lines,
    prices,
    prompting,
)
from triage.explainers.base import SDK_RETRIES, CallOptions, CallRecord, ExplanationError
from triage.explainers.chat_habits import Habits
from triage.explainers.pseudonyms import Pseudonyms
from triage.explainers.redaction import redact, typed_passwords

__all__ = ["SDK_RETRIES", "OpenAIChatExplainer"]

POLICIES = ("off", "pseudonymise", "raw")
#: One question, learning and repeating included, takes at most this many times ``timeout``.
TOTAL_FACTOR = 6
MAX_DETAIL = 300
DEFAULTS = CallOptions()

_HABITS: dict[tuple[str, str], Habits] = {}
_BREAKERS = breaker.InProcess()


@dataclass(slots=True)
class _Exchange:
    """What one question came to, while it is under way."""

    started: float
    names: Pseudonyms
    input_sha256: str = ""
    characters: int = 0
    calls: int = 0
    unanswered: int = 0
    replied: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""
    form: str = ""
    shortened: bool = False


class OpenAIChatExplainer:
    """Explains an alert with a language model behind ``chat.completions``.

    Parameters: ``base_url`` with its version path, ``api_key`` (may be empty), ``model``, ``timeout`` in
    seconds for each exchange, ``policy`` one of :data:`POLICIES`, ``options`` (in production with
    ``retries=SDK_RETRIES``), ``breakers`` where it is kept which endpoints are left alone.
    """

    name = "openai_chat"

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        timeout: float,
        policy: str = "pseudonymise",
        options: CallOptions = DEFAULTS,
        breakers: breaker.BreakerStore = _BREAKERS,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown data policy {policy!r}; one of {', '.join(POLICIES)}")
        self._base_url = base_url
        self._api_key = api_key
        self._model = model
        self._timeout = timeout
        self._policy = policy
        self._options = options
        self._breakers = breakers
        self._key = (base_url, model)
        self._prompt = options.prompt or prompting.VERSION

    def explain(self, request: ExplanationRequest) -> ExplanationAnswer:
        """Return a validated answer; raise :class:`ExplanationError` when there is none."""
        inside = self._check_policy()
        self._enter()
        exchange = _Exchange(time.monotonic(), self._pseudonyms(request))
        try:
            asked = self._ask_or_shorten(exchange, request, inside)
            shape = answers.parse(chat_failures.content(exchange.body))
            answer = _answer(shape, asked, exchange.names.restore)
        except ExplanationError as error:
            self._leave(error.reason, error.code)
            error.details["call"] = self._record(exchange, inside, error.reason).as_dict()
            raise
        except BaseException:
            self._leave("invalid", "")
            raise
        self._leave("", "")
        record = self._record(exchange, inside, "valid")
        return replace(answer, model=self._model, latency_ms=record.latency_ms, **self._columns(record, exchange))

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

    def _enter(self) -> None:
        """Raise while the breaker is open; otherwise note that a question is under way."""
        wait, why = breaker.enter(self._breakers, self._key, time.time())
        if wait:
            raise ExplanationError(
                "breaker",
                f"the endpoint is left alone for another {wait:.0f} s ({why})",
                details={"retry_after_s": round(wait, 1)},
            )

    def _leave(self, reason: str, code: str) -> None:
        now = time.time()
        self._breakers.change(self._key, lambda state: breaker.after(state, now, reason=reason, code=code))

    def _pseudonyms(self, request: ExplanationRequest) -> Pseudonyms:
        texts = [line.text for line in request.evidence]
        typed = typed_passwords(request.identifiers, texts)
        if self._policy == "raw":
            return Pseudonyms((), (), secrets=typed)
        return Pseudonyms(request.identifiers, texts, secrets=typed)

    def _ask_or_shorten(self, exchange: _Exchange, request: ExplanationRequest, inside: bool) -> ExplanationRequest:
        """Ask; once more with less when the model says that it is too much. Return what was asked about."""
        try:
            self._ask(exchange, request, inside)
            return request
        except ExplanationError as error:
            if error.code != "overflow":
                raise
        exchange.shortened = True
        request = prompting.shortened(request)
        self._ask(exchange, request, inside)
        return request

    def _ask(self, exchange: _Exchange, request: ExplanationRequest, inside: bool) -> None:
        """Put the question in every way it takes; the reply is in ``exchange`` afterwards."""

        def hide(text: str) -> str:
            return exchange.names.hide(redact(text))

        messages = prompting.messages(request, nonce=secrets.token_hex(8), hide=hide, version=self._prompt)
        exchange.characters = sum(prices.length(message["content"]) for message in messages)
        exchange.input_sha256 = _digest(prompting.messages(request, nonce="", hide=hide, version=self._prompt))
        habits = _HABITS.get(self._key, Habits())
        client, wire = self._client(exchange, inside)
        with client:
            try:
                for _ in range(chat_habits.MAX_CALLS):
                    exchange.form = habits.form
                    try:
                        self._call(client, exchange, messages, habits, inside)
                    except openai.APIStatusError as error:
                        exchange.request_id = lines.plain(error.request_id or "", 120)
                        habits = self._learned(habits, error)
                        continue
                    except (openai.OpenAIError, httpx2.HTTPError) as error:
                        raise self._failure(error) from error
                    _HABITS[self._key] = habits
                    return
            finally:
                exchange.calls += wire.calls
                exchange.unanswered += wire.unanswered
        raise ExplanationError("refused", "the endpoint refuses every way of asking")

    def _client(self, exchange: _Exchange, inside: bool) -> tuple[openai.OpenAI, chat_transport.Limited]:
        deadline = exchange.started + TOTAL_FACTOR * self._timeout
        http_client, wire = chat_transport.client(
            base_url=self._base_url,
            seconds=self._timeout,
            deadline=deadline,
            inside=inside,
            most_unanswered=1 + self._options.retries - exchange.unanswered,
        )
        client = openai.OpenAI(
            base_url=self._base_url,
            api_key=self._api_key or "none",
            timeout=http_client.timeout,
            max_retries=self._options.retries,
            http_client=http_client,
        )
        return client, wire

    def _call(
        self,
        client: openai.OpenAI,
        exchange: _Exchange,
        messages: list[dict[str, str]],
        habits: Habits,
        inside: bool,
    ) -> None:
        """Ask once and keep the reply's JSON object."""
        options = replace(self._options, safety_identifier="") if inside else self._options
        wanted: dict[str, Any] = {"model": self._model, "messages": messages}
        wanted |= chat_habits.parameters(habits, answers.schema(), options)
        reply = client.chat.completions.with_raw_response.create(**wanted).http_response
        exchange.request_id = lines.plain(reply.headers.get("x-request-id", ""), 120)
        exchange.replied = True
        exchange.body = chat_failures.json_object(reply.content.decode("utf-8", "replace"))

    def _learned(self, habits: Habits, error: openai.APIStatusError) -> Habits:
        """Return what to try next after a refused request; raise when nothing is left to try."""
        status, code, message = error.status_code, str(error.code or ""), str(error)
        if (
            status not in chat_failures.BAD_REQUEST
            or code in chat_failures.POLICY_CODES | chat_failures.ACCOUNT_CODES
            or chat_failures.overflows(status, code, message)
        ):
            raise self._failure(error) from error
        following = chat_habits.learned(habits, message)
        if following is None:
            raise self._failure(error) from error
        return following

    def _failure(self, error: Exception) -> ExplanationError:
        """Return the error in our words; the endpoint's text is capped and never repeats the key."""
        text = str(error.__cause__ if _too_large(error) else error)
        if self._api_key:
            text = text.replace(self._api_key, "[key]")
        detail = lines.plain(redact(text), MAX_DETAIL)
        reason, code = _reason(error)
        return ExplanationError(reason, detail or type(error).__name__, code=code)

    def _record(self, exchange: _Exchange, inside: bool, validation: str) -> CallRecord:
        body = exchange.body
        usage = body["usage"] if isinstance(body.get("usage"), dict) else {}
        choice = chat_failures.first_choice(body) or {}
        answered = _word(body.get("model"))
        tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        cost = self._cost(exchange, inside, answered, tokens)
        return CallRecord(
            endpoint=endpoints.host(self._base_url),
            model_asked=self._model,
            prompt_version=self._prompt,
            prompt_sha256=prompting.prompt_hash(self._prompt),
            input_sha256=exchange.input_sha256,
            attempt=self._options.attempt,
            calls=exchange.calls,
            latency_ms=int(1000 * (time.monotonic() - exchange.started)),
            validation=validation,
            cost_basis=cost.basis,
            cost_usd=cost.usd,
            model_answered=answered,
            system_fingerprint=_word(body.get("system_fingerprint")),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            finish_reason=_word(choice.get("finish_reason")),
            request_id=exchange.request_id,
            format=exchange.form,
            shortened=exchange.shortened,
            unanswered=exchange.unanswered,
        )

    def _cost(
        self, exchange: _Exchange, inside: bool, answered: str, tokens: tuple[int | None, int | None]
    ) -> prices.Cost:
        """Return what the question cost: the reply, if there was one, and requests that ended without any."""
        known: dict[str, Any] = {"base_url": self._base_url, "inside": inside, "price": self._options.price}
        most = self._options.max_answer_tokens
        each = prices.estimate(**known, model=self._model, characters=exchange.characters, output_tokens=most)
        if not exchange.replied:
            nothing = prices.FREE if each == prices.FREE else prices.NOT_BILLED
            return prices.with_unanswered(nothing, exchange.unanswered, each)
        choice = chat_failures.first_choice(exchange.body) or {}
        told = prices.settle(
            **known,
            models=(answered, self._model),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            characters=(exchange.characters, prices.length(str(choice.get("message", "")))),
        )
        return prices.with_unanswered(told, exchange.unanswered, each)

    def _columns(self, record: CallRecord, exchange: _Exchange) -> dict[str, Any]:
        """Return the columns that say how the answer came to be."""
        details: Mapping[str, Any] = {
            "language_model": True,
            "endpoint": record.endpoint,
            "policy": self._policy,
            "format": record.format,
            "answered_model": record.model_answered,
            "response_id": _word(exchange.body.get("id")),
            "prompt_sha256": record.prompt_sha256,
            "names_hidden": len(exchange.names.mapping),
            "call": record.as_dict(),
        }
        return {
            "prompt_version": record.prompt_version,
            "input_tokens": record.input_tokens,
            "output_tokens": record.output_tokens,
            "details": details,
        }


def _reason(error: Exception) -> tuple[str, str]:
    """Return the word for a client error and the endpoint's code for it."""
    if isinstance(error, openai.APIStatusError):
        status, code, message = error.status_code, str(error.code or ""), str(error)
        over = chat_failures.overflows(status, code, message)
        return chat_failures.reason(status, code, message), "overflow" if over else code
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
        return "timeout", ""
    if _too_large(error):
        return "invalid", ""
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        return "unreachable", ""
    return "invalid", ""


def _too_large(error: Exception) -> bool:
    return isinstance(error.__cause__, chat_transport.TooLargeError)


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
        severity=shape.severity,
        explainer=OpenAIChatExplainer.name,
    )


def _digest(messages: list[dict[str, str]]) -> str:
    return hashlib.sha256("\0".join(message["content"] for message in messages).encode()).hexdigest()


def _word(value: object) -> str:
    return lines.plain(value, 120) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _count(usage: dict[str, Any], name: str) -> int | None:
    """Return a token count of the usage block, None when it is missing or nonsense."""
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None
