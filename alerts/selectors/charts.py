"""Charts as values: what is drawn, and the same numbers as a table.

Handed: columns of numbers. Hands on: a :class:`Chart` whose ``spec`` is the JSON that ``charts.js`` draws (its first
comment describes it) and whose ``rows`` are the table beside it, for screen readers and for whoever runs no scripts.
None is "not measured": a gap in the picture, words in the table, never a zero.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars. ``tone`` is the name of a token; ``low`` and ``high`` are its interval's edges."""

    label: str
    values: Values
    draw: str = "line"
    tone: str = "accent"
    unit: str = ""
    low: Values | None = None
    high: Values | None = None

    def spec(self) -> dict[str, Any]:
        """Return it as ``charts.js`` reads it."""
        found: dict[str, Any] = {"label": self.label, "values": _rounded(self.values), "draw": self.draw}
        found |= {"tone": self.tone, "unit": self.unit}
        if self.low is not None and self.high is not None:
            found |= {"low": _rounded(self.low), "high": _rounded(self.high)}
        return found


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the table, with its interval where it has one; None = not measured."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a moment or a number, its cells, and where a brush of just this step would lead."""

    at: dt.datetime | None
    x: float
    cells: list[Cell]
    href: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture with its table.

    ``x`` are Unix seconds when ``time``, else plain numbers; each begins a step of ``step`` of the same unit.
    ``brush`` is an address with ``{from}`` and ``{to}``; ``marks`` are ``(x, label)``, ``levels`` ``(y, label)``.
    """

    title: str
    x: Sequence[float]
    series: Sequence[Series]
    time: bool = True
    step: float | None = None
    percent: bool = False
    y_max: float | None = None
    x_label: str = ""
    brush: str = ""
    sync: str = ""
    size: str = ""
    marks: Sequence[tuple[float, str]] = ()
    levels: Sequence[tuple[float, str]] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing was measured at all."""
        return not any(value is not None for one in self.series for value in one.values)

    @property
    def spec(self) -> dict[str, Any]:
        """What ``charts.js`` draws."""
        return {
            "x": list(self.x),
            "time": self.time,
            "step": self.step,
            "percent": self.percent,
            "y_max": self.y_max,
            "x_label": self.x_label,
            "series": [one.spec() for one in self.series],
            "marks": [{"x": x, "label": label} for x, label in self.marks],
            "levels": [{"y": y, "label": label} for y, label in self.levels],
        }

    @property
    def json(self) -> str:
        """The same as text, for an attribute: htmx drops scripts out of fragments, of whatever type they are."""
        return json.dumps(self.spec, separators=(",", ":"))

    @property
    def rows(self) -> list[Row]:
        """The table, one row per step."""
        return [self._row(place, x) for place, x in enumerate(self.x)]

    def _row(self, place: int, x: float) -> Row:
        cells = [
            Cell(one.values[place], *(edge[place] if edge else None for edge in (one.low, one.high)))
            for one in self.series
        ]
        at = dt.datetime.fromtimestamp(x, dt.UTC) if self.time else None
        return Row(at, x, cells, self._href(x) if self.brush and self.step else "")

    def _href(self, x: float) -> str:
        start, end = (self._text(moment) for moment in (x, x + (self.step or 0)))
        return self.brush.replace("{from}", start).replace("{to}", end)

    def _text(self, x: float) -> str:
        return f"{dt.datetime.fromtimestamp(x, dt.UTC):%Y-%m-%dT%H:%M:%SZ}" if self.time else f"{x:g}"


def _rounded(values: Values) -> list[float | None]:
    """Six digits are more than a screen has; shorter numbers keep the page light."""
    return [None if value is None else float(f"{value:.6g}") for value in values]
