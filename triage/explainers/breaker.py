"""The circuit breaker: an endpoint that cannot help is left alone for a while.

Handed: what came of each question, and the time in seconds. Hands on: whether to ask. The state is a value and
its changes are pure functions; where it is kept, per process or shared, is the caller's affair.
"""

from dataclasses import dataclass

from triage.explainers.chat_failures import ACCOUNT_CODES

#: Consecutive questions without any answer that open the breaker.
FAILURES = 5
PASSING_SECONDS = 60.0
#: An empty account is filled by a person.
ACCOUNT_SECONDS = 3600.0
#: A trial that never reports back does not keep everybody else waiting for ever.
TRIAL_SECONDS = 600.0
_COUNTED = frozenset({"timeout", "unreachable"})


@dataclass(frozen=True, slots=True)
class Breaker:
    """Closed while ``open_until`` is 0; after that moment one trial is let through at a time."""

    failures: int = 0
    open_until: float = 0.0
    trial_until: float = 0.0
    why: str = ""


def wait_seconds(state: Breaker, now: float) -> float:
    """Return for how many seconds nobody may ask; 0.0 when it may be asked now."""
    return max(state.open_until - now, state.trial_until - now, 0.0)


def before(state: Breaker, now: float) -> Breaker:
    """Return the state while a question is under way; the first one after an opening is the only one."""
    if not state.open_until:
        return state
    return Breaker(state.failures, state.open_until, now + TRIAL_SECONDS, state.why)


def after(state: Breaker, now: float, *, reason: str, code: str = "") -> Breaker:
    """Return the state after a question; ``reason`` is empty for an answer.

    >>> after(Breaker(), 100.0, reason="budget", code="insufficient_quota").open_until
    3700.0
    """
    if reason == "budget" or code in ACCOUNT_CODES:
        return Breaker(state.failures + 1, now + ACCOUNT_SECONDS, 0.0, code or reason)
    if reason not in _COUNTED:
        return Breaker()  # it answered, however badly
    failures = state.failures + 1
    if failures < FAILURES:
        return Breaker(failures)
    return Breaker(failures, now + PASSING_SECONDS, 0.0, reason)
