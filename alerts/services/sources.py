"""Sources: make one and hand out its intake token.

Handed: a name. Hands on: the source and its token, which exists in clear text only in this return value;
the table keeps its SHA-256. One transaction, one audit entry.
"""

from django.db import transaction

from alerts.models import AuditEntry, DecidedBy
from triage.authentication import hash_token, new_token
from triage.models import Source, User


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


def note_replay(*, batch_id: int, user: User) -> None:
    """Write down who sent a quarantined batch through the pipeline again."""
    AuditEntry.objects.create(
        actor=user.get_username(), actor_kind=DecidedBy.PERSON, action="replay_batch", details={"batch_id": batch_id}
    )
