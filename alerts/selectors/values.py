"""What can be done with one value of a field: the menu beside it.

Handed: a field, a value, and the query of the page it was shown on. Hands on: links, made by the query language, so
that a value an attacker wrote is one quoted value whatever is in it.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from alerts import event_query
from alerts.event_query import QueryError
from alerts.text import defanged, visible
from triage import ecs
from triage.conditions import EVERYTHING, OWN_FIELDS, Condition, Match, Not, Text, both

#: Fields whose values have a page of their own, and the kind it goes by.
ENTITY_KINDS: dict[str, str] = dict(ecs.ENTITY_FIELDS) | {
    "destination.ip": "address", "client.ip": "address", "server.ip": "address", "host.ip": "address",
    "process.parent.name": "process", "user.target.name": "user", "source.user.name": "user",
}  # fmt: skip
#: Own fields that no value can simply be searched by.
_NO_MATCH = frozenset({"@timestamp", "timestamp", "received", "score", "p", "id"})


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of a menu; ``apart`` draws a line above it."""

    label: str
    address: str
    note: str = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Menu:
    """What a value's menu says."""

    field: str
    value: str
    defanged: str
    actions: tuple[Action, ...]
    problem: str = ""


def condition_of(field: str, value: str) -> Condition | None:
    """Return what asks for a field's value; None for what cannot be asked so."""
    if not field or not value or "\0" in field + value or field in _NO_MATCH:
        return None
    if field == "message":
        return Text(value)
    if field == "entity" or field in OWN_FIELDS or field in ecs.PLAIN_NAMES or "." in field.strip("."):
        return Match(field, value)
    return None


def menu(field: str, value: str, query: str = "") -> Menu:
    """Return the menu of a field's value on a page that is about ``query``."""
    asked, problem = _base(query)
    wanted = condition_of(field, value)
    actions = (*_searches(field, wanted, asked), *_entity(field, value))
    if wanted is None or not _is_short(wanted):
        problem, actions = "This value cannot be searched for.", tuple(_entity(field, value))
    return Menu(field, value, defanged(visible(value)), actions, problem)


def _base(query: str) -> tuple[Condition, str]:
    """Return what the page is about; what cannot be read counts as nothing."""
    try:
        return event_query.parse(query), ""
    except QueryError:
        return EVERYTHING, "The page's own search cannot be read; the links start afresh."


def _is_short(wanted: Condition) -> bool:
    return len(event_query.write(wanted)) <= event_query.MAX_LENGTH // 2


def _searches(field: str, wanted: Condition | None, asked: Condition) -> tuple[Action, ...]:
    if wanted is None:
        return ()
    grouped = _address(asked, group=field) if field != "message" else ""
    if asked == EVERYTHING:
        found = [Action("Events with it", _address(wanted)), Action("Events without it", _address(Not(wanted)))]
    else:
        narrowed = both(asked, wanted)
        found = [
            Action("Include", _address(narrowed), "and it"),
            Action("Exclude", _address(both(asked, Not(wanted))), "and not it"),
            Action("Only", _address(wanted), "nothing else"),
        ]
    return (*found, *([Action("Group by", grouped, field)] if grouped else []))


def _address(wanted: Condition, **more: str) -> str:
    return f"{reverse('events')}?{urlencode({'q': event_query.write(wanted)} | more)}"


def _entity(field: str, value: str) -> list[Action]:
    """Return the way to the page of who or what a value names, where there is one."""
    kind, name = value.split(":", 1) if field == "entity" and ":" in value else (ENTITY_KINDS.get(field, ""), value)
    if not kind:
        return []
    try:
        address = reverse("entity", args=[kind])
    except NoReverseMatch:
        return []
    return [Action("Open its page", f"{address}?{urlencode({'name': name})}", kind, apart=True)]
