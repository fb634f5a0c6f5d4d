"""Working with the queue in a real Chromium: verdicts count once, nothing moves that is being read, Back works."""

import pytest

from alerts.models import Verdict
from tests.alerts.rows import make_alert, make_full_alert
from tests.factories import make_source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
    after = page.locator("#rows .row").nth(16)
    following = int(after.get_attribute("data-id"))
    place = after.bounding_box()["y"]
    page.dblclick('.verdicts button[value="fp_logic"]')
    page.locator(f'#panel article[data-alert="{following}"]').wait_for()
    page.locator(f"#row-{identifier}").wait_for(state="detached")
    assert page.locator(f"#row-{following}[aria-current]").bounding_box()["y"] == place
    assert list(Verdict.objects.values_list("alert_id", "value", "note", "user__username")) == [
        (identifier, "fp_logic", "seen in the browser", "charlie")
    ]


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
