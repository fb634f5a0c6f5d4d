"""Which flagged events are one alert, and what that alert is called: pure functions.

Handed: a :class:`FlaggedEvent`. Hands on: its fingerprint (sha256 hex), title, severity and candidate
ATT&CK techniques. Two events share a fingerprint when source, parser, event code, category and action,
the shape of the message and the entity are the same; ids, times, ports and counts never take part.

Severity bands
--------------
A p-value says how often past events scored at least this high. ``p > 1e-2`` is info, ``> 1e-3`` low,
``> 1e-4`` medium, at or below that high. An event without a p-value is low. Rarity alone is never
critical; only a rule of :mod:`alerts.hints` can say so, and a rule can only raise the band.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts import titles
from triage import ecs

MAX_TITLE = 160
#: Characters of a message that take part in its shape; more would let one long line cost a lot.
MAX_SHAPE = 600
#: A word longer than this is data (a token, a blob), not part of the message's shape.
MAX_WORD = 40
BANDS: tuple[tuple[float, str], ...] = ((1e-2, "info"), (1e-3, "low"), (1e-4, "medium"))

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}")
_WORD = re.compile(r"[\w.\-+@%]+")
_HEX = re.compile(r"[0-9A-Fa-f]{8,}")
_CALENDAR = re.compile("Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun|AM|PM|[TZ]")
_RUN = re.compile(r"<\*>(?:[\s:.,/\-]{0,3}<\*>)+")
#: Fields whose values name one thing: in a message they are masked even when they look like plain words.
_NAMING_FIELDS = (
    "user.name",
    "source.ip",
    "destination.ip",
    "host.name",
    "dns.question.name",
    "url.original",
    "url.path",
    "user_agent.original",
    "process.command_line",
)
#: Fields in which a sender says in words what a structured record is about.
_SAYING_FIELDS = ("rule.name", "rule.description", "event.reason")


@dataclass(frozen=True, slots=True)
class FlaggedEvent:
    """The columns of a flagged event that decide where it belongs, and its flat ECS fields."""

    source_id: int
    parser: str
    entity: str
    message: str
    category: str = ""
    action: str = ""
    code: str = ""
    outcome: str = ""
    host_name: str = ""
    user_name: str = ""
    source_ip: str = ""
    process_name: str = ""
    p_value: float | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def plain(text: object, limit: int) -> str:
    """Return text on one line without control, bidirectional and invisible characters, at most ``limit`` long.

    >>> plain("two" + chr(10) + "lines", 20)
    'two lines'
    """
    whole = str(text)[: limit * 4]
    line = " ".join(_UNSEEN.sub(" ", whole).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def message_shape(message: str, names: Iterable[str] = ()) -> str:
    """Return the message with everything that varies masked; ``names`` are values to mask whatever they look like.

    >>> message_shape("Accepted password for bob from 192.0.2.7 port 50122", ["bob"])
    'Accepted password for <*> from <*> port <*>'
    """
    text = message[: MAX_SHAPE * 2]
    for value in sorted(set(names), key=lambda name: (-len(name), name)):
        text = _mask_value(text, value)
    text = _ADDRESS.sub("<*>", text)
    text = _WORD.sub(_mask_word, text)
    return " ".join(_RUN.sub("<*>", text)[:MAX_SHAPE].split())


def _mask_value(text: str, value: str) -> str:
    """Replace whole occurrences of a value; inside a longer word it is left alone."""
    if not value or value not in text:
        return text
    return re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "<*>", text)


def _mask_word(match: re.Match[str]) -> str:
    word = match.group()
    if any(character.isdigit() for character in word) or len(word) > MAX_WORD or _CALENDAR.fullmatch(word):
        return "<*>"
    return "<*>" if _HEX.fullmatch(word) else word


def _names(event: FlaggedEvent) -> list[str]:
    named = [str(event.fields.get(name) or "")[:1000] for name in _NAMING_FIELDS]
    return [value for value in (*named, event.user_name, event.source_ip, event.host_name) if value]


def template(event: FlaggedEvent) -> str:
    """Return the sha256 (hex) of what kind of thing an event is, whoever it is about."""
    return _hash(_kind(event))


def fingerprint(event: FlaggedEvent) -> str:
    """Return the sha256 (hex) of what makes two flagged events the same kind of thing about one entity."""
    return _hash([*_kind(event), event.entity])


def _kind(event: FlaggedEvent) -> list[str | int]:
    shape = message_shape(event.message, _names(event))
    return [event.source_id, event.parser, event.code, event.category, event.action, shape]


def _hash(parts: list[str | int]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def title(event: FlaggedEvent) -> str:
    """Return what happened in one line of at most :data:`MAX_TITLE` characters."""
    told = titles.told(event.fields)
    if told:
        return plain(told, MAX_TITLE)
    message = plain(event.message, MAX_TITLE)
    if message and not message.startswith(("{", "[{", "<")):
        return message
    what = " ".join(part for part in (_saying(event) or event.action or event.category, event.outcome) if part)
    if not what and message:
        return message
    parts = [
        what or f"{event.parser} event",
        f"(event {event.code})" if event.code else "",
        f"by {event.user_name}" if event.user_name else "",
        f"from {event.source_ip}" if event.source_ip else "",
        f"on {event.host_name}" if event.host_name else "",
    ]
    return plain(" ".join(part for part in parts if part), MAX_TITLE)


def _saying(event: FlaggedEvent) -> str:
    """Return what the sender itself calls the event, when a field says so."""
    return next((str(event.fields[name])[:MAX_TITLE] for name in _SAYING_FIELDS if event.fields.get(name)), "")


def band(p_value: float | None) -> str:
    """Return the severity that rarity alone gives, see the module's text."""
    if p_value is None or math.isnan(p_value):
        return "low"
    for above, severity in BANDS:
        if p_value > above:
            return severity
    return "high"


def rank(severity: str) -> int:
    """Return 0 (info) to 4 (critical)."""
    return ecs.SEVERITIES.index(severity)


def highest(severities: Iterable[str]) -> str:
    """Return the most severe one; at least one is needed."""
    return max(severities, key=rank)
