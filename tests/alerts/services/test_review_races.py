"""Two at once: of two verdicts one counts, and a decision while events come in loses neither."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection

from alerts.models import Alert, AlertEvent, ReviewAction, Verdict
from alerts.services import bulk, grouping, review, undo
from alerts.services.bulk import Numbers
from tests.alerts.flagged_events import flagged
from tests.alerts.rows import make_alert
from tests.factories import make_source
from triage.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


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


def of(kind: type, results: Sequence[Any]) -> list[Any]:
    return [one for one in results if isinstance(one, kind)]


def test_of_two_verdicts_on_one_alert_one_counts(alice, charlie):
    alert = make_alert(make_source())

    def decide(user: Any, value: str) -> Callable[[], Any]:
        return lambda: review.record_verdict(alert_id=alert.pk, value=value, user=user, expected_revision=1)

    results = at_once(decide(alice, "tp_impact"), decide(charlie, "fp_data"))
    assert (len(of(Verdict, results)), len(of(review.StaleAlertError, results))) == (1, 1)
    assert (Verdict.objects.count(), ReviewAction.objects.count(), Alert.objects.get().revision) == (1, 1, 2)


def test_one_action_is_undone_once(alice):
    alert = make_alert(make_source())
    review.record_verdict(alert_id=alert.pk, value="fp_data", user=alice, expected_revision=1)
    results = at_once(lambda: undo.undo(user=alice), lambda: undo.undo(user=alice))
    assert (len(of(undo.Undone, results)), len(of(undo.NothingToUndoError, results))) == (1, 1)
    alert.refresh_from_db()
    assert (alert.status, alert.revision) == ("open", 3)


def test_deciding_while_events_are_grouped_loses_neither(alice):
    source = make_source()
    for number in range(40):
        flagged(source, entity=f"user:u{number}", user_name=f"u{number}")
    while grouping.group_flagged():
        continue
    ids = list(Alert.objects.order_by("-pk").values_list("pk", flat=True))
    for number in range(40):
        flagged(source, entity=f"user:u{number}", user_name=f"u{number}")

    def regroup() -> int:
        taken = 0
        while count := grouping.group_flagged(limit=7):
            taken += count
        return taken

    results = at_once(regroup, lambda: bulk.decide(chosen=Numbers.of(ids), value="benign_tp", user=alice))
    assert results[0] == 40
    assert results[1].decided == tuple(ids)
    assert AlertEvent.objects.count() == Event.objects.filter(grouped=True).count() == 80
    assert Alert.objects.filter(pk__in=ids, status="closed").count() == 40
    # An event that came after the decision has opened an alert of its own; the others joined before it.
    later = Alert.objects.exclude(pk__in=ids)
    assert set(later.values_list("status", flat=True)) <= {"open"}
    assert sum(Alert.objects.values_list("event_count", flat=True)) == 80
    done = undo.undo(user=alice)
    assert len(done.revisions) + len(done.skipped) == 40
    assert len(done.skipped) == later.count()
