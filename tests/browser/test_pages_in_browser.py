"""Pages in a real Chromium: nothing overflows, nothing errs, nothing leaves, verdicts count once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from alerts.models import Alert, Verdict
from tests.alerts.rows import HOSTILE, make_alert, make_full_alert
from tests.conftest import PASSWORD
from tests.factories import make_batch, make_source

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
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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


@pytest.fixture
def visit(browser: Any, live_server: Any, charlie: Any) -> Iterator[Callable[..., Any]]:
    """Open a logged-in page of a size and theme; afterwards, fail on any error or foreign request."""
    problems: list[str] = []
    contexts = []

    def watch(page: Any) -> None:
        host = urlsplit(live_server.url).netloc
        page.on("console", lambda line: line.type in {"error", "warning"} and problems.append(line.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda call: urlsplit(call.url).netloc != host and problems.append(f"left for {call.url}"))

    def open_page(path: str = "/", *, size: str = "desktop", theme: str = "dark", scripts: bool = True) -> Any:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        watch(page)
        page.goto(f"{live_server.url}/login/?next={path}")
        page.fill("#id_username", "charlie")
        page.fill("#id_password", PASSWORD)
        page.click("button.primary")
        page.wait_for_url(f"{live_server.url}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def hostile_estate() -> Alert:
    """Make a queue with hostile, long, right-to-left and ordinary alerts."""
    source = make_source("<b>" + "s" * 77)
    make_batch(source, "x", status="quarantined", reason=HOSTILE)
    alert = make_full_alert(
        source, text=HOSTILE + "B" * 3000, title=(HOSTILE + "A" * 300)[:300], severity="critical",
        entity=("host:" + HOSTILE + "h" * 200)[:200], host_name="x" * 200, source_ip="<i>1.2.3.4",
    )  # fmt: skip
    make_full_alert(source, text="تسجيل دخول", title="تسجيل دخول غير معتاد admin", entity="user:مدير")
    for number in range(60):
        make_alert(source, severity=("low", "medium", "info")[number % 3], p_value=None if number % 5 else 0.01)
    return alert


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_overflows_errs_or_runs_what_a_log_says(visit, size, theme):
    alert = hostile_estate()
    page = visit(size=size, theme=theme)
    base = page.url.rstrip("/")
    event = alert.alert_events.get().event_id
    paths = [
        "/", f"/?alert={alert.pk}", f"/alerts/{alert.pk}/", f"/events/{event}/raw/", "/?status=closed", "/sources/",
        f"/sources/{alert.source_id}/", "/models/", "/help/",
    ]  # fmt: skip
    for path in paths:
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.evaluate("window.hit") is None, path
        assert page.evaluate("document.querySelectorAll('main img, main script, main b b').length") == 0, path
    dark = page.evaluate("getComputedStyle(document.body).color.match(/[\\d.]+/g)[0] > 0.5")
    assert dark is (theme == "dark")


def test_a_verdict_by_click_is_recorded_once_and_the_list_stays(visit):
    source = make_source()
    for number in range(30):
        make_full_alert(source, title=f"alert {number}", severity="high")
    page = visit()
    rows = page.locator("#rows")
    rows.evaluate("list => { list.scrollTop = 400; }")
    row = page.locator("#rows .row").nth(15)
    identifier = int(row.get_attribute("data-id"))
    row.locator("a.row-link").click()
    page.locator(f'#panel article[data-alert="{identifier}"]').wait_for()
    assert f"alert={identifier}" in page.url
    page.fill(".verdicts .note", "seen in the browser")
    page.dblclick('.verdicts button[value="fp_logic"]')
    page.locator("#panel .decided").wait_for()
    page.locator(f"#row-{identifier}.is-closed").wait_for()
    assert rows.evaluate("list => list.scrollTop") == 400
    assert list(Verdict.objects.values_list("alert_id", "value", "note", "user__username")) == [
        (identifier, "fp_logic", "seen in the browser", "charlie")
    ]


def test_the_queue_by_keyboard(visit):
    source = make_source()
    for number in range(3):
        make_full_alert(source, title=f"alert {number}")
    page = visit()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("o")
    second = int(page.locator("#rows .row").nth(1).get_attribute("data-id"))
    page.locator(f'#panel article[data-alert="{second}"]').wait_for()
    page.keyboard.press("n")
    page.keyboard.type("1 is text here")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.locator("#panel .decided").wait_for()
    assert list(Verdict.objects.values_list("alert_id", "value", "note")) == [(second, "benign_tp", "1 is text here")]
    page.keyboard.press("u")
    page.locator("#panel .verdicts").wait_for()
    assert Alert.objects.get(pk=second).status == "open"
    page.keyboard.press("Escape")
    assert "alert=" not in page.url


def test_new_alerts_wait_behind_the_pill(visit):
    source = make_source()
    make_alert(source, title="the one being read")
    page = visit()
    late = make_alert(source, title="came late", severity="critical")
    page.locator("#pill").wait_for(timeout=15_000)
    assert page.locator("#rows .row").count() == 1
    page.click("#pill")
    page.locator(f"#row-{late.pk}").wait_for()
    assert page.locator("#rows .row").count() == 2
    page.locator("#pill").wait_for(state="detached")


def test_back_closes_the_panel_and_the_theme_is_remembered(visit):
    alert = make_full_alert(make_source())
    page = visit()
    page.click("a.row-link")
    page.locator(f'#panel article[data-alert="{alert.pk}"]').wait_for()
    page.go_back()
    page.locator("#workspace:not(.has-panel)").wait_for()
    page.click("[data-theme-toggle]")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_a_verdict_works_without_javascript(visit):
    alert = make_full_alert(make_source())
    page = visit(f"/alerts/{alert.pk}/", scripts=False)
    page.click('.verdicts button[value="tp_impact"]')
    page.locator(".decided").wait_for()
    assert [row.value for row in Verdict.objects.all()] == ["tp_impact"]
