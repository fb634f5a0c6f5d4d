"""The queue by keyboard in a real Chromium: every key does its thing and no more, and none is lost or misplaced."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from alerts.models import Alert, ReviewAction, Verdict
from alerts.services import muting, review
from tests.alerts.rows import make_alert, make_full_alert
from tests.factories import make_source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DESKTOP = {"width": 1440, "height": 900}
VALUES = ["tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate"]


@pytest.fixture(autouse=True)
def _nothing_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mute rule keeps a share open, drawn by a hash of the day; these tests are not about it."""
    monkeypatch.setattr(muting, "sampled", lambda rule, alert: False)


@pytest.fixture
def queue(enter: Callable[..., Any], charlie: Any) -> Callable[..., Any]:
    """Open the queue, every alert on a row of its own."""

    def open_queue(path: str = "/?group=none", **options: Any) -> Any:
        page = enter(charlie, **({"viewport": DESKTOP} | options))
        page.goto(path)
        return page

    return open_queue


def ids(page: Any) -> list[int]:
    found: list[str] = page.locator("#rows .row:not([data-leaving])").evaluate_all("all => all.map(r => r.dataset.id)")
    return [int(one) for one in found]


def selected(page: Any) -> int:
    return int(page.locator("#rows .row[aria-current]").get_attribute("data-id"))


def shown(page: Any, alert_id: int) -> None:
    page.locator(f'#panel:not(.is-behind) article[data-alert="{alert_id}"]').wait_for()


def closed() -> dict[int, str]:
    return dict(Verdict.standing.order_by("pk").values_list("alert_id", "value"))


def saved(page: Any) -> None:
    """Wait until everything that was asked for is answered."""
    page.locator("html:not([data-saving])").wait_for()


def press(page: Any, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def test_no_key_is_lost_or_lands_on_another_alert(queue):
    source = make_source()
    for number in range(26):
        make_full_alert(source, title=f"alert {number}")
    page = queue()
    order = ids(page)
    press(page, "j o")
    shown(page, order[0])
    keys = [str(1 + number % 6) for number in range(20)]
    for key in keys:
        page.keyboard.press(key)
    assert selected(page) == order[20]
    shown(page, order[20])
    saved(page)
    expect(page.locator("#rows .row")).to_have_count(6)
    expect(page.locator(".segments a").nth(0)).to_have_text("Open 6")
    assert closed() == {alert: VALUES[int(key) - 1] for alert, key in zip(order, keys, strict=False)}
    assert page.evaluate("document.activeElement.closest('.row').dataset.id") == str(order[20])
    # Ten are taken back, each as it was, and the eleventh is not.
    for _ in range(10):
        page.keyboard.press("u")
    expect(page.locator("#rows .row")).to_have_count(16)
    saved(page)
    assert ids(page) == order[10:]
    assert closed() == {alert: VALUES[int(key) - 1] for alert, key in zip(order[:10], keys, strict=False)}
    page.keyboard.press("u")
    page.locator(".toast", has_text="nothing of your last 10 actions").wait_for()
    assert Alert.objects.filter(status="closed").count() == 10
    # Decide, undo and decide again without waiting: the last word counts.
    first = selected(page)
    press(page, "1 u 4")
    saved(page)
    expect(page.locator("#rows .row")).to_have_count(15)
    expect(page.locator(".segments a").nth(0)).to_have_text("Open 15")
    expect(page.locator(".segments a").nth(2)).to_have_text("Closed 11")
    assert list(Verdict.objects.filter(alert=first).order_by("pk").values_list("value", flat=True))[-2:] == [
        "tp_impact",
        "fp_logic",
    ]
    assert closed()[first] == "fp_logic"


def test_every_key_does_its_thing_and_none_while_typing(queue, charlie):
    source = make_source()
    for number in range(6):
        make_full_alert(source, title=f"alert {number}", severity="low", template=str(number), entity=f"user:u{number}")
    page = queue()
    order = ids(page)
    press(page, "j j k")
    assert selected(page) == order[0]
    press(page, "j Enter")
    shown(page, order[1])
    assert f"alert={order[1]}" in page.url

    page.keyboard.press("n")
    page.keyboard.type("1 a e u ? note")
    page.keyboard.press("Enter")
    assert Verdict.objects.count() == ReviewAction.objects.count() == 0
    page.keyboard.press("3")
    page.locator(".toast", has_text="Closed: Benign true positive").wait_for()
    assert list(Verdict.objects.values_list("alert_id", "value", "note")) == [(order[1], "benign_tp", "1 a e u ? note")]
    shown(page, order[2])

    page.keyboard.press("n")
    page.keyboard.type("half a note")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.locator(".toast", has_text="Given to charlie").wait_for()
    page.locator("#panel .take button[value=nobody]").wait_for()
    assert page.input_value("#panel .verdicts .note") == "half a note"
    assert Alert.objects.get(pk=order[2]).assignee == charlie
    page.keyboard.press("e")
    page.locator(".toast", has_text="Escalated").wait_for()
    alert = Alert.objects.get(pk=order[2])
    assert (alert.assignee, alert.escalated_by) == (None, charlie)
    assert alert.audit_entries.get(action="escalate").details["note"] == "half a note"
    shown(page, order[3])
    page.locator(f"#row-{order[2]} .fact-escalated").wait_for()
    page.keyboard.press("u")
    page.locator(".toast", has_text="Undone: Escalated").wait_for()
    assert Alert.objects.get(pk=order[2]).assignee == charlie
    page.keyboard.press("7")
    page.locator(".toast", has_text="Undetermined").wait_for()
    assert page.locator(f"#row-{order[3]}").count() == 1

    shown(page, order[4])
    page.keyboard.press("m")
    page.locator("#panel .mute-form").wait_for()
    page.fill("#panel .mute-form textarea", "the scanner, 1 2 3")
    page.click("#panel .mute-form button.primary")
    page.locator(".toast", has_text="Muted: 1 hidden now").wait_for()
    expect(page.locator(f"#row-{order[4]}")).to_have_count(0)
    shown(page, order[5])
    assert Alert.objects.get(pk=order[4]).status == "muted"
    page.keyboard.press("u")
    page.locator(".toast", has_text="Undone: Muted").wait_for()
    page.locator(f"#row-{order[4]}").wait_for()
    assert Alert.objects.get(pk=order[4]).status == "open"

    press(page, "/")
    page.keyboard.type("12g?")
    assert page.input_value("#q") == "12g?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    sheet = page.locator("#key-sheet")
    expect(sheet).to_be_visible()
    for words in ("next alert", "escalate: ask for somebody senior", "undo what you did last", "go to Queue"):
        expect(sheet).to_contain_text(words)
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    for chord in ("Control+1", "Alt+1", "Meta+a", "Control+u"):
        page.keyboard.press(chord)
    page.keyboard.press("Escape")
    assert page.locator("#workspace.has-panel").count() == 0
    assert "alert=" not in page.url

    press(page, "g s")
    page.wait_for_url("**/sources/")
    page.keyboard.press("Control+k")
    page.keyboard.type("queue")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: urlsplit(url).path == "/")
    page.keyboard.press("Control+k")
    page.keyboard.type(str(order[4]))
    page.keyboard.press("Enter")
    shown(page, order[4])
    page.keyboard.press("Control+k")
    page.keyboard.type("decide: duplicate")
    page.keyboard.press("Enter")
    page.locator(".toast", has_text="Closed: Duplicate").wait_for()
    assert closed() == {order[1]: "benign_tp", order[3]: "undetermined", order[4]: "duplicate"}
    page.keyboard.press("Control+k")
    page.keyboard.type("undo benign")
    expect(page.locator("#palette-list .option").first).to_contain_text("Closed: Benign true positive")
    page.keyboard.press("Enter")
    page.locator(".toast", has_text="Undone: Closed: Benign").wait_for()
    assert closed() == {order[3]: "undetermined", order[4]: "duplicate"}


def test_a_lost_race_brings_the_row_back_and_shows_both_versions(queue, problems, alice):
    source = make_source()
    for number in range(3):
        make_full_alert(source, title=f"alert {number}")
    page = queue()
    order = ids(page)
    press(page, "j o")
    shown(page, order[0])
    review.record_verdict(alert_id=order[0], value="tp_impact", note="mine", user=alice, expected_revision=1)
    press(page, "5 2")
    expect(page.locator(".toast.bad")).to_contain_text("alice closed it as True positive, with impact")
    shown(page, order[2])
    saved(page)
    assert closed() == {order[0]: "tp_impact", order[1]: "tp_no_impact"}
    page.locator(f"#row-{order[0]}.is-closed.is-refused").wait_for()
    page.click(".toast.bad .button")
    notice = page.locator("#panel .notice.warning")
    expect(notice).to_contain_text("False positive (data)")
    expect(notice).to_contain_text("mine")
    assert problems
    assert all("409" in one for one in problems)
    problems.clear()


def test_many_at_once(queue):
    source = make_source()
    for number in range(30):
        make_alert(source, title=f"alert {number}", severity="low" if number % 2 else "high")
    page = queue("/?group=none&severity=low")
    order = ids(page)
    bar = page.locator("#bulk-bar")
    expect(bar).to_be_hidden()
    # Another alert than the selected one is being read: it is asked which are meant.
    press(page, "j x j o")
    shown(page, order[1])
    page.keyboard.press("5")
    expect(page.locator("#bulk-dialog .number")).to_have_text("1")
    press(page, "Escape Escape Escape k k")
    expect(bar).to_be_hidden()
    assert closed() == {}
    press(page, "x j x")
    expect(bar).to_contain_text("2 alerts selected")
    page.keyboard.press("5")
    page.locator(".toast", has_text="2 alerts closed: False positive (data)").wait_for()
    expect(page.locator("#rows .row")).to_have_count(13)
    assert closed() == dict.fromkeys(order[:2], "fp_data")
    expect(bar).to_be_hidden()
    press(page, "j x")
    page.locator("#bulk-bar [data-bulk-all]").click()
    expect(bar).to_contain_text("All 13 matching")
    late = make_alert(source, severity="low")
    page.keyboard.press("4")
    dialog = page.locator("#bulk-dialog")
    expect(dialog.locator(".number")).to_have_text("14")
    page.keyboard.press("Escape")
    assert len(closed()) == 2
    make_alert(source, severity="low")
    page.keyboard.press("4")
    expect(dialog.locator(".number")).to_have_text("15")
    dialog.locator("textarea").fill("scanner")
    dialog.locator("button.primary").click()
    page.locator(".toast", has_text="15 alerts closed").wait_for()
    assert Verdict.objects.filter(value="fp_logic", note="scanner").count() == 15
    assert Alert.objects.filter(status="open").count() == 15
    assert Alert.objects.get(pk=late.pk).status == "closed"
    page.keyboard.press("u")
    page.locator(".toast", has_text="Undone for 15 of 15").wait_for()
    expect(page.locator("#rows .row")).to_have_count(15)
    assert len(closed()) == 2


def test_times_in_utc_or_local(queue):
    make_full_alert(make_source())
    page = queue(timezone_id="Asia/Kolkata")
    age = page.locator("#rows .row time")
    before = age.get_attribute("title")
    assert before.endswith(" UTC")
    page.click("[data-zone-toggle]")
    assert age.get_attribute("title").endswith(" +05:30")
    page.reload()
    expect(page.locator("[data-zone-toggle]")).to_have_text("Local")
    page.click("[data-zone-toggle]")
    assert age.get_attribute("title") == before
