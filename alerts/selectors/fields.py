"""An event's fields as a tree, and which of them reasons name and evidence lines were read from.

Handed: an event with its document, and what points at its fields. Hands on: nodes for a nested list, each with an
anchor that evidence lines and reasons link to. Names and values were written by attackers: depth, number and length are
capped here, and what was left out is counted, so that nothing seems to be missing that is only not shown.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from triage import documents, ecs
from triage.explainers.case import moment
from triage.models import Event

MAX_FIELDS = 400
MAX_DEPTH = 5
MAX_NAME = 200
MAX_VALUE = 4000
MAX_ITEMS = 50
#: Shown first, in this order; all else follows by name.
_FIRST = ("@timestamp", "message", "event", "user", "host", "source", "destination", "process")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.@-]")
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Marks:
    """What points at an event's fields: reasons by field (1-based positions), evidence lines by field (numbers)."""

    reasons: Mapping[str, Sequence[int]] = field(default_factory=dict)
    cited: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a field; ``more`` characters of it are not shown."""

    text: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree: a field with its values, or a name that several fields have in common.

    ``name`` is what is shown, ``path`` the field's whole name, ``more`` how many values are not shown. ``untrusted``
    tells that an attacker chooses the text.
    """

    name: str
    path: str
    anchor: str = ""
    values: tuple[Value, ...] = ()
    more: int = 0
    untrusted: bool = False
    reasons: tuple[int, ...] = ()
    cited: tuple[int, ...] = ()
    children: tuple["Node", ...] = ()

    @property
    def leaves(self) -> int:
        """How many fields are in it."""
        return sum(child.leaves for child in self.children) if self.children else 1

    @property
    def marked(self) -> bool:
        """Whether a reason or an evidence line points into it."""
        return bool(self.reasons or self.cited) or any(child.marked for child in self.children)


@dataclass(frozen=True, slots=True)
class FieldTree:
    """The fields of one event. ``left_out`` of ``total`` are not shown; ``readable`` is False without a document."""

    event_id: int
    nodes: tuple[Node, ...]
    total: int
    left_out: int
    readable: bool

    @property
    def marked(self) -> int:
        """How many of the shown fields something points at."""
        return sum(1 for leaf in _leaves(self.nodes) if leaf.marked)

    @property
    def text(self) -> str:
        """The shown fields as lines of ``name: value``, for copying."""
        return "\n".join(f"{leaf.path}: {', '.join(one.text for one in leaf.values)}" for leaf in _leaves(self.nodes))


def anchor(event_id: int, name: str) -> str:
    """Return the id of a field's line in a page.

    >>> anchor(7, "user.name"), anchor(7, 'a "b"')
    ('field-7-user.name', 'field-7-a__b_')
    """
    return f"field-{event_id}-{_UNSAFE.sub('_', name[:MAX_NAME])}"


def fields_of(event: Event) -> dict[str, Any]:
    """Return all that is known of an event by field: its document, what only its row says, its time and message."""
    document = documents.of(event)
    row = {name: getattr(event, column) for name, column in ecs.COLUMNS.items()}
    known = {"@timestamp": moment(event.timestamp), "message": document.message or event.message}
    return {name: value for name, value in (known | row).items() if value} | dict(document.fields or {})


def field_tree(event: Event, marks: Marks | None = None) -> FieldTree:
    """Return an event's fields as a tree; what something points at is never left out."""
    marks, found = marks or Marks(), fields_of(event)
    pointed = [name for name in found if name in marks.reasons or name in marks.cited]
    names = list(dict.fromkeys([*pointed, *sorted(found, key=_order)]))[:MAX_FIELDS]
    leaves = [_leaf(event.pk, name, found[name], marks) for name in sorted(names, key=_order)]
    return FieldTree(
        event_id=event.pk,
        nodes=_nest(leaves),
        total=len(found),
        left_out=len(found) - len(names),
        readable=documents.of(event).fields is not None,
    )


def _order(name: str) -> tuple[int, str]:
    root = name.partition(".")[0]
    return (_FIRST.index(root) if root in _FIRST else len(_FIRST), name)


def _leaf(event_id: int, name: str, value: object, marks: Marks) -> Node:
    items = value if isinstance(value, list) else [value]
    return Node(
        name=name,
        path=name,
        anchor=anchor(event_id, name),
        values=tuple(_value(item) for item in items[:MAX_ITEMS]),
        more=max(len(items) - MAX_ITEMS, 0),
        untrusted=ecs.is_attacker_written(name),
        reasons=tuple(marks.reasons.get(name, ())),
        cited=tuple(marks.cited.get(name, ())),
    )


def _value(item: object) -> Value:
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return Value(text[:MAX_VALUE], max(len(text) - MAX_VALUE, 0))


def _nest(leaves: Iterable[Node]) -> tuple[Node, ...]:
    """Fold dotted names into a tree; a name that only one field has stays whole."""
    root: dict[str, Any] = {}
    for leaf in leaves:
        parts = leaf.path.split(".", MAX_DEPTH - 1)
        branch = root
        for part in parts[:-1]:
            branch = branch.setdefault(f"{part}.", {})
        branch[parts[-1]] = leaf
    return tuple(_nodes(root, ""))


def _nodes(branch: dict[str, Any], prefix: str) -> Iterator[Node]:
    for key, inside in branch.items():
        if isinstance(inside, Node):
            yield _renamed(inside, prefix)
            continue
        path = prefix + key
        children = tuple(_nodes(inside, path))
        if len(children) == 1:
            yield _renamed(children[0], prefix)
        else:
            yield Node(name=key[:-1], path=path[:-1], children=children)


def _renamed(node: Node, prefix: str) -> Node:
    """Return the node as it is called below ``prefix``."""
    name = node.path.removeprefix(prefix) or node.path
    return Node(
        name, node.path, node.anchor, node.values, node.more, node.untrusted, node.reasons, node.cited, node.children
    )


def _leaves(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        if node.children:
            yield from _leaves(node.children)
        else:
            yield node
