"""The circuit breaker of all workers: what one learns about an endpoint, every other one knows.

Handed: changes of an endpoint's state. Hands on: the state as it was, from the notes that all processes share (Redis,
or files when embedded). While those cannot be reached each process goes by what it learned itself.
"""

from collections.abc import Callable

from triage import state
from triage.explainers import breaker
from triage.explainers.breaker import Breaker, InProcess, Key


class Shared:
    """Keeps states where every process sees them."""

    def __init__(self) -> None:
        self._own = InProcess()

    def change(self, key: Key, change: Callable[[Breaker], Breaker]) -> Breaker:
        """Replace a state by ``change`` of it, in one step for all processes; return it as it was."""
        was = state.change_note(breaker.note_name(key), lambda text: breaker.dumps(change(breaker.loads(text))))
        return self._own.change(key, change) if was is None else breaker.loads(was)


#: What explainers are handed.
SHARED = Shared()


def close(*, base_url: str, model: str) -> bool:
    """Let an endpoint be asked again at once, as after an account was filled; return whether it was left alone."""
    return SHARED.change((base_url, model), lambda _: Breaker()) != Breaker()
