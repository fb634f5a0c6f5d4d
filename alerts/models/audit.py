"""AuditEntry: who did what and when, append-only."""

from typing import Any, ClassVar, NoReturn

from django.db import models

from alerts.models.alerts import Alert
from alerts.models.verdicts import DecidedBy


class AppendOnlyError(RuntimeError):
    """An audit entry was about to be changed or deleted."""


class AuditEntry(models.Model):
    """Who did what and when. Append-only: rows are never changed or deleted."""

    created_at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150, help_text="User name, or the name of the automation.")
    actor_kind = models.CharField(max_length=16, choices=DecidedBy)
    action = models.CharField(max_length=64)
    alert = models.ForeignKey(Alert, null=True, blank=True, on_delete=models.PROTECT, related_name="audit_entries")
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        if self.pk is not None:
            raise AppendOnlyError("audit entries are append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("audit entries are append-only")
