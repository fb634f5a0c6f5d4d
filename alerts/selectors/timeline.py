"""What the entity of an alert did around it: how dense, what was flagged, and which other alerts it has.

Handed: an alert and a window of time. Hands on: a :class:`Timeline`, read in five bounded queries that the index by
entity and time serves. Where a window holds more events than are read, the nearest to its middle are, and the part of
the strip that was not read says so. Blind audits of others are never shown: that there is one says what was sampled.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from alerts.models import Alert, AlertEvent, AlertOrigin
from triage.models import Event

#: Key, words, and half of the window around the alert.
SPANS: tuple[tuple[str, str, dt.timedelta], ...] = (
    ("15m", "15 min", dt.timedelta(minutes=15)),
    ("1h", "1 h", dt.timedelta(hours=1)),
    ("6h", "6 h", dt.timedelta(hours=6)),
    ("24h", "24 h", dt.timedelta(hours=24)),
)
SHORTEST, LONGEST = dt.timedelta(seconds=10), dt.timedelta(days=7)
#: Read on each side of the middle.
POINTS = 3000
ROWS, ALERTS = 40, 20
BINS, WIDTH, HEIGHT = 90, 900, 36
#: Lengths that a bin may be said to have (seconds).
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class WindowError(ValueError):
    """The address asks for a window that makes no sense; the message says which part."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; ``span`` is the key of the usual one it is, empty for any other."""

    start: dt.datetime
    end: dt.datetime
    span: str = ""

    @property
    def middle(self) -> dt.datetime:
        return self.start + (self.end - self.start) / 2

    @property
    def query(self) -> str:
        """The window as a query string."""
        if self.span:
            return urlencode({"span": self.span})
        return urlencode({"from": _iso(self.start), "to": _iso(self.end)})

    def moved(self, share: float, *, factor: float = 1.0) -> "Window":
        """Return the window moved by a share of its length, and made longer by a factor."""
        middle = self.middle + (self.end - self.start) * share
        half = min(max((self.end - self.start) * factor, SHORTEST), LONGEST) / 2
        return Window(middle - half, middle + half)


@dataclass(frozen=True, slots=True)
class Zoom:
    """A usual window to choose."""

    label: str
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of the strip, in SVG units."""

    x: float
    y: float
    height: float
    middle: float
    count: int
    flagged: int
    starts_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Row:
    """One event; ``alert_id`` is the alert it is in (0: none), ``own`` tells that it is the one in view."""

    event: Event
    alert_id: int
    own: bool


@dataclass(frozen=True, slots=True)
class Other:
    """Another alert of the entity, where it stands on the strip (``x``, SVG units)."""

    alert: Alert
    x: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The window with what is in it. ``anchor`` is the alert's strongest event, at ``anchor_x`` or outside (None).

    ``unread`` are the parts of the strip (x, width) that hold events which were not read.
    """

    alert: Alert
    window: Window
    zooms: list[Zoom]
    anchor: dt.datetime
    anchor_x: float | None
    bins: list[Bin]
    unread: list[tuple[float, float]]
    rows: list[Row]
    others: list[Other]
    total: int
    flagged: int
    per_bin: str

    @property
    def capped(self) -> bool:
        """Whether there are more events than were read."""
        return bool(self.unread)

    @property
    def highest(self) -> int:
        """How many events the fullest bar holds."""
        return max((one.count for one in self.bins), default=0)

    @property
    def same_day(self) -> bool:
        """Whether a time of day says enough."""
        return self.window.end - self.window.start <= dt.timedelta(hours=20)

    @property
    def earlier(self) -> str:
        return self.window.moved(-0.5).query

    @property
    def later(self) -> str:
        return self.window.moved(0.5).query

    @property
    def closer(self) -> str:
        return self.window.moved(0, factor=0.5).query

    @property
    def wider(self) -> str:
        return self.window.moved(0, factor=2).query


def read_window(parameters: Mapping[str, str], anchor: dt.datetime) -> Window:
    """Return the window an address asks for, by default 15 minutes to each side; raise :class:`WindowError`.

    >>> noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    >>> read_window({"span": "1h"}, noon).start.hour, read_window({}, noon).span
    (11, '15m')
    """
    if parameters.get("from") or parameters.get("to"):
        start, end = _moment(parameters, "from"), _moment(parameters, "to")
        if end - start > LONGEST:
            raise WindowError(f"a window is at most {LONGEST.days} days long")
        if end - start < SHORTEST:
            raise WindowError(f"a window is at least {SHORTEST.seconds} seconds long, and ends after it starts")
        return Window(start, end)
    wanted = parameters.get("span") or SPANS[0][0]
    half = next((half for key, _, half in SPANS if key == wanted), None)
    if half is None:
        raise WindowError(f"span: one of {', '.join(key for key, _, _ in SPANS)}")
    return Window(anchor - half, anchor + half, wanted)


def _moment(parameters: Mapping[str, str], name: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(parameters.get(name, "")[:40])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        moment = moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise WindowError(f"{name}: a time such as 2026-03-01T14:00:00Z") from error
    if not 1971 <= moment.year <= 9000:  # room for the windows around it
        raise WindowError(f"{name}: a year from 1971 to 9000")
    return moment


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def anchor_of(alert: Alert) -> dt.datetime:
    """Return the time of an alert's strongest event: one query."""
    strongest = alert.alert_events.order_by("-score", "id").values_list("timestamp", flat=True).first()
    return strongest or alert.last_seen_at


def timeline(alert: Alert, window: Window, anchor: dt.datetime) -> Timeline:
    """Read what an alert's entity did in a window: at most five queries, none without an entity."""
    points, unread = _points(alert.entity, window) if alert.entity else ([], [])
    nearest = sorted(points, key=lambda point: (not point[1], abs(point[0] - window.middle)))[:ROWS]
    bins = _bins(points, window)
    return Timeline(
        alert=alert,
        window=window,
        zooms=[Zoom(words, urlencode({"span": key}), key == window.span) for key, words, _ in SPANS],
        anchor=anchor,
        anchor_x=_x(anchor, window) if window.start <= anchor <= window.end else None,
        bins=bins,
        unread=unread,
        rows=_rows(alert, [point[2] for point in nearest]),
        others=_others(alert, window),
        total=len(points),
        flagged=sum(1 for point in points if point[1]),
        per_bin=_length((window.end - window.start) / BINS),
    )


Point = tuple[dt.datetime, bool, int]


def _points(entity: str, window: Window) -> tuple[list[Point], list[tuple[float, float]]]:
    """Return the window's events nearest to its middle, and the parts of the strip that were not read."""
    rows = Event.objects.filter(entity=entity).values_list("timestamp", "flagged", "id")
    after = rows.filter(timestamp__gte=window.middle, timestamp__lte=window.end).order_by("timestamp")
    before = rows.filter(timestamp__gte=window.start, timestamp__lt=window.middle).order_by("-timestamp")
    later, earlier = list(after[: POINTS + 1]), list(before[: POINTS + 1])
    unread = []
    if len(earlier) > POINTS:
        unread.append((0.0, _x(earlier[POINTS][0], window)))
    if len(later) > POINTS:
        from_x = _x(later[POINTS][0], window)
        unread.append((from_x, round(WIDTH - from_x, 1)))
    return [*reversed(earlier[:POINTS]), *later[:POINTS]], unread


def _x(moment: dt.datetime, window: Window) -> float:
    share = (moment - window.start) / (window.end - window.start)
    return round(WIDTH * min(max(share, 0.0), 1.0), 1)


def _bins(points: Iterable[Point], window: Window) -> list[Bin]:
    width = (window.end - window.start) / BINS
    counts, flagged = [0] * BINS, [0] * BINS
    for stamp, is_flagged, _ in points:
        index = min(int((stamp - window.start) / width), BINS - 1)
        counts[index] += 1
        flagged[index] += is_flagged
    highest, step = max(counts) or 1, WIDTH / BINS
    heights = [round(max(2.0, (HEIGHT - 2) * count / highest), 1) for count in counts]
    return [
        Bin(
            x=round(index * step + 0.5, 1),
            y=round(HEIGHT - heights[index], 1),
            height=heights[index],
            middle=round((index + 0.5) * step, 1),
            count=count,
            flagged=flagged[index],
            starts_at=window.start + index * width,
        )
        for index, count in enumerate(counts)
        if count
    ]


def _length(length: dt.timedelta) -> str:
    """Return how long a bar is, in words.

    >>> _length(dt.timedelta(seconds=20)), _length(dt.timedelta(minutes=32)), _length(dt.timedelta(seconds=80))
    ('20 s', '32 min', '1.3 min')
    """
    seconds = length.total_seconds()
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    amount = seconds / size
    return f"{amount:.0f} {unit}" if math.isclose(amount, round(amount)) else f"{amount:.1f} {unit}"


def _rows(alert: Alert, ids: list[int]) -> list[Row]:
    """Return events in the order of time, with the alerts they are in: two queries."""
    if not ids:
        return []
    events = Event.objects.defer("reasons", "windows").in_bulk(ids)
    links = AlertEvent.objects.filter(event_id__in=ids)
    shown = links.filter(alert=alert) | links.exclude(alert__origin=AlertOrigin.BLIND_AUDIT)
    alerts = dict(shown.values_list("event_id", "alert_id"))
    found = sorted(events.values(), key=lambda event: (event.timestamp, event.pk))
    return [Row(event, alerts.get(event.pk, 0), alerts.get(event.pk) == alert.pk) for event in found]


def _others(alert: Alert, window: Window) -> list[Other]:
    """Return the entity's other alerts with something in the window, newest first: one query."""
    if not alert.entity:
        return []
    rows = Alert.objects.filter(entity=alert.entity, last_seen_at__gte=window.start, first_seen_at__lte=window.end)
    rows = rows.exclude(pk=alert.pk).exclude(origin=AlertOrigin.BLIND_AUDIT).order_by("-last_seen_at")
    columns = ("title", "severity", "status", "first_seen_at", "last_seen_at", "event_count")
    found = rows.only(*columns)[:ALERTS]
    return [Other(one, _x(min(one.last_seen_at, window.end), window)) for one in found]
