"""An analyst's session by keyboard alone: fifty of two hundred alerts, no key lost, each on the alert that was shown.

A listener that stands before the product's own notes which alert is selected when a key goes down. What the database
holds afterwards must be exactly what was typed.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from alerts.models import Alert, Verdict
from tests.alerts.rows import make_full_alert
from tests.factories import make_source

#: Three minutes is what the session may take, with every wait of a real person's browser in it.
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
WATCH = Path(__file__).parent / "keys_watch.js"
VALUES = ("tp_impact", "tp_no_impact", "benign_tp", "fp_logic", "fp_data", "duplicate")
ALERTS, CLOSED = 200, 50


def shown(page: Any, not_in: set[int]) -> int:
    """Wait until an alert that was not decided is selected and open beside the list; return it."""
    row = page.locator("#rows .row[aria-current]:not([data-leaving])")
    expect(row).to_have_count(1)
    identifier = int(row.get_attribute("data-id"))
    assert identifier not in not_in
    expect(page.locator(f'#panel:not(.is-behind) article[data-alert="{identifier}"] .verdicts')).to_have_count(1)
    return identifier


def typed(page: Any) -> list[tuple[int, str]]:
    """Return which alert was selected at each verdict's key, in order."""
    return [(int(one), VALUES[int(key) - 1]) for one, key in page.evaluate("() => window.keysWatched")]


def test_fifty_alerts_are_closed_by_keyboard_alone(enter: Callable[..., Any], alice: Any) -> None:
    source, rng = make_source(), random.Random(50)
    for number in range(ALERTS):
        make_full_alert(source, title=f"alert {number}", entity=f"user:{number % 40}", severity="high")
    page = enter(alice, WATCH, viewport={"width": 1440, "height": 900})
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("o")
    done: dict[int, str] = {}
    notes: dict[int, str] = {}
    for number in range(CLOSED - 10):
        now = shown(page, set(done))
        if number % 10 == 3:
            page.keyboard.press("n")
            notes[now] = f"123 jkou is a note, {number}"
            page.keyboard.type(notes[now])
            page.keyboard.press("Escape")
        elif number % 10 == 5:
            page.keyboard.press("a")
        elif number % 10 == 7:
            page.keyboard.press("j")
            page.keyboard.press("k")
            assert shown(page, set(done)) == now
        value = rng.randrange(6)
        page.keyboard.press(str(value + 1))
        done[now] = VALUES[value]
        if number == 20:
            page.keyboard.press("u")
            assert shown(page, set(done) - {now}) == now
            page.keyboard.press("2")
            done[now] = VALUES[1]
    shown(page, set(done))
    for _ in range(10):  # as fast as a hand can: each key goes to the alert that is selected when it goes down
        page.keyboard.press(str(rng.randrange(6) + 1), delay=20)
        page.wait_for_timeout(60)
    said = dict(typed(page))
    shown(page, set(said))
    expect(page.locator("#rows .row[data-leaving]")).to_have_count(0)
    assert len(said) == CLOSED, "a key went to an alert that had been decided"
    assert {one: said[one] for one in done} == done, "a key went to another alert than the one that was open"
    assert dict(Verdict.standing.values_list("alert_id", "value")) == said
    assert Verdict.standing.count() == CLOSED
    assert set(Alert.objects.filter(status="closed").values_list("pk", flat=True)) == set(said)
    assert {one: Verdict.standing.get(alert_id=one).note for one in notes} == notes
    assert Verdict.standing.exclude(user=alice).count() == 0
