"""What the analyst side plugs into the event side, which never imports it.

Handed: functions, registered when the analyst side's app starts. Hands on: what people decided about events, word of
every change of champion, and what else doctor should say. Without an analyst side there are no labels, and nobody is
told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decided: a person, or an automation of this name."""

    name: str
    is_person: bool = True


#: The gate, when it decides by itself.
GATE = Decider("gate", is_person=False)


@dataclass(frozen=True, slots=True)
class ChampionChange:
    """One change of champion. ``action`` is ``promote`` or ``rollback``; ``previous`` is None before the first."""

    action: str
    version: str
    previous: str | None
    by: Decider
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result for doctor; ``warning`` is for what still works, but not for long."""

    name: str
    healthy: bool
    detail: str
    fix: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody did at the shell: a backup made or restored, a source or token made, the first login."""

    action: str
    by: Decider
    details: Mapping[str, object]


Labels = Mapping[int, int]
_labels: list[Callable[[], Labels]] = []
_cleared: list[Callable[[], set[int]]] = []
_examiners: list[Callable[[], list[Finding]]] = []
_listeners: list[Callable[[ChampionChange], None]] = []
_witnesses: list[Callable[[Operation], None]] = []


def provide_labels(provider: Callable[[], Labels]) -> None:
    """Let a function tell the labels of events: event id -> 1 (malicious) or 0 (not)."""
    if provider not in _labels:
        _labels.append(provider)


def labels() -> dict[int, int]:
    """Return every label people gave; of two providers the later one counts."""
    found: dict[int, int] = {}
    for provider in _labels:
        found.update(provider())
    return found


def provide_cleared(provider: Callable[[], set[int]]) -> None:
    """Let a function tell the ids of flagged events that people found harmless."""
    if provider not in _cleared:
        _cleared.append(provider)


def cleared() -> set[int]:
    """Return the ids of flagged events that people found harmless: these may be learned from."""
    return {event for provider in _cleared for event in provider()}


def tell_champion_changes(listener: Callable[[ChampionChange], None]) -> None:
    """Let a function hear of each change of champion, inside its transaction: what it raises undoes the change."""
    if listener not in _listeners:
        _listeners.append(listener)


def champion_changed(change: ChampionChange) -> None:
    """Tell every listener."""
    for listener in _listeners:
        listener(change)


def tell_operations(witness: Callable[[Operation], None]) -> None:
    """Let a function hear of each operation before it is done: what it raises stops it."""
    if witness not in _witnesses:
        _witnesses.append(witness)


def operation(done: Operation) -> None:
    """Tell every witness."""
    for witness in _witnesses:
        witness(done)


def provide_findings(examiner: Callable[[], list[Finding]]) -> None:
    """Let a function add findings to doctor's; it is called when the database can be used."""
    if examiner not in _examiners:
        _examiners.append(examiner)


def findings() -> list[Finding]:
    """Return the findings of every such function."""
    return [finding for examiner in _examiners for finding in examiner()]
