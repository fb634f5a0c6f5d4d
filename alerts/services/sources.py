"""Sources: make one and hand out its intake token; change what it may do.

Handed: a name, or settings. Hands on: the source, and its token, which exists in clear text only in that return value;
the table keeps its SHA-256. One transaction, one audit entry.
"""

from typing import Any

from django.db import transaction

from alerts.models import AuditEntry, DecidedBy
from alerts.services import audit
from triage.authentication import cache, hash_token, new_token
from triage.models import Source, User

CHANGEABLE = frozenset({"enabled", "use_ack", "parser", "records_per_second", "bytes_per_day"})


def create_source(*, name: str, user: User, use_ack: bool = False) -> tuple[Source, str]:
    """Create a source, with HEC acknowledgement or without; return it with its token.

    Raises ``IntegrityError`` when the name is taken.
    """
    token = new_token("wi")
    with transaction.atomic():
        source = Source.objects.create(name=name, token_hash=hash_token(token), use_ack=use_ack)
        AuditEntry.objects.create(
            actor=user.get_username(),
            actor_kind=DecidedBy.PERSON,
            action="create_source",
            details={"source_id": source.pk, "name": name, "use_ack": use_ack},
        )
    return source, token


def change_source(*, source_id: int, user: User, **settings: Any) -> dict[str, list[Any]]:
    """Set columns of a source; return ``{name: [before, after]}`` of those that differ, which are audited.

    Nothing is written when nothing differs. Raises ``Source.DoesNotExist``. The intake hears of it within seconds.
    """
    unknown = set(settings) - CHANGEABLE
    if unknown:
        raise ValueError(f"not to be changed: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        source = Source.objects.select_for_update().get(pk=source_id)
        changes = {
            name: [getattr(source, name), value] for name, value in settings.items() if getattr(source, name) != value
        }
        if changes:
            for name, (_, value) in changes.items():
                setattr(source, name, value)
            source.save(update_fields=list(changes))
            audit.record_person(action="change_source", user=user, details={"source_id": source.pk, "changes": changes})
    cache.clear()
    return changes


def note_replay(*, batch_id: int, user: User) -> None:
    """Write down who sent a quarantined batch through the pipeline again."""
    AuditEntry.objects.create(
        actor=user.get_username(), actor_kind=DecidedBy.PERSON, action="replay_batch", details={"batch_id": batch_id}
    )
