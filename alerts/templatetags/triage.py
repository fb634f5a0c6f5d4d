"""Template tag of the verdict bar: which of a person's actions an "Undo" there takes back.

Handed: an alert and a person. Hands on: a number; one query, asked only where an alert is decided.
"""

from django import template

from alerts.models import Alert
from alerts.services.undo import last_on
from triage.models import User

register = template.Library()


@register.simple_tag
def undo_of(alert: Alert, user: object) -> int:
    """Return the person's newest action on the alert that still stands, 0 when there is none they may undo."""
    return last_on(alert_id=alert.pk, user=user) if isinstance(user, User) else 0
