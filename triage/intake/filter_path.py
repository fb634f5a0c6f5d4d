"""``filter_path``: cut an Elasticsearch reply down to what the client asked for.

Handed: the parameter's text and a reply as Python values. Hands on: the part of it that is wanted. Names are
separated by dots, ``*`` stands for a part of a name or a whole one, ``**`` for any number of names, ``-`` before a
pattern takes away instead; arrays are looked through. Exclusions go first. What is left empty is left out.
"""

from dataclasses import dataclass
from typing import Any

Pattern = tuple[str, ...]

MAX_PATTERNS = 50
MAX_DEPTH = 20
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class FilterPath:
    """A parsed ``filter_path``; without patterns it keeps everything."""

    include: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def apply(self, reply: dict[str, Any]) -> dict[str, Any]:
        """Return the wanted part of a reply, ``{}`` when there is none.

        >>> parse("items.*.status").apply({"took": 3, "items": [{"create": {"_id": "1", "status": 201}}]})
        {'items': [{'create': {'status': 201}}]}
        """
        kept: Any = _without(reply, self.exclude) if self.exclude else reply
        if self.include and kept is not _NOTHING:
            kept = _only(kept, self.include)
        return {} if kept is _NOTHING else kept


def parse(text: str) -> FilterPath:
    """Return the filter of a ``filter_path`` parameter; what is beyond the caps is not looked at."""
    include: list[Pattern] = []
    exclude: list[Pattern] = []
    for pattern in text.split(",", MAX_PATTERNS)[:MAX_PATTERNS]:
        names = tuple(name for name in pattern.strip().removeprefix("-").split(".")[:MAX_DEPTH] if name)
        if names:
            (exclude if pattern.strip().startswith("-") else include).append(names)
    return FilterPath(tuple(include), tuple(exclude))


def _matches(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern whose only wildcard is ``*``; takes one pass."""
    first, *others = pattern.split("*")
    if not others:
        return pattern == name
    last = others.pop()
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    position, end = len(first), len(name) - len(last)
    for part in others:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _step(patterns: tuple[Pattern, ...], name: str) -> tuple[bool, tuple[Pattern, ...]]:
    """Return ``(a pattern ends at this name, the patterns that go on below it)``."""
    below: set[Pattern] = set()
    for pattern in patterns:
        head, rest = pattern[0], pattern[1:]
        if head == "**":
            below.add(pattern)
            if not rest:
                return True, ()
            head, rest = rest[0], rest[1:]
        if head == "**" or _matches(head, name):
            if not rest:
                return True, ()
            below.add(rest)
    return False, tuple(below)


def _only(value: Any, patterns: tuple[Pattern, ...]) -> Any:
    if isinstance(value, list):
        elements = [kept for element in value if (kept := _only(element, patterns)) is not _NOTHING]
        return elements or _NOTHING
    if not isinstance(value, dict):
        return _NOTHING
    found: dict[str, Any] = {}
    for name, inner in value.items():
        ends, below = _step(patterns, name)
        kept = inner if ends else _only(inner, below) if below else _NOTHING
        if kept is not _NOTHING:
            found[name] = kept
    return found or _NOTHING


def _without(value: Any, patterns: tuple[Pattern, ...]) -> Any:
    if isinstance(value, list):
        elements = [kept for element in value if (kept := _without(element, patterns)) is not _NOTHING]
        return elements or _NOTHING
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, inner in value.items():
        ends, below = _step(patterns, name)
        kept = _NOTHING if ends else _without(inner, below) if below else inner
        if kept is not _NOTHING:
            found[name] = kept
    return found or _NOTHING
