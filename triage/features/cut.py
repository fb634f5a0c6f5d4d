"""Cut many events into columns: per field its values and the events they come from.

Handed: events that are compared with one model. Hands on: the cells :func:`triage.features.tokens.cells` gives
event by event, turned by ninety degrees. Events with the same fields in the same order are cut together, so that
nothing but a text with "=" in it, a list and a message is looked at one by one.
"""

from collections.abc import Container, Mapping, Sequence
from itertools import chain, repeat
from operator import contains
from typing import Any

import numpy as np

from triage.contracts import ParsedEvent
from triage.features.tokens import IGNORED_FIELDS, add_text, is_said, listed, plain_value

Column = tuple[np.ndarray, Sequence[Any]]
_EQUALS_SIGNS = repeat("=")
_SIMPLE = ({str}, {int}, {float}, {bool}, {int, float})


class Cut:
    """The columns of ``n`` events.

    ``columns`` has per field the distinct events that say it once, and their values; ``extras`` has, as lists
    with one entry per cell, what lists and web parameters add (an event may come up several times). Both hold
    ``known`` fields only, of others ``new_fields`` counts the cells of each event: a sender may make names up.
    ``together`` has the names of all cells of groups of events; ``odd`` are events that say one field in two ways.
    """

    __slots__ = ("columns", "extras", "known", "n", "new_fields", "odd", "together")

    def __init__(self, n: int, known: Container[str]) -> None:
        self.n = n
        self.known = known
        self.new_fields = np.zeros(n, dtype=np.intp)
        self.columns: dict[str, list[Column]] = {}
        self.extras: dict[str, tuple[list[int], list[Any]]] = {}
        self.together: list[tuple[tuple[str, ...], np.ndarray]] = []
        self.odd: set[int] = set()

    def add(self, keys: Sequence[str], places: Sequence[int], events: Sequence[ParsedEvent]) -> None:
        """Cut events that all have the fields ``keys``, in that order; ``places`` are their numbers."""
        where = np.array(places, dtype=np.intp)
        own: dict[int, list[str]] = {}
        shared: list[str] = []
        for name, values in zip(keys, zip(*[event.fields.values() for event in events], strict=True), strict=True):
            if name in IGNORED_FIELDS:
                continue
            classes = set(map(type, values))
            if classes in _SIMPLE and not (classes == {str} and any(map(contains, values, _EQUALS_SIGNS))):
                self._add_column(name, where, values)
                shared.append(name)
            else:
                self._add_apart(name, places, values, own, has_query="url.query" in keys)
        self._add_messages(keys, where, events, own, shared)
        self._add_together(tuple(shared), places, own)

    def _add_apart(
        self, name: str, places: Sequence[int], values: Sequence[Any], own: dict[int, list[str]], *, has_query: bool
    ) -> None:
        """Add a field some of whose values are lists, hold web parameters, or are of no simple type."""
        kept_places: list[int] = []
        kept: list[Any] = []
        for place, value in zip(places, values, strict=True):
            if type(value) is str and "=" in value and len(value) > 2:
                found: list[tuple[str, Any]] = []
                add_text(found, name, value, has_query=has_query)
                self._add_extras(place, found, own)
            elif isinstance(value, list):
                self._add_extras(place, [(name, item) for item in listed(value)], own)
            else:
                kept_places.append(place)
                kept.append(plain_value(value))
                own.setdefault(place, []).append(name)
        if kept:
            self._add_column(name, np.array(kept_places, dtype=np.intp), kept)

    def _add_column(self, name: str, places: np.ndarray, values: Sequence[Any]) -> None:
        if name in self.known:
            self.columns.setdefault(name, []).append((places, values))
        else:
            self.new_fields[places] += 1

    def _add_extras(self, place: int, found: list[tuple[str, Any]], own: dict[int, list[str]]) -> None:
        names = own.setdefault(place, [])
        for name, value in found:
            names.append(name)
            if name not in self.known:
                self.new_fields[place] += 1
                continue
            extra = self.extras.get(name)
            if extra is None:
                extra = self.extras[name] = ([], [])
            extra[0].append(place)
            extra[1].append(value)

    def _add_messages(
        self,
        keys: Sequence[str],
        where: np.ndarray,
        events: Sequence[ParsedEvent],
        own: dict[int, list[str]],
        shared: list[str],
    ) -> None:
        """Add what the events say in words, where that is not one of their fields."""
        said = [(at, event.message) for at, event in enumerate(events) if is_said(event)]
        if not said:
            return
        places = where if len(said) == len(events) else where[[at for at, _ in said]]
        if "message" in keys:
            self.odd.update(places.tolist())
            return
        self._add_column("message", places, [message for _, message in said])
        if len(said) == len(events):
            shared.append("message")
        else:
            for place in places.tolist():
                own.setdefault(place, []).append("message")

    def _add_together(self, shared: tuple[str, ...], places: Sequence[int], own: Mapping[int, list[str]]) -> None:
        """Note which names come together; ``own`` has those that not all of these events share."""
        if not own:
            self.together.append((shared, np.array(places, dtype=np.intp)))
            return
        groups: dict[tuple[str, ...], list[int]] = {}
        for place in places:
            groups.setdefault((*shared, *own.get(place, ())), []).append(place)
        self.together.extend((names, np.array(group, dtype=np.intp)) for names, group in groups.items())

    def whole_columns(self) -> list[tuple[str, np.ndarray | None, Sequence[Any]]]:
        """Return ``(field, places, values)`` per field; places is ``None`` when every event says it in order."""
        return [(name, *self._join(parts)) for name, parts in self.columns.items()]

    def _join(self, parts: list[Column]) -> tuple[np.ndarray | None, Sequence[Any]]:
        if len(parts) == 1:
            places, values = parts[0]
            return (None if len(places) == self.n and bool((np.diff(places) == 1).all()) else places), values
        return np.concatenate([places for places, _ in parts]), list(chain.from_iterable(part for _, part in parts))

    def extra_rounds(self) -> list[tuple[str, np.ndarray, Sequence[Any]]]:
        """Return ``(field, places, values)`` of the extras; an event is among the places of a round once."""
        rounds: list[tuple[str, np.ndarray, Sequence[Any]]] = []
        for name, (places, values) in self.extras.items():
            if name in self.columns:
                taken = {place for part, _ in self.columns[name] for place in part.tolist()}
                self.odd.update(taken.intersection(places))
            if len(set(places)) == len(places):
                rounds.append((name, np.array(places, dtype=np.intp), values))
            else:
                rounds.extend((name, *one) for one in _rounds(places, values))
        return rounds


def _rounds(places: list[int], values: list[Any]) -> list[Column]:
    """Split cells into rounds, so that the nth cell of an event is in the nth round."""
    times: dict[int, int] = {}
    rounds: list[tuple[list[int], list[Any]]] = []
    for place, value in zip(places, values, strict=True):
        turn = times.get(place, 0)
        times[place] = turn + 1
        if turn == len(rounds):
            rounds.append(([], []))
        rounds[turn][0].append(place)
        rounds[turn][1].append(value)
    return [(np.array(places, dtype=np.intp), values) for places, values in rounds]
