"""The event side in Django's admin: people are managed, everything else is read.

Handed: staff. Hands on: lists. Batches, events and models are written by the pipeline alone; a token is made
by a command, which shows it once.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest

from triage.models import ApiToken, ModelVersion, RawBatch, Source, User


class ReadOnlyAdmin(admin.ModelAdmin[Model]):
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(UserAdmin):
    """People, with their role."""

    list_display: ClassVar = ["username", "role", "is_active", "is_staff", "last_login"]
    fieldsets: ClassVar = [*(UserAdmin.fieldsets or ()), ("Winnow", {"fields": ["role"]})]


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin[Source]):
    """Sources may be switched off and pinned to a parser."""

    list_display: ClassVar = ["name", "enabled", "parser", "created_at"]
    fields: ClassVar = ["name", "enabled", "parser", "created_at"]
    readonly_fields: ClassVar = ["created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["user", "scope", "created_at", "revoked_at"]
    fields: ClassVar = ["user", "scope", "created_at", "revoked_at"]


@admin.register(RawBatch)
class RawBatchAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["id", "source", "receiver", "record_count", "status", "received_at"]
    list_filter: ClassVar = ["status", "source"]
    exclude: ClassVar = ["body"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["version", "detector", "status", "trained_at", "promoted_at"]
