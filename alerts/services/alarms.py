"""Alarms about a model's fitness are closed by people.

Handed: an open alarm, who closes it and why. Hands on: the alarm, closed, with one audit entry in the same transaction.
What is there when a drift alarm is closed counts as the new normal: later blocks are compared with what came after.
"""

from django.db import transaction
from django.utils import timezone

from alerts.services import audit
from triage.models import Alarm, User

MAX_NOTE = 2_000


class AlarmClosedError(RuntimeError):
    """The alarm is closed already. Nothing was changed."""


def close_alarm(*, alarm_id: int, user: User, note: str = "") -> Alarm:
    """Close an alarm; raise ``Alarm.DoesNotExist`` or :class:`AlarmClosedError`."""
    with transaction.atomic():
        alarm = Alarm.objects.select_for_update(of=("self",)).get(pk=alarm_id)
        if alarm.closed_at is not None:
            raise AlarmClosedError(f"{alarm.closed_by} has closed it already")
        alarm.closed_at, alarm.closed_by = timezone.now(), user.get_username()
        alarm.save(update_fields=["closed_at", "closed_by"])
        details = {"alarm": alarm.pk, "kind": alarm.kind, "text": alarm.text, "note": note[:MAX_NOTE]}
        audit.record_person(action="close_alarm", user=user, details=details)
    return alarm
