"""Presence: who has an alert in front of them, so that two people on one alert see each other.

Handed: an alert and the person whose page is open. Hands on: the others who are there. Not part of any decision and not
in the audit trail: a row that was not renewed lately says nothing, and old ones are removed on the way.
"""

import datetime as dt

from django.utils import timezone

from alerts.models import Alert, AlertPresence
from triage.models import User

#: An open page renews its row every 15 seconds; two that were missed, and the person counts as gone.
THERE = dt.timedelta(seconds=40)
KEPT = dt.timedelta(hours=1)


def note_presence(*, alert_id: int, user: User) -> list[str]:
    """Say that a person has an alert open; return who else has, by name. Raises ``Alert.DoesNotExist``."""
    now = timezone.now()
    if not AlertPresence.objects.filter(alert_id=alert_id, user=user).update(seen_at=now):
        if not Alert.objects.filter(pk=alert_id).exists():
            raise Alert.DoesNotExist(f"no alert {alert_id}")
        AlertPresence.objects.filter(user=user, seen_at__lt=now - KEPT).delete()
        AlertPresence.objects.bulk_create(
            [AlertPresence(alert_id=alert_id, user=user, seen_at=now)],
            update_conflicts=True,
            unique_fields=["alert", "user"],
            update_fields=["seen_at"],
        )
    others = AlertPresence.objects.filter(alert_id=alert_id, seen_at__gte=now - THERE).exclude(user=user)
    return list(others.order_by("user__username").values_list("user__username", flat=True))
