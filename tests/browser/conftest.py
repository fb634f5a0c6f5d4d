"""A real Chromium for the tests of pages, and logged-in pages in it.

A page that logs an error or a warning, raises, or asks another host for anything fails its test, whatever it is about.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.conftest import PASSWORD

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1440, 900), "laptop": (1024, 768), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing; CI must test pages in a browser")
        pytest.skip(f"no {CHROMIUM}: install Chromium to test pages in a browser")
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread; the rows below are still made by plain synchronous code.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


def watch(page: Any, host: str, problems: list[str]) -> None:
    """Note whatever a page must not do: complain, raise, leave for another host."""

    def said(text: str) -> None:
        problems.append(f"{urlsplit(page.url).path}: {text}")

    page.on("console", lambda line: said(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said(str(error)))
    page.on("request", lambda call: urlsplit(call.url).netloc != host and said(f"left for {call.url}"))


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """What pages did that they must not do; nothing, when the test ends."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def visit(browser: Any, live_server: Any, charlie: Any, problems: list[str]) -> Iterator[Callable[..., Any]]:
    """Log in by the form and open a page of a size and theme."""
    contexts = []

    def open_page(path: str = "/", *, size: str = "desktop", theme: str = "dark", scripts: bool = True) -> Any:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        watch(page, urlsplit(live_server.url).netloc, problems)
        page.goto(f"{live_server.url}/login/?next={path}")
        page.fill("#id_username", "charlie")
        page.fill("#id_password", PASSWORD)
        page.click("button.primary")
        page.wait_for_url(f"{live_server.url}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def enter(browser: Any, live_server: Any, problems: list[str]) -> Iterator[Callable[..., Any]]:
    """Open a page of somebody who is logged in already: ``enter(user, script, ...)``; scripts run in every page."""
    contexts = []

    def open_page(user: Any, *scripts: Path, **options: Any) -> Any:
        client = Client()
        client.force_login(user)
        context = browser.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        for script in scripts:
            context.add_init_script(path=script)
        page = context.new_page()
        page.set_default_timeout(30_000)
        watch(page, urlsplit(live_server.url).netloc, problems)
        return page

    yield open_page
    for context in contexts:
        context.close()
