"""The queue's groups in a real Chromium: what is opened stays open over a reload, and one button closes all of it."""

import pytest
from playwright.sync_api import expect

from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_is_opened_stays_open_and_is_closed_at_once(visit):
    source = make_source()
    for number in range(6):
        make_alert(source, template="1" * 64, entity=f"user:{number % 2}")
    alone = make_alert(source, severity="low")
    page = visit("/")
    top = page.locator("#rows > .group > .alike")
    assert page.locator(".row:visible").count() == 2
    assert top.inner_text().split() == ["›", "5", "more"]
    top.click()
    inner = page.locator(".nested .alike").first
    inner.click()
    page.locator(".nested .nested .row").first.wait_for()
    seen = page.locator(".row:visible").count()
    page.reload()
    page.locator(".nested .nested .row").first.wait_for()
    assert page.locator(".row:visible").count() == seen
    page.click("[data-collapse-all]")
    assert page.locator(".row:visible").count() == 2
    page.click("[data-expand-all]")
    page.locator("#rows > .group > .nested > li").first.wait_for()
    page.click("summary:has-text('Entity')")
    page.fill(".facet[open] input[name=find]", "user:1")
    found = page.locator(".facet[open] li a")
    expect(found).to_have_count(1)
    found.click()
    page.wait_for_url("**/?entity=user%3A1")
    assert page.locator(f"#row-{alone.pk}").count() == 0
    divider = page.locator("[data-divider]")
    divider.focus()
    page.keyboard.press("ArrowLeft")
    assert divider.get_attribute("aria-valuenow") == "58"
