"""The audit trail: entries of who did what and when, and the chain of seals that makes tampering show.

An entry carries a digest of its content from the moment it is written. As soon as its transaction is committed it gets
a seal: a link in a chain over all entries, in the order of sealing. Both are rows that the database refuses to change;
whoever gets round that has not the key. :mod:`alerts.services.sealing` seals and examines.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from alerts import chain
from alerts.models.alerts import Alert
from alerts.models.verdicts import DecidedBy

_sealers: list[Callable[[], object]] = []


def seal_with(sealer: Callable[[], object]) -> None:
    """Let a function be called after each commit of new entries."""
    if sealer not in _sealers:
        _sealers.append(sealer)


def _seal() -> None:
    for sealer in _sealers:
        sealer()


def _seal_after_commit() -> None:
    """Ask for one sealing after the transaction under way, however many entries it writes."""
    connection = transaction.get_connection()
    if not any(_seal in waiting for waiting in connection.run_on_commit):
        transaction.on_commit(_seal, robust=True)


def chain_key() -> bytes:
    """Return the key of this deployment's chain."""
    return chain.key_of(settings.AUDIT_KEY or settings.SECRET_KEY)


class AppendOnlyError(RuntimeError):
    """An audit entry was about to be changed or deleted."""


class AuditEntries(models.Manager["AuditEntry"]):
    """Gives each entry its digest when it is written, also where many are written at once."""

    def bulk_create(self, objs: Iterable["AuditEntry"], *args: Any, **kwargs: Any) -> list["AuditEntry"]:
        """Insert many entries."""
        entries = list(objs)
        for entry in entries:
            entry.mac = entry.content_mac()
        made = super().bulk_create(entries, *args, **kwargs)
        _seal_after_commit()
        return made


class AuditEntry(models.Model):
    """Who did what and when. Append-only: rows are never changed or deleted."""

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.CharField(max_length=150, help_text="User name, or the name of the automation.")
    actor_kind = models.CharField(max_length=16, choices=DecidedBy)
    action = models.CharField(max_length=64)
    alert = models.ForeignKey(Alert, null=True, blank=True, on_delete=models.PROTECT, related_name="audit_entries")
    details = models.JSONField(default=dict)
    #: Digest of the content (:func:`alerts.chain.mac`); empty in entries from before there was one.
    mac = models.CharField(max_length=64, blank=True, editable=False)

    objects = AuditEntries()

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        if self.pk is not None:
            raise AppendOnlyError("audit entries are append-only")
        self.mac = self.content_mac()
        super().save(*args, **kwargs)
        _seal_after_commit()

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("audit entries are append-only")

    def content_mac(self, key: bytes | None = None) -> str:
        """Return the digest of the content as it is now."""
        content = chain.content(
            created_at=self.created_at, actor=self.actor, kind=self.actor_kind, action=self.action,
            alert=self.alert_id, details=self.details,
        )  # fmt: skip
        return chain.mac(key or chain_key(), content)


class AuditSeal(models.Model):
    """One link of the chain: the entry at a position, its digest, and the digest of the link. Append-only.

    ``entry_id`` is no foreign key: a seal whose entry was deleted has to stay.
    """

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    mac = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"link {self.position}"


class AuditHead(models.Model):
    """Where the chain ends: the only row, which whoever seals holds. Entries up to ``legacy_id`` have no digest."""

    position = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=chain.START)
    entry_id = models.BigIntegerField(default=0)
    legacy_id = models.BigIntegerField(default=0)
    key_name = models.CharField(max_length=16, blank=True)
    sealed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.position}: {self.digest[:12]}"
