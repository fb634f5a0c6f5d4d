"""The first steps in a real Chromium: shown once, never in the way of a key, gone by Escape, back from Help."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_first_steps_get_out_of_the_way(enter: Callable[..., Any], charlie: Any) -> None:
    page = enter(charlie, viewport={"width": 1440, "height": 900})
    page.goto("/")
    expect(page.locator("#tour")).to_be_hidden()  # nothing to show on the first day
    source = make_source()
    for _ in range(3):
        make_alert(source, severity="low")
    page.goto("/?group=none")
    step = page.locator("#tour li:visible h2")
    expect(step).to_have_text("What needs you")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#rows .row[aria-current]")).to_have_count(1)
    page.click("[data-tour-next]")
    expect(step).to_have_text("Narrow it down")
    assert page.locator(".tour-lit").count() == 1
    with page.expect_response("**/settings/tour/") as answer:
        page.keyboard.press("Escape")
    assert answer.value.status == 204
    assert (page.locator("#tour").count(), page.locator(".tour-lit").count()) == (0, 0)
    charlie.refresh_from_db()
    assert charlie.preferences["tour"] is True
    page.reload()
    assert page.locator("#tour").count() == 0
    page.goto("/help/")
    page.click("text=Show the first steps again")
    expect(step).to_have_text("What needs you")
    with page.expect_response("**/settings/tour/"):
        page.click("#tour >> text=Skip")
    assert page.locator("#tour").count() == 0
