"""The alert's page in a real Chromium: citations light their field, the timeline zooms, tabs and parts behave."""

import datetime as dt

import pytest

from alerts.models import AlertEvent
from alerts.services import explaining
from tests.alerts.flagged_events import REASON, START, flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIT = "[...document.querySelectorAll('.lit')].map((lit) => lit.dataset.field ?? `line ${lit.dataset.evidence}`).sort()"


@pytest.fixture
def alert(settings):
    """An alert of twelve events that the evidence explainer has explained, one of many of its entity."""
    settings.LLM_DATA_POLICY = "off"
    alert = make_alert(make_source(), event_count=12, template="k" * 64)
    for number in range(12):
        document = {"user.name": "backup", "host.name": "db-1", "source.ip": f"192.0.2.{number}"}
        document |= {f"labels.l{label:02d}": "x" for label in range(20)}
        event = flagged(alert.source, source_ip=f"192.0.2.{number}", document=document)
        AlertEvent.objects.create(
            alert=alert, event_id=event.pk, timestamp=START, score=7.5 - number, p_value=0.0005, reasons=[REASON]
        )
    for minutes in range(-200, 200, 5):
        flagged(alert.source, timestamp=START + dt.timedelta(minutes=minutes), flagged=False)
    make_alert(alert.source, title="seen before", template="k" * 64)
    assert explaining.explain_pending(limit=1) == 1
    return alert


def line_of(alert, field):
    rows = alert.explanations.get().evidence
    return next(row["number"] for row in rows if row["text"].startswith((f"{field}:", f"{field} (")))


def test_a_claim_lights_exactly_its_field_and_leads_to_it_and_back(visit, alert):
    page = visit(f"/alerts/{alert.pk}/")
    user, host = line_of(alert, "user.name"), line_of(alert, "host.name")
    cite = page.locator(f'.claims [data-cite="{user}"]').first
    assert page.evaluate(LIT) == []
    cite.hover()
    assert page.evaluate(LIT) == sorted([f"line {user}", "user.name"])
    assert page.locator("#peek").inner_text().endswith("user.name (untrusted text): backup")
    page.mouse.move(2, 2)
    assert (page.evaluate(LIT), page.locator("#peek").count()) == ([], 0)
    page.locator(f'.claims [data-cite="{host}"]').first.focus()
    assert page.evaluate(LIT) == sorted([f"line {host}", "host.name"])
    before = page.evaluate("document.querySelector('.page-scroll').scrollTop")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == f"ev-{alert.pk}-{host}"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.field") == "host.name"
    page.keyboard.press("Enter")
    page.locator('.leaf[data-field="host.name"]:focus').wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('[data-evidence] [data-ref]')")
    assert page.evaluate("scrollY") == 0
    page.locator("h2").first.scroll_into_view_if_needed()
    assert before == 0

    # The field of another event is fetched, opened and lit.
    other = page.locator(".refs a", has_text="source.ip").last
    identifier = other.get_attribute("data-event")
    other.click()
    page.locator(f'[id="field-{identifier}-source.ip"]:focus').wait_for()
    assert page.evaluate("document.activeElement.querySelector('.leaf-value').innerText") != "192.0.2.0"
    assert page.evaluate(LIT) == ["source.ip"]


def test_timeline_tabs_and_parts(visit, alert, problems):
    page = visit(f"/?alert={alert.pk}")
    panel = page.locator("#panel")
    assert page.locator("[data-timeline]").count() == 0, "parts below the fold wait until they are seen"
    failing = "**/similar/**"
    page.route(failing, lambda route: route.fulfill(status=500, body="no"))
    page.locator("[data-lazy] h3", has_text="Timeline").scroll_into_view_if_needed()
    section = page.locator("[data-timeline]")
    section.wait_for()

    # A part that fails says so in its place, and can be asked for again.
    page.locator("[data-lazy] h3", has_text="Similar").scroll_into_view_if_needed()
    page.locator("[data-lazy] .notice", has_text="could not be loaded").wait_for()
    page.unroute(failing)
    assert all("500" in problem for problem in problems), problems
    problems.clear()
    page.locator("[data-lazy] .notice button", has_text="Try again").click()
    page.locator(".similar", has_text="1 in 30 days").wait_for()

    # Zoom by link, by keys on the strip, by dragging over it; the keyboard stays where it was.
    def window():
        return [dt.datetime.fromisoformat(section.get_attribute(f"data-{end}")) for end in ("from", "to")]

    assert window() == [START - dt.timedelta(minutes=15), START + dt.timedelta(minutes=15)]
    page.locator('[data-zoom="span=1h"]').focus()
    page.keyboard.press("Enter")
    page.locator('[data-zoom="span=1h"][aria-current]').wait_for()
    assert window() == [START - dt.timedelta(hours=1), START + dt.timedelta(hours=1)]
    assert page.evaluate("document.activeElement.dataset.zoom") == "span=1h"
    page.locator("[data-strip]").focus()
    page.keyboard.press("ArrowLeft")
    page.locator('[data-zoom="span=1h"]:not([aria-current])').wait_for()
    assert window() == [START - dt.timedelta(hours=2), START]
    assert page.evaluate("document.activeElement.matches('[data-strip]')")
    section.scroll_into_view_if_needed()
    box = page.locator("[data-strip]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], box["y"] + 20, steps=4)
    before = section.get_attribute("data-from")
    page.mouse.up()
    page.locator(f'[data-timeline]:not([data-from="{before}"])').wait_for()
    start, end = window()
    assert abs(start - (START - dt.timedelta(hours=1))) < dt.timedelta(minutes=1)
    assert end == START
    assert panel.locator("article.alert").get_attribute("data-alert") == str(alert.pk)
    assert f"alert={alert.pk}" in page.url

    # A row of it opens its record in place.
    section.locator("summary", has_text="events").first.click()
    page.locator(".timeline .event summary").first.click()
    page.locator(".timeline .raw").first.wait_for()

    # Fields and exact record are tabs; arrows go between them, and what was chosen is remembered.
    tabs = page.locator("[data-event-row] [role=tablist]").first
    tabs.locator("[role=tab]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Exact record"
    shown = page.locator("[data-event-row][open] [data-tab]:visible")
    assert shown.get_attribute("data-tab") == "Exact record"
    page.locator("[data-event-row][open] [data-record]").wait_for()
    assert panel.locator(".notice").count() == 0

    # The rest of its events come where one reads.
    assert page.locator("[data-event-row]").count() == 10
    page.locator(".event-more a").click()
    page.locator(".event-more").wait_for(state="detached")
    assert page.locator("[data-event-row]").count() == 12
    assert f"/?alert={alert.pk}" in page.url
