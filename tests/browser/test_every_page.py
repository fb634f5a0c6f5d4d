"""Every page of the URL conf in a real Chromium: each size, both themes, hostile and empty, by keyboard, for everybody.

Pages are found through the URL conf (:mod:`tests.pages`), so a new one is in here as soon as it exists. One browser,
one login, one visit per page: sizes and themes change while it is open, as they do when a person turns the screen.
With ``WINNOW_SHOTS=DIRECTORY`` each page is saved as a picture, to be looked at.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from playwright.sync_api import expect

from tests import pages
from tests.browser.conftest import SIZES
from tests.estate import make_estate
from tests.pages import Address

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
HERE = Path(__file__).parent
AXE, CHECKS = HERE / "vendor" / "axe.min.js", HERE / "checks.js"
#: WCAG 2.2, levels A and AA, by the names axe-core gives its rules.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
#: The usual ones, a large screen, and 200 % zoom: a window of 1440 x 900 then has half as many CSS pixels.
WINDOWS = SIZES | {"wide": (2560, 1440), "zoomed": (720, 450)}
#: Parts that load after the page, marked busy until they are there.
LOADING = ".htmx-request, [aria-busy=true]"


@pytest.fixture
def page(enter: Callable[..., Any], dana: Any) -> Any:
    """A browser page of an administrator, who sees all there is to see."""
    return enter(dana, AXE, CHECKS, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")


@pytest.fixture
def reader(dana: Any) -> Client:
    client = Client()
    client.force_login(dana)
    return client


def ask(page: Any, check: str, *arguments: Any) -> list[str]:
    """Return the problems one check of ``checks.js`` sees."""
    found: list[str] = page.evaluate(f"(given) => window.checks.{check}(...given)", list(arguments))
    return found


def open_page(page: Any, one: Address) -> None:
    page.goto(one.url)
    expect(page.locator(LOADING)).to_have_count(0)


def hold(wrong: Iterable[str]) -> None:
    """Fail with every problem on a line of its own."""
    told = list(wrong)
    assert not told, f"{len(told)} problems:\n" + "\n".join(told)


def shoot(page: Any, one: Address, label: str) -> None:
    """Save a picture when somebody wants to look."""
    directory = os.environ.get("WINNOW_SHOTS")
    if directory:
        name = re.sub(r"\W+", "-", f"{one.name} {one.url.partition('?')[2]}"[:60]).strip("-")
        page.screenshot(path=Path(directory) / f"{name}-{label}.png")


def sized(page: Any) -> Iterator[str]:
    """Take the open page through every size and theme, and name each."""
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for label, (width, height) in WINDOWS.items():
            page.set_viewport_size({"width": width, "height": height})
            yield f"{theme} {label}"


def examine(page: Any, one: Address) -> list[str]:
    """Return everything that is wrong with a page, in every size and theme."""
    open_page(page, one)
    found = [f"{check}: {told}" for check in ("inert", "unseen", "frame", "motion") for told in ask(page, check)]
    for label in sized(page):
        found += [f"overflow, {label}: {told}" for told in ask(page, "overflow")]
        shoot(page, one, label.replace(" ", "-"))
        if label in {"dark desktop", "light phone"}:
            found += [f"axe, {label}: {told}" for told in ask(page, "accessibility", WCAG)]
    page.set_viewport_size({"width": 1440, "height": 900})
    return [f"{one.url[:80]}: {told}" for told in found]


def test_every_page_holds_with_hostile_text_in_every_field(page: Any, reader: Client) -> None:
    estate = make_estate()
    addresses = pages.whole_pages(reader, estate)
    assert {"queue", "alert", "event_raw", "sources", "source", "models", "help"} <= {one.name for one in addresses}
    hold(told for one in addresses for told in examine(page, one))


def test_every_page_holds_on_the_first_day_with_no_data(page: Any, reader: Client) -> None:
    names = [str(pattern.name) for pattern in pages.patterns() if not pattern.pattern.converters]
    plain = [Address(name, pages.address(pages.named(name), {})) for name in names]
    empty = [one for one in plain if pages.is_page(reader.get(one.url))]
    assert len(empty) >= 4
    wrong = [told for one in empty for told in examine(page, one)]
    page.context.clear_cookies()
    hold(wrong + examine(page, Address("login", "/login/?next=/")))


def serving(body: str) -> Callable[[Any], None]:
    """Return what answers a browser's request with a page."""
    return lambda route: route.fulfill(body=body, content_type="text/html")


def test_error_pages_hold_too(page: Any, live_server: Any) -> None:
    wrong = []
    for name in ("400", "403", "403_csrf", "404", "500"):
        # Served as a success: a browser would write the real status to its console, which is no fault of the page.
        page.route(f"**/error/{name}", serving(render_to_string(f"{name}.html")))
        wrong += examine(page, Address(f"error-{name}", f"/error/{name}"))
    hold(wrong)


def test_tab_reaches_every_control_and_shows_where_it_is(page: Any, reader: Client) -> None:
    estate = make_estate("Accepted password for backup", alerts=4)
    wrong = []
    for one in pages.whole_pages(reader, estate):
        open_page(page, one)
        steps = page.evaluate("() => window.checks.beginWalk()") + 3
        for _ in range(3):  # a date has a stop for each of its parts, and parts of a page come as they are reached
            for _ in range(steps):
                page.keyboard.press("Tab")
            told = ask(page, "endWalk")
            if not told:
                break
        wrong += [f"{one.url}: {each}" for each in told]
    hold(wrong)


def test_the_accessibility_checker_is_the_one_that_is_named() -> None:
    row = next(line for line in (HERE / "vendor" / "README.md").read_text().splitlines() if "axe.min.js" in line)
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() in row
