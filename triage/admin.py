"""The event side in Django's admin: people are managed, everything else is read.

Handed: staff. Hands on: lists. Batches, events and models are written by the pipeline alone; a token is made
by a command, which shows it once.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest

from triage.models import ApiToken, ModelVersion, RawBatch, Source, User

if TYPE_CHECKING:  # Django's own class takes no type argument at run time
    AnyAdmin = admin.ModelAdmin[Model]
    SourceBase = admin.ModelAdmin[Source]
    UserBase = UserAdmin[User]
else:
    AnyAdmin = SourceBase = admin.ModelAdmin
    UserBase = UserAdmin


class ReadOnlyAdmin(AnyAdmin):
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(UserBase):
    """People, with their role."""

    list_display = ("username", "role", "is_active", "is_staff", "last_login")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Winnow", {"fields": ["role"]}))


@admin.register(Source)
class SourceAdmin(SourceBase):
    """Sources may be switched off and pinned to a parser."""

    list_display = ("name", "enabled", "parser", "created_at")
    fields = ("name", "enabled", "parser", "created_at")
    readonly_fields = ("created_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("user", "scope", "created_at", "revoked_at")
    fields = ("user", "scope", "created_at", "revoked_at")


@admin.register(RawBatch)
class RawBatchAdmin(ReadOnlyAdmin):
    list_display = ("id", "source", "receiver", "record_count", "status", "received_at")
    list_filter = ("status", "source")
    exclude = ("body",)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ("version", "detector", "status", "trained_at", "promoted_at")
