"""Alarms are closed by people, once, with an audit entry."""

import pytest
from django.utils import timezone

from alerts.models import AuditEntry
from alerts.services import alarms
from triage.models import Alarm, ModelVersion, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def alarm() -> Alarm:
    model = ModelVersion.objects.create(version="v1", detector="x", artefact_sha256="0", trained_at=timezone.now())
    return Alarm.objects.create(
        kind="kinds",
        model_version=model,
        recommendation="retrain",
        text="The mix has changed.",
        raised_at=timezone.now(),
    )


def test_closing_leaves_name_time_and_an_audit_entry(alarm: Alarm, alice: User) -> None:
    closed = alarms.close_alarm(alarm_id=alarm.pk, user=alice, note="new proxy")
    assert (closed.closed_by, closed.closed_at is not None) == (alice.username, True)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("close_alarm", alice.username)
    assert entry.details == {"alarm": alarm.pk, "kind": "kinds", "text": "The mix has changed.", "note": "new proxy"}


def test_a_closed_alarm_is_not_closed_again(alarm: Alarm, alice: User) -> None:
    alarms.close_alarm(alarm_id=alarm.pk, user=alice)
    with pytest.raises(alarms.AlarmClosedError, match="has closed it already"):
        alarms.close_alarm(alarm_id=alarm.pk, user=alice)
    assert AuditEntry.objects.count() == 1
