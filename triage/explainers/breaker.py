"""The circuit breaker: an endpoint that cannot help is left alone for a while.

Handed: what came of each question, and the time in seconds. Hands on: whether to ask. The state is a value and
its changes are pure functions of the wall clock, so that workers on several hosts can share it; where it is kept is
the affair of a :class:`BreakerStore`.
"""

import hashlib
import json
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

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


#: Which endpoint: base URL and model.
Key = tuple[str, str]


class BreakerStore(Protocol):
    """Where the state of each endpoint is kept."""

    def change(self, key: Key, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Replace a state by ``change`` of it, in one step for everybody who shares it; return it as it was."""


class InProcess:
    """Keeps the states for the threads of one process."""

    def __init__(self) -> None:
        self._states: dict[Key, Breaker] = {}
        self._lock = threading.Lock()

    def change(self, key: Key, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Replace a state by ``change`` of it; return it as it was."""
        with self._lock:
            before_it = self._states.get(key, Breaker())
            self._states[key] = change(before_it)
        return before_it

    def clear(self) -> None:
        """Forget every endpoint."""
        with self._lock:
            self._states.clear()


def note_name(key: Key) -> str:
    """Return the name under which processes share the state of an endpoint."""
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    return f"breaker-{digest[:32]}"


def dumps(state: Breaker) -> str:
    """Return a state as text; a closed breaker without failures is the empty text."""
    return "" if state == Breaker() else json.dumps(asdict(state))


def loads(text: str) -> Breaker:
    """Return the state that a text holds; a damaged one is a closed breaker."""
    try:
        found = json.loads(text) if text else {}
        numbers = float(found.get("open_until", 0)), float(found.get("trial_until", 0))
        failures = int(found.get("failures", 0))
        why = str(found.get("why", ""))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return Breaker()
    return Breaker(failures, *numbers, why) if all(map(math.isfinite, numbers)) else Breaker()


def enter(store: BreakerStore, key: Key, now: float) -> tuple[float, str]:
    """Note that a question begins, unless the breaker is open; return for how long it is (seconds), and why.

    Of many who come at once after an opening, one gets through.
    """
    was = store.change(key, lambda state: state if wait_seconds(state, now) else before(state, now))
    return wait_seconds(was, now), was.why


def wait_seconds(state: Breaker, now: float) -> float:
    """Return for how many seconds nobody may ask; 0.0 when it may be asked now.

    A moment further ahead than any breaker stays open was written by a clock that has been set back since.
    """
    wait = max(state.open_until - now, state.trial_until - now, 0.0)
    return wait if wait <= ACCOUNT_SECONDS else 0.0


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
