"""What happened around an event lately: whole numbers per entity, counted in event time.

Handed: events in the order they arrive. Hands on: per event a few whole numbers (:data:`NUMBERS`), how much its user,
its source and its host did in this and the previous ten minutes. They are stored with the event, so that its score can
be had again without the stream. They say nothing about what is usual: :mod:`triage.features.usual_windows` knows that.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from triage.contracts import ParsedEvent

#: Entity -> fields of which it counts how many values it shows for the first time.
ENTITIES: Mapping[str, tuple[str, ...]] = {
    "user.name": ("source.ip", "host.name", "event.action"),
    "source.ip": ("user.name", "destination.ip", "destination.port", "url.path"),
    "host.name": ("process.name", "rule.id"),
}
#: What is counted of an entity: its events; those that failed, told only to an event that is an attempt itself and not
#: of a host, whose other users had no part in it; and values it was not seen with before.
MEASURES = ("events", "failures", "new_values")
NUMBERS = tuple(f"{entity} {measure}" for entity in ENTITIES for measure in MEASURES)
#: In place of the numbers of an entity the event does not have, or of an event without a time of its own.
ABSENT = -1
#: Seconds; an event is told the counts of its own slot and the one before.
SLOT = 600.0
#: No clock shows more seconds than this; infinite and not a number are no times either.
LATEST = 1e12
#: Entities, and values seen with them, that are remembered: at most twice as many. Longer names are cut.
MAX_ENTITIES, MAX_SEEN, MAX_NAME = 50_000, 100_000, 120
#: States of a network connection (as Zeek names them) in which nobody answered, or with a refusal.
REFUSED = frozenset({"S0", "REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH"})

K = TypeVar("K")
V = TypeVar("V")
_NONE = (ABSENT,) * len(MEASURES)


class Recent(Generic[K, V]):
    """A mapping of at most ``2 * limit`` entries, which forgets what nobody asked for in a while."""

    __slots__ = ("_limit", "_new", "_old")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value of a key, which is then among the newest."""
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.keep(key, found)
        return found

    def keep(self, key: K, value: V) -> None:
        """Remember a value."""
        if len(self._new) >= self._limit:
            self._old, self._new = self._new, {}
        self._new[key] = value

    def __len__(self) -> int:
        return len(self._new) + len(self._old)


class Windows:
    """The counts of a stream. The numbers of an event depend on the events before it, in whatever batches they came."""

    def __init__(self) -> None:
        #: Slot, then for each measure the count of the slot and of the one before.
        self.entities: Recent[tuple[str, str], list[int]] = Recent(MAX_ENTITIES)
        self.seen: Recent[tuple[str, str, str, str], bool] = Recent(MAX_SEEN)

    def observe(self, events: Sequence[ParsedEvent]) -> np.ndarray:
        """Count events and return their numbers, shape ``(n_events, len(NUMBERS))``, int32.

        An event without a time of its own is not counted: when it was received says nothing about a burst.
        """
        numbers = np.full((len(events), len(NUMBERS)), ABSENT, dtype=np.int32)
        for place, event in enumerate(events):
            if event.timestamp_origin == "event" and abs(event.timestamp) < LATEST:
                numbers[place] = self._count(event)
        return numbers

    def _count(self, event: ParsedEvent) -> list[int]:
        fields, slot, failed = event.fields, int(event.timestamp // SLOT), has_failed(event)
        is_attempt = failed or fields.get("event.outcome") == "success"
        row: list[int] = []
        for entity, others in ENTITIES.items():
            value = fields.get(entity)
            if type(value) is not str:
                row += _NONE
                continue
            value = value[:MAX_NAME]
            counts = self._counts_of(entity, value, slot)
            counts[1] += 1
            counts[3] += failed
            for other in others:
                second = fields.get(other)
                if second is not None and self._is_new(entity, value, other, second):
                    counts[5] += 1
            failures = counts[3] + counts[4] if is_attempt and entity != "host.name" else 0
            row += (counts[1] + counts[2], failures, counts[5] + counts[6])
        return row

    def _counts_of(self, entity: str, value: str, slot: int) -> list[int]:
        """Return the counts of an entity, moved on to a slot.

        A late event counts in the newest slot; after a jump of the clock the entity starts anew.
        """
        counts = self.entities.get((entity, value))
        if counts is None:
            counts = [slot, 0, 0, 0, 0, 0, 0]
            self.entities.keep((entity, value), counts)
        elif slot == counts[0] + 1:
            counts[:] = [slot, 0, counts[1], 0, counts[3], 0, counts[5]]
        elif slot > counts[0] or slot < counts[0] - 1:
            counts[:] = [slot, 0, 0, 0, 0, 0, 0]
        return counts

    def _is_new(self, entity: str, value: str, other: str, second: Any) -> bool:
        """Return whether an entity was not seen with a value before, as far as is remembered."""
        key = (entity, value, other, str(second)[:MAX_NAME])
        if self.seen.get(key) is not None:
            return False
        self.seen.keep(key, True)
        return True


def has_failed(event: ParsedEvent) -> bool:
    """Return whether an event tells of something refused or failed."""
    fields = event.fields
    if fields.get("event.outcome") == "failure":
        return True
    status = fields.get("http.response.status_code")
    return (type(status) is int and status >= 400) or fields.get("zeek.conn_state") in REFUSED
