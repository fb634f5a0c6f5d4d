"""How much around an event is usual: learned once per kind of event and entity, and frozen.

Handed: events with their window numbers (:mod:`triage.features.windows`). Hands on: three columns, by how much (on a
log scale) an event's entities exceed what is usual: nothing for 95 of 100 learned events, so what fluctuates every day
adds no noise. An entity that is active often is compared with its own most as well.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent
from triage.features.mass import SEPARATOR
from triage.features.tokens import kind_of
from triage.features.windows import ENTITIES, MAX_NAME, MEASURES, SLOT

#: One column per measure, all "higher = more unusual".
COLUMNS = ("burst", "failures", "new_values")
USUAL_SHARE = 0.95
#: Events a kind needs for numbers of its own, slots an entity must be active in, and slots a history must span.
MIN_KIND, MIN_ACTIVE, MIN_SLOTS = 50, 20, 72
MAX_OWN = 4_000
MOST = 4_095
#: ``ln(1 + n)`` of every count up to :data:`MOST`; a table, so that it is the same alone and in an array.
_LOGS = np.array([math.log1p(n) for n in range(MOST + 1)])
_WIDTH = len(MEASURES)

Limits = dict[tuple[str, str], list[int]]


class UsualWindows:
    """What is usual around events.

    ``limits`` has per kind and entity the largest usual number of each measure, with the kind ``""`` for all others;
    ``own`` per entity and its name the most events it had.
    """

    def __init__(self, limits: Limits, own: Mapping[tuple[str, str], int]) -> None:
        self.limits, self.own = limits, dict(own)

    @classmethod
    def learn(cls, events: Sequence[ParsedEvent], numbers: np.ndarray) -> "UsualWindows | None":
        """Learn from events and their numbers; ``None`` from too short a history."""
        slots = {int(event.timestamp // SLOT) for event, row in zip(events, numbers, strict=True) if row.max() >= 0}
        if len(slots) < MIN_SLOTS:
            return None
        kinds: dict[str, list[int]] = {}
        for place, event in enumerate(events):
            kinds.setdefault(_kind(event), []).append(place)
        limits: Limits = {}
        for number, entity in enumerate(ENTITIES):
            part = numbers[:, number * _WIDTH : (number + 1) * _WIDTH]
            _add_limit(limits, "", entity, part)
            for kind, places in kinds.items():
                if len(places) >= MIN_KIND:
                    _add_limit(limits, kind, entity, part[places])
        return cls(limits, _own(events, numbers))

    def columns(self, events: Sequence[ParsedEvent], numbers: np.ndarray) -> np.ndarray:
        """Return the columns of events, shape ``(n_events, len(COLUMNS))``."""
        found = np.zeros((len(events), _WIDTH))
        for number, entity in enumerate(ENTITIES):
            part = numbers[:, number * _WIDTH : (number + 1) * _WIDTH]
            places = np.flatnonzero(part[:, 0] >= 0)
            if len(places):
                limits = np.array([self.limit(events[place], entity) for place in places.tolist()])
                beyond = _LOGS[part[places].clip(0, MOST)] - _LOGS[limits]
                found[places] = np.maximum(found[places], beyond)
        return found

    def limit(self, event: ParsedEvent, entity: str) -> list[int]:
        """Return the largest usual numbers of an event's entity."""
        limits = self.limits.get((_kind(event), entity)) or self.limits.get(("", entity)) or [MOST] * _WIDTH
        own = self.own.get((entity, _name(event, entity)), 0)
        return [max(limits[0], own), *limits[1:]]

    def state(self) -> dict[str, Any]:
        """Return what was learned as a plain tree; names as one array of bytes."""
        return {
            "limit_names": _pack(self.limits),
            "limits": np.array(list(self.limits.values()), dtype=np.int64).reshape(-1, _WIDTH),
            "own_names": _pack(self.own),
            "own": np.array(list(self.own.values()), dtype=np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "UsualWindows":
        """Rebuild it; raise ``ValueError`` when names and numbers do not fit together."""
        if state["limits"].shape[1:] != (_WIDTH,):
            raise ValueError(f"the limits of windows have the shape {state['limits'].shape}")
        limits = dict(zip(_unpack(state["limit_names"]), state["limits"].tolist(), strict=True))
        return cls(limits, dict(zip(_unpack(state["own_names"]), state["own"].tolist(), strict=True)))


def _pack(keys: Iterable[tuple[str, str]]) -> np.ndarray:
    """Return pairs of names as one array of bytes."""
    text = "".join(f"{first}{SEPARATOR}{second}{SEPARATOR}" for first, second in keys)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).copy()


def _unpack(packed: np.ndarray) -> list[tuple[str, str]]:
    names = packed.tobytes().decode("utf-8", "surrogatepass").split(SEPARATOR)[:-1]
    return list(zip(names[::2], names[1::2], strict=True))


def _name(event: ParsedEvent, entity: str) -> str:
    """Return the name of an event's entity as it is learned and stored: cut, and without the separator."""
    return str(event.fields.get(entity, ""))[:MAX_NAME].replace(SEPARATOR, " ")


def _kind(event: ParsedEvent) -> str:
    return kind_of(event).replace(SEPARATOR, " ")


def _add_limit(limits: Limits, kind: str, entity: str, part: np.ndarray) -> None:
    """Add the usual numbers of one kind and entity, if enough events have that entity."""
    present = part[part[:, 0] >= 0]
    if len(present) >= MIN_KIND:
        ordered = np.sort(present, axis=0)
        limits[kind, entity] = ordered[int(USUAL_SHARE * (len(ordered) - 1))].clip(0, MOST).tolist()


def _own(events: Sequence[ParsedEvent], numbers: np.ndarray) -> dict[tuple[str, str], int]:
    """Return the most events of each entity that was active in enough slots, the most active first."""
    most: dict[tuple[str, str], int] = {}
    active: dict[tuple[str, str], set[int]] = {}
    for event, row in zip(events, numbers[:, ::_WIDTH].tolist(), strict=True):
        for entity, count in zip(ENTITIES, row, strict=True):
            if count >= 0:
                key = (entity, _name(event, entity))
                most[key] = max(most.get(key, 0), count)
                active.setdefault(key, set()).add(int(event.timestamp // SLOT))
    often = sorted((key for key in most if len(active[key]) >= MIN_ACTIVE), key=lambda key: (-len(active[key]), key))
    return {key: min(most[key], MOST) for key in often[:MAX_OWN]}
