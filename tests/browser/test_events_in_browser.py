"""The event search in a real Chromium: searched, narrowed by the menu of a value, brushed, opened, by keyboard too."""

import pytest

from tests.factories import make_source
from tests.triage.searching.corpus import parsed, put

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = '<img src=x onerror="window.hit=1">\u202e"'


def query(page):
    return page.evaluate("new URLSearchParams(location.search).get('q')")


def test_a_search_is_narrowed_opened_brushed_and_left_by_keyboard(visit):
    source = make_source()
    put(
        source,
        [
            parsed(60 * n, message=f"login {n}", user__name=("root", "alice")[n % 2], host__name=HOSTILE)
            for n in range(90)
        ],
    )
    page = visit("/events/")
    page.locator(".event-chart figure[data-drawn]").wait_for()
    assert page.locator(".event-row").count() == 50
    assert "90 events" in page.locator(".chart-said").inner_text()
    page.get_by_role("link", name="Show more").click()
    page.locator(".event-row >> nth=89").wait_for()
    assert "That is all: 90 events" in page.locator(".event-more").inner_text()

    page.keyboard.press("/")
    page.keyboard.type("-user:alice")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events/?q=-user*")
    assert page.locator(".event-row").count() == 45

    value = page.locator(".event-row a.value", has_text="root").first
    value.focus()
    page.keyboard.press("Enter")
    menu = page.locator(".value-menu")
    menu.wait_for()
    assert value.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent.trim()").startswith("Exclude")
    page.keyboard.press("Escape")
    assert menu.count() == 0
    assert value.evaluate("link => link === document.activeElement")
    page.keyboard.press("Enter")
    menu.wait_for()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_url("**user.name%3Aroot*")
    assert query(page) == "-user.name:alice user.name:root"

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("o")
    page.locator(".event-detail .fieldtree").wait_for()
    assert page.locator(".event-row.is-open").count() == 1
    page.keyboard.press("o")
    assert page.locator(".event-detail").count() == 0

    page.locator(".event-chart figure[data-drawn]").wait_for()
    box = page.locator(".event-chart .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=2026*")
    assert query(page) == "-user.name:alice user.name:root"
    assert 5 <= page.locator(".event-row").count() <= 20
    assert page.evaluate("window.hit") is None


def test_without_scripts_links_and_forms_do_it_all(visit):
    put(make_source(), [parsed(n, message=f"login {n}", user__name="root", host__name=HOSTILE) for n in range(60)])
    page = visit("/events/?q=user:root", scripts=False)
    page.get_by_role("link", name="Show more").click()
    assert page.locator(".event-row").count() == 10
    page.locator(".event-row a.value").first.click()
    page.get_by_role("link", name="Exclude").click()
    assert page.locator(".event-row").count() == 0
    assert page.locator("#q").input_value().startswith('user.name:root -host.name:"')
    page.go_back()
    page.go_back()
    page.locator("a.event-open").first.click()
    assert "/raw/" in page.url
    page.go_back()
    page.get_by_role("link", name="Count over time").click()
    assert page.locator("tbody tr").count() == 60
