"""Charts in a real Chromium: drawn, readable, redrawn for the other theme, and a brush that leads somewhere."""

import re

import pytest
from django.utils import timezone

from tests.alerts.rows import make_full_alert
from tests.factories import make_source
from triage.models import SourceMinute

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
#: How many pixels of a figure's canvas are not empty, and a colour of its curve.
PIXELS = """figure => {
  const canvas = figure.querySelector("canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let drawn = 0, sum = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) { drawn += 1; sum += data[i] + 256 * data[i + 1]; }
  return [drawn, sum];
}"""


def test_a_chart_draws_reads_follows_the_theme_and_leads_on(visit):
    source = make_source()
    minute = int(timezone.now().timestamp()) // 60
    for number in range(20 * 60):
        SourceMinute.objects.create(source=source, minute=minute - number, records=number % 90, events=number % 90)
    make_full_alert(source)
    page = visit("/overview/")
    figure = page.locator("#overview-intake figure.chart").first
    page.locator("#overview-intake figure.chart[data-drawn]").first.wait_for()
    page.locator("#overview-techniques:not(.pending)").wait_for()
    drawn, dark = figure.evaluate(PIXELS)
    assert drawn > 2000
    assert figure.locator("table").count() == 1
    assert figure.locator("tbody tr").count() == 48
    figure.locator("summary").click()
    assert figure.locator("tbody tr").last.is_visible()
    assert "not measured" in figure.locator("tbody tr").first.inner_text()
    figure.locator("summary").click()

    box = figure.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 20)
    assert "received" in figure.locator(".chart-reading").inner_text()
    page.click("[data-theme-toggle]")
    page.wait_for_timeout(50)
    drawn, light = figure.evaluate(PIXELS)
    assert drawn > 2000
    assert light != dark

    figure.evaluate("""figure => {
      figure.dataset.brush = "/overview/?from={from}&to={to}";
      figure.addEventListener("chart:brush", (event) => {
        event.preventDefault();
        window.brushed = event.detail.address;
      });
    }""")
    page.click("[data-theme-toggle]")
    page.wait_for_timeout(50)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 24, steps=4)
    page.mouse.up()
    moment = r"\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A00Z"
    assert re.fullmatch(rf"/overview/\?from={moment}&to={moment}", page.evaluate("window.brushed"))

    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert figure.evaluate("figure => figure.querySelector('canvas').getBoundingClientRect().width") < 390
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
