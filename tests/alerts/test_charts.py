"""Charts as values: what the browser is given to draw, and the table that says the same."""

import json

import pytest
from django.template import Context, Template

from alerts.selectors.charts import Cell, Chart, Series

pytestmark = pytest.mark.once
CHART = Chart(
    title="Flagged <b>",
    x=[1_795_392_000, 1_795_393_800],
    series=[Series("share", [0.1234567891, None], low=[0.1, None], high=[0.2, None])],
    step=1800,
    percent=True,
    brush="/events/?from={from}&to={to}",
    marks=[(1_795_392_000, "v2 serves")],
)


def shown(chart: Chart) -> str:
    return Template('{% include "_chart.html" with chart=chart %}').render(Context({"chart": chart}))


def test_what_is_drawn_has_few_digits_and_null_for_what_is_not_measured():
    drawn = json.loads(CHART.json)
    assert drawn["series"] == [
        {"label": "share", "values": [0.123457, None], "draw": "line", "tone": "accent", "unit": "", "low": [0.1, None],
         "high": [0.2, None]}
    ]  # fmt: skip
    assert (drawn["step"], drawn["percent"], drawn["marks"]) == (
        1800,
        True,
        [{"x": 1_795_392_000, "label": "v2 serves"}],
    )


def test_the_table_says_the_same_and_leads_where_a_brush_would():
    first, second = CHART.rows
    assert (first.cells, second.cells) == ([Cell(0.1234567891, 0.1, 0.2)], [Cell(None, None, None)])
    assert first.href == "/events/?from=2026-11-23T00:00:00Z&to=2026-11-23T00:30:00Z"
    assert (first.at.isoformat(), CHART.empty) == ("2026-11-23T00:00:00+00:00", False)


def test_the_figure_holds_the_numbers_twice_and_no_markup_of_theirs():
    html = shown(CHART)
    assert "Flagged &lt;b&gt;" in html
    assert "<b>" not in html
    assert '12.3 % <span class="muted">(10.0 – 20.0)</span>' in html
    assert html.count('<span class="muted">not measured</span>') == 1
    assert 'data-spec="{&quot;x&quot;:[1795392000,1795393800]' in html
    assert "style=" not in html
    assert "<script" not in html


def test_a_chart_of_nothing_says_so_and_has_nothing_to_draw():
    html = shown(Chart(title="x", x=[1, 2], series=[Series("a", [None, None])]))
    assert "not measured" in html
    assert "<table" not in html
    assert Chart(title="x", x=[], series=[]).empty
