"""The audit trail's only writer for automations: one entry per change, never changed afterwards.

Handed: who did what to which alert. Hands on: the stored entry. Call it inside the transaction of the
change it records, so that neither exists without the other.
"""

from typing import Any

from alerts.models import Alert, AuditEntry, DecidedBy
from triage.models import User


def record(
    *,
    action: str,
    actor: str,
    kind: str,
    alert: Alert | None = None,
    details: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry. ``kind`` is a :class:`~alerts.models.DecidedBy` value."""
    return AuditEntry.objects.create(
        action=action[:64], actor=actor[:150], actor_kind=kind, alert=alert, details=details or {}
    )


def record_automation(
    *, action: str, automation: str, alert: Alert | None = None, details: dict[str, Any] | None = None
) -> AuditEntry:
    """Append one entry for something Winnow did by itself."""
    return record(action=action, actor=automation, kind=DecidedBy.AUTOMATION, alert=alert, details=details)


def record_person(
    *, action: str, user: User, alert: Alert | None = None, details: dict[str, Any] | None = None
) -> AuditEntry:
    """Append one entry for something a person did."""
    return record(action=action, actor=user.get_username(), kind=DecidedBy.PERSON, alert=alert, details=details)
