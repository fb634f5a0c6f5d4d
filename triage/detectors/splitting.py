"""Which events of a history teach, and which calibrate.

Handed: events in time order, and which of them are suspects: flagged before and not judged harmless since. Hands on:
three parts. A suspect teaches nothing, so that an attacker who repeats himself does not become usual by being learned.
Among the events that calibrate suspects stay up to the share of the alert budget: that many usual events are flagged
anyhow, and without them every retraining would set the threshold a little lower than the last.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from triage.contracts import ParsedEvent
from triage.features.tokens import kind_of

BASELINE_SHARE, COLUMNS_SHARE = 0.65, 0.8
#: A kind with at least this many events is split by its own order.
COMMON_KIND = 60


@dataclass(frozen=True, slots=True)
class Parts:
    """What teaches a first baseline, what teaches the columns, what calibrates; each in time order."""

    taught: list[ParsedEvent]
    held_back: list[ParsedEvent]
    calibrating: list[ParsedEvent]


def split(events: Sequence[ParsedEvent], suspects: Sequence[bool], alert_budget: float) -> Parts:
    """Return the parts of a history; ``suspects`` has one entry per event."""
    parts = split_by_kind(events)
    taught, held_back = ([events[place] for place in part if not suspects[place]] for part in parts[:2])
    doubtful = [place for place in parts[2] if suspects[place]]
    room = int(alert_budget * len(parts[2]))
    kept = set(spread(doubtful, room))
    calibrating = [events[place] for place in parts[2] if not suspects[place] or place in kept]
    return Parts(taught, held_back, calibrating)


def spread(places: Sequence[int], room: int) -> Sequence[int]:
    """Return at most ``room`` of the places, evenly spaced.

    >>> spread([10, 11, 12, 13, 14, 15], 3), spread([1, 2], 5), spread([1, 2], 0)
    ([10, 12, 14], [1, 2], [])
    """
    if len(places) <= room:
        return places
    return [places[number * len(places) // room] for number in range(room)]


def split_by_kind(events: Sequence[ParsedEvent]) -> tuple[list[int], list[int], list[int]]:
    """Return the places of the events of each part, in time order.

    A common kind gives its own oldest events to the first part and its own newest ones to the last, so
    that a kind which fell silent early, or came with a clock of its own, is calibrated too. Rare kinds
    stay where time puts them: how often a new kind turns up must be learnt from time itself.
    """
    kinds = [kind_of(event) for event in events]
    sizes, seen = Counter(kinds), Counter[str]()
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for position, kind in enumerate(kinds):
        rank = seen[kind] / sizes[kind] if sizes[kind] >= COMMON_KIND else position / len(events)
        seen[kind] += 1
        parts[(rank >= BASELINE_SHARE) + (rank >= COLUMNS_SHARE)].append(position)
    return parts
