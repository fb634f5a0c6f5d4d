"""Django's admin for the analyst side: read-only, for support; decisions are made in the queue."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from alerts.models import Alert, AuditEntry, Explanation, Verdict


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the stubs
    """Look, don't touch."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from the pipeline and the queue."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Changes go through the services, which audit them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History stays."""
        return False


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("id", "title", "severity", "status", "entity", "last_seen_at", "revision")
    list_filter = ("status", "severity", "source")


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    list_display = ("id", "alert", "value", "decided_by", "user", "created_at")
    list_filter = ("value", "decided_by")


@admin.register(Explanation)
class ExplanationAdmin(ReadOnlyAdmin):
    list_display = ("id", "alert", "explainer", "model", "failure", "created_at")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "actor", "actor_kind", "action", "alert")
    list_filter = ("actor_kind", "action")
