"""What of the events is asked for: a filter that reads itself from a query string and writes itself into one.

Handed: the parameters of a request. Hands on: an :class:`EventFilter`. What cannot be read is told, with its place, and
asks for nothing: the page says so instead of showing something else.
"""

import datetime as dt
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from alerts import event_query
from alerts.event_query import QueryError
from alerts.text import visible
from triage import ecs
from triage.conditions import EVERYTHING, NUMBER_FIELDS, OWN_FIELDS, TIME_FIELDS, Condition, Within, both

#: Spans up to now: parameter, what the page calls it, and its length.
RANGES: dict[str, tuple[str, dt.timedelta | None]] = {
    "15m": ("15 min", dt.timedelta(minutes=15)),
    "1h": ("1 h", dt.timedelta(hours=1)),
    "24h": ("24 h", dt.timedelta(days=1)),
    "7d": ("7 d", dt.timedelta(days=7)),
    "": ("All", None),
}
DEFAULT_COLUMNS = ("host.name", "user.name", "event.action")
MAX_COLUMNS = 6
MAX_NAME = 128
#: What a list can be grouped by or have a column of, beside every field of a document.
OFFERED = (
    "user.name", "host.name", "source.ip", "destination.ip", "process.name", "event.action", "event.code",
    "event.category", "event.outcome", "log.level", "source", "parser", "entity", "url.domain", "destination.port",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What cannot be read, and where: the text before the place, the rest, and what is wrong."""

    message: str
    before: str = ""
    rest: str = ""
    place: int | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What to search. ``text`` is as it was written, ``condition`` what it means without the time range."""

    text: str = ""
    condition: Condition = EVERYTHING
    span: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    group: str = ""
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    problems: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, parameters: QueryDict) -> "EventFilter":
        """Read a filter; parameters that mean nothing are told as problems."""
        text = parameters.get("q", "").strip()
        problems: list[Problem] = []
        condition = _condition(text, problems)
        since, until = (_moment(parameters, name, problems) for name in ("from", "to"))
        if since and until and since >= until:
            problems.append(Problem("The time range ends before it begins."))
        span = parameters.get("range", "")
        if span not in RANGES:
            problems.append(Problem(f"Unknown range {span[:20]!r}."))
            span = ""
        group = _field(parameters.get("group", ""), "group", problems)
        columns = _columns(parameters.getlist("cols"), problems)
        return cls(text, condition, "" if since or until else span, since, until, group, columns, tuple(problems))

    def whole(self, now: dt.datetime | None = None) -> Condition:
        """Return what is asked with the time range; ``now`` ends the spans that reach up to now."""
        low, high = self.bounds(now)
        if low is None and high is None:
            return self.condition
        return both(self.condition, Within("timestamp", low, high, True, False))

    def bounds(self, now: dt.datetime | None = None) -> tuple[dt.datetime | None, dt.datetime | None]:
        """Return the range's first moment and the first behind it; None is open."""
        length = RANGES[self.span][1]
        if length is None:
            return self.since, self.until
        return (now or timezone.now()) - length, None

    @property
    def query(self) -> str:
        """The search in its canonical form; where it cannot be read, as it was written, with nothing unseen in it."""
        return visible(self.text) if self.problems else event_query.write(self.condition)

    @property
    def shown(self) -> str:
        """The search as it was written, in its canonical form where that holds what nobody would see."""
        return self.text if visible(self.text, len(self.text)) == self.text and "\n" not in self.text else self.query

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that say it, defaults left out, in a fixed order."""
        found = [("q", self.query), ("range", self.span), ("from", _iso(self.since)), ("to", _iso(self.until))]
        found.append(("group", self.group))
        if self.columns != DEFAULT_COLUMNS:
            found.append(("cols", ",".join(self.columns)))
        return [(name, value) for name, value in found if value]

    def address(self, **changed: object) -> str:
        """Return the query string of this filter with some of it changed."""
        return urlencode(replace(self, **changed).pairs)  # type: ignore[arg-type]

    def without(self, *names: str) -> str:
        """Return the query string without some parameters."""
        return urlencode([(name, value) for name, value in self.pairs if name not in names])


def _condition(text: str, problems: list[Problem]) -> Condition:
    try:
        return event_query.parse(text)
    except QueryError as error:
        place = min(error.position, len(text))
        problems.append(Problem(f"{str(error)[:1].upper()}{str(error)[1:]}.", text[:place], text[place:], place))
        return EVERYTHING


def _moment(parameters: QueryDict, name: str, problems: list[Problem]) -> dt.datetime | None:
    text = parameters.get(name, "").strip()
    if not text:
        return None
    try:
        return event_query.moment(text)
    except ValueError:
        problems.append(Problem(f"The range's “{name}” is no time: {text[:40]!r}. Write 2026-11-20T10:12 (UTC)."))
        return None


def _field(name: str, what: str, problems: list[Problem]) -> str:
    name = name.strip()
    if not name:
        return ""
    name = event_query.SHORT.get(name, (name,))[0]
    known = name in (OWN_FIELDS - TIME_FIELDS - NUMBER_FIELDS - {"message"}) or name in ecs.COLUMNS or "." in name
    if not known or len(name) > MAX_NAME or visible(name) != name:
        problems.append(Problem(f"Nothing to {what} by: {name[:40]!r} is no field."))
        return ""
    return name


def _columns(asked: list[str], problems: list[Problem]) -> tuple[str, ...]:
    names = [name for part in asked for name in part.split(",") if name.strip()]
    if not names:
        return DEFAULT_COLUMNS
    found = tuple(dict.fromkeys(field for name in names if (field := _field(name, "show a column", problems))))
    if len(found) > MAX_COLUMNS:
        problems.append(Problem(f"At most {MAX_COLUMNS} columns; the first {MAX_COLUMNS} are shown."))
    return found[:MAX_COLUMNS] or DEFAULT_COLUMNS


def _iso(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.isoformat().replace("+00:00", "Z")
