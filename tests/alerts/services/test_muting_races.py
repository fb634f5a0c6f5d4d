"""Two at once: whatever rules do while events come in, nothing stays hidden by a rule that is over."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from alerts.models import Alert, AlertEvent, AuditEntry, MuteRule
from alerts.services import grouping, muting
from alerts.services.muting import MuteError, Scope
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "a" * 64


@pytest.fixture(autouse=True)
def _nothing_sampled(monkeypatch):
    """The audit share is drawn by a hash; these tests are not about it."""
    monkeypatch.setattr(muting, "sampled", lambda rule, alert: False)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run each on a database connection of its own, together; return what each returned or raised."""
    gate = threading.Barrier(len(works))
    found: list[Any] = [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        gate.wait(20)
        try:
            found[place] = work()
        except Exception as error:
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def some_events(source, count=30):
    for number in range(count):
        flagged(source, p_value=0.005, entity=f"user:u{number}", user_name=f"u{number}")


def test_a_rule_that_ends_while_events_are_grouped_leaves_nothing_hidden(make_user):
    source, ana = make_source(), make_user("ana", "analyst")
    some_events(source, 1)
    grouping.group_flagged()
    first = Alert.objects.get()
    rule = muting.mute(
        alert_id=first.pk, user=ana, scope=Scope(template=first.template), reason="x", days=7
    )  # fmt: skip
    some_events(source)
    passes = [lambda: grouping.group_flagged(limit=10)] * 3
    results = at_once(*passes, lambda: muting.end(rule_id=rule.pk, user=ana, bring_back=True))
    grouping.group_flagged()
    assert [one for one in results if isinstance(one, Exception)] == []
    assert set(Alert.objects.values_list("status", "mute_rule")) == {("open", None)}
    assert AlertEvent.objects.count() == 31


def test_a_rule_that_is_made_while_events_are_grouped_hides_each_alert_once(make_user):
    source, ana = make_source(), make_user("ana", "analyst")
    some_events(source, 1)
    grouping.group_flagged()
    first = Alert.objects.get()
    some_events(source)
    scope = Scope(template=first.template)
    make = lambda: muting.mute(alert_id=first.pk, user=ana, scope=scope, reason="x", days=7)  # noqa: E731
    results = at_once(make, lambda: grouping.group_flagged(limit=20), lambda: grouping.group_flagged(limit=20))
    grouping.group_flagged()
    assert [one for one in results if isinstance(one, Exception)] == []
    rule = MuteRule.objects.get()
    muted = Alert.objects.filter(status="muted", mute_rule=rule).count()
    assert rule.hidden_count == muted
    assert Alert.objects.filter(status="open", mute_rule=None).count() == 30 - muted
    assert muted >= 1


def test_two_rules_about_the_same_alerts_hide_each_once(make_user):
    ana, source = make_user("ana", "analyst"), make_source()
    alerts = [make_alert(source, template=KIND, severity="low") for _ in range(20)]

    def make() -> MuteRule:
        return muting.mute(alert_id=alerts[0].pk, user=ana, scope=Scope(template=KIND), reason="x", days=7)

    assert [type(one) for one in at_once(make, make)] == [MuteRule, MuteRule]
    assert Alert.objects.filter(status="muted", revision=2).count() == 20
    assert sum(MuteRule.objects.values_list("hidden_count", flat=True)) == 20
    assert AuditEntry.objects.filter(action="mute").count() == 20


def test_a_rule_is_ended_once(make_user):
    ana = make_user("ana", "analyst")
    alert = make_alert(make_source(), template=KIND, severity="low")
    rule = muting.mute(alert_id=alert.pk, user=ana, scope=Scope(template=KIND), reason="x", days=7)

    def end() -> int:
        return muting.end(rule_id=rule.pk, user=ana, bring_back=False)

    assert sorted(type(one).__name__ for one in at_once(end, end)) == [MuteError.__name__, "int"]
    assert AuditEntry.objects.filter(action="mute.ended").count() == 1
