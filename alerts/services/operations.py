"""What is done from the command line, in the audit trail.

Handed: word of a backup or a restore, of a source, a token or the first login that was made. Hands on: one audit entry.
"""

from alerts.models import DecidedBy
from alerts.services import audit
from triage.hooks import Operation


def note(operation: Operation) -> None:
    """Append the audit entry of an operation."""
    audit.record(
        action=operation.action,
        actor=operation.by.name,
        kind=DecidedBy.PERSON if operation.by.is_person else DecidedBy.AUTOMATION,
        details=dict(operation.details),
    )
