"""People, tokens and how the installation is set up, as the settings pages show them.

Handed: nothing, or a person. Hands on: rows. Of what is configured only that it is there is told, never a secret.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet

from triage.models import ApiToken, User

MAX_USERS = 500


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is configured: its variable, what it is for, and its value in words."""

    variable: str
    what: str
    value: str


def users() -> QuerySet[User]:
    """Return people with their standing tokens counted, those who may log in first: one query."""
    standing = Count("api_tokens", filter=Q(api_tokens__revoked_at=None))
    return User.objects.annotate(tokens=standing).order_by("-is_active", "username")[:MAX_USERS]


def tokens(user: User) -> QuerySet[ApiToken]:
    """Return a person's tokens that stand, newest first: one query."""
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-id")


def installation() -> list[Fact]:
    """Return what an administrator wants to know of the configuration; set once, at start, by variables."""
    host = settings.LLM_BASE_URL.split("//")[-1].split("/")[0].split("@")[-1] if settings.LLM_BASE_URL else "none"
    budget = settings.LLM_DAILY_BUDGET_USD
    doorbell = "Redis" if settings.REDIS_URL else "files in the data directory"
    return [
        Fact("DATABASE_URL", "Database", connection.vendor),
        Fact("REDIS_URL", "Doorbell and shared state", doorbell),
        Fact("WINNOW_DATA_DIR", "Data directory", str(settings.DATA_DIR)),
        Fact("ALLOWED_HOSTS", "Names it answers to", ", ".join(settings.ALLOWED_HOSTS) or "none"),
        Fact("RETENTION_DAYS", "Events are kept for", f"{settings.RETENTION_DAYS} days"),
        Fact("ALERT_BUDGET_PER_DAY", "Alerts a day, at first", f"{settings.ALERT_BUDGET_PER_DAY:g}"),
        Fact("LLM_BASE_URL", "Language model at", host),
        Fact("LLM_MODEL", "Language model", settings.LLM_MODEL or "none"),
        Fact("LLM_DATA_POLICY", "What it is told", settings.LLM_DATA_POLICY),
        Fact("LLM_DAILY_BUDGET_USD", "Its money for a day", "no limit" if budget is None else f"{budget:g} USD"),
    ]
