"""Conditions of the event search as text, in their canonical form.

Handed: a condition of :mod:`triage.conditions`. Hands on: text that :mod:`alerts.event_query` reads as the same one.
"""

import datetime as dt
import re
from collections.abc import Callable

from triage.conditions import All, Any, Bound, Condition, Match, Not, Present, Text, Within

_BARE = re.compile(r"[A-Za-z0-9_./+][A-Za-z0-9_.@/+-]*")
#: What nobody sees, or a search box drops, is written as ``\\u{202e}``: a link and the box then say the same.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def write(condition: Condition) -> str:
    """Return a condition in the language, in its canonical form; every event is an empty text."""
    return _write(condition, inside="")


def _write(condition: Condition, *, inside: str) -> str:
    if isinstance(condition, All):
        text = " ".join(_write(part, inside="all") for part in condition.parts) or "*"
        return _bracketed(
            text if condition.parts or inside else "", inside in ("not", "any") and len(condition.parts) > 1
        )
    if isinstance(condition, Any):
        return _bracketed(" OR ".join(_write(part, inside="any") for part in condition.parts), inside != "")
    if isinstance(condition, Not):
        return "-" + _write(condition.part, inside="not")
    return _WRITERS[type(condition)](condition)


def _bracketed(text: str, needed: bool) -> str:
    return f"({text})" if needed else text


def _value(text: str, before: bool = False, after: bool = False) -> str:
    plain = _BARE.fullmatch(text) and text not in ("AND", "OR", "NOT")
    if not plain:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        text = '"' + _UNSEEN.sub(lambda match: f"\\u{{{ord(match.group()):x}}}", text) + '"'
    return f"{'*' if before else ''}{text}{'*' if after else ''}"


def _write_within(condition: Within) -> str:
    low, high = (_write_bound(bound) for bound in (condition.low, condition.high))
    if condition.high is None:
        return f"{condition.field}:>{'=' if condition.low_included else ''}{low}"
    if condition.low is None:
        return f"{condition.field}:<{'=' if condition.high_included else ''}{high}"
    opening, closing = "[" if condition.low_included else "{", "]" if condition.high_included else "}"
    return f"{condition.field}:{opening}{low} TO {high}{closing}"


def _write_bound(bound: Bound | None) -> str:
    if isinstance(bound, dt.datetime):
        return bound.isoformat().replace("+00:00", "Z")
    return "*" if bound is None else repr(float(bound)).removesuffix(".0")


_WRITERS: dict[type, Callable[..., str]] = {
    Match: lambda one: f"{one.field}:{_value(one.text, one.open_start, one.open_end)}",
    Present: lambda one: f"{one.field}:*",
    Text: lambda one: _value(one.text, one.open_start, one.open_end),
    Within: _write_within,
}
