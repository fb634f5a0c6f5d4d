"""People, tokens and how the installation is set up, as the settings pages show them.

Handed: nothing, or a person. Hands on: rows. Of what is configured only that it is there is told, never a secret.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from alerts.permissions import RANK, has_role
from triage.authentication import unended
from triage.models import ApiToken, SecondFactor, Session, SsoIdentity, User
from triage.sessions import row_key

MAX_USERS, MAX_SESSIONS = 500, 50


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is configured: its variable, what it is for, and its value in words."""

    variable: str
    what: str
    value: str


def users() -> QuerySet[User]:
    """Return people with their standing tokens counted, those who may log in first: one query."""
    ended = Q(api_tokens__expires_at__lte=timezone.now())
    standing = Count("api_tokens", filter=Q(api_tokens__revoked_at=None) & ~ended)
    factor = Exists(SecondFactor.objects.filter(user=OuterRef("pk"), confirmed_at__isnull=False))
    by_sso = Exists(SsoIdentity.objects.filter(user=OuterRef("pk")))
    return User.objects.annotate(tokens=standing, has_factor=factor, by_sso=by_sso).order_by("-is_active", "username")[
        :MAX_USERS
    ]


def tokens(user: User) -> QuerySet[ApiToken]:
    """Return a person's tokens that stand, newest first: one query."""
    return ApiToken.objects.filter(unended(), user=user).order_by("-id")


@dataclass(frozen=True, slots=True)
class Security:
    """How a person gets in. ``sso`` is the provider's name here, empty when there is none."""

    factor_on: bool
    factor_required: bool
    recovery_left: int
    sso: str
    connected: bool
    has_password: bool
    sessions: list[Session]
    this_session: str


def security(user: User, *, session_key: str) -> Security:
    """Return how a person gets in and where they are logged in: three queries."""
    factor = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()
    standing = Session.objects.filter(
        user=user,
        expire_date__gt=timezone.now(),
        seen_at__gt=timezone.now() - dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES),
    )
    return Security(
        factor_on=factor is not None,
        factor_required=is_factor_required(user),
        recovery_left=len(factor.recovery_hashes) if factor else 0,
        sso=settings.OIDC_LABEL if settings.OIDC_ISSUER else "",
        connected=SsoIdentity.objects.filter(user=user).exists(),
        has_password=user.has_usable_password(),
        sessions=list(standing.defer("session_data").order_by("-seen_at", "pk")[:MAX_SESSIONS]),
        this_session=row_key(session_key),
    )


def is_factor_required(user: User) -> bool:
    """Whether this deployment asks a second factor of a person of this role."""
    lowest = settings.TOTP_REQUIRED_FROM
    return lowest in RANK and has_role(user, lowest)


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
        Fact("PASSWORD_LOGIN", "Logging in by password", "yes" if settings.PASSWORD_LOGIN else "no"),
        Fact("OIDC_ISSUER", "Single sign-on by", settings.OIDC_ISSUER.split("//")[-1] or "none"),
        Fact("TOTP_REQUIRED_FROM", "A second factor is needed from", settings.TOTP_REQUIRED_FROM),
        Fact("SESSION_IDLE_MINUTES", "A session ends unused after", f"{settings.SESSION_IDLE_MINUTES} minutes"),
        Fact("RETENTION_DAYS", "Events are kept for", f"{settings.RETENTION_DAYS} days"),
        Fact("ALERT_BUDGET_PER_DAY", "Alerts a day, at first", f"{settings.ALERT_BUDGET_PER_DAY:g}"),
        Fact("LLM_BASE_URL", "Language model at", host),
        Fact("LLM_MODEL", "Language model", settings.LLM_MODEL or "none"),
        Fact("LLM_DATA_POLICY", "What it is told", settings.LLM_DATA_POLICY),
        Fact("LLM_DAILY_BUDGET_USD", "Its money for a day", "no limit" if budget is None else f"{budget:g} USD"),
    ]
