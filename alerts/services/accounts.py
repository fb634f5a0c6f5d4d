"""People, their preferences and their API tokens.

Handed: who asks and what is to change. Hands on: the changed rows; passwords and tokens are handed out once and only
their hashes are kept. Every change but a preference has its audit entry. There is always an administrator left.
"""

import datetime as dt
import secrets
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from alerts.services import audit
from alerts.text import visible
from triage.authentication import hash_token, new_token, unended
from triage.models import ApiToken, Role, TokenScope, User

MAX_NAME, MAX_TOKENS, MAX_TOKEN_NAME = 150, 20, 80
#: For how many days a token can be made, the usual number first.
TOKEN_DAYS = (90, 7, 30, 365)
#: What a person may set for themselves, with the values it may have.
PREFERENCES: dict[str, tuple[str, ...]] = {
    "theme": ("", "dark", "light"),
    "zone": ("utc", "local"),
    "density": ("compact", "roomy"),
}
#: Set on a password that somebody else knows.
CHANGE_PASSWORD = "change_password"  # noqa: S105 - the name of a preference


class AccountError(ValueError):
    """The change makes no sense or would lock everybody out; nothing was changed. The message says why."""


def create_user(*, by: User, username: str, role: str) -> tuple[User, str]:
    """Return a new person and the password they log in with once. Raises :class:`AccountError`."""
    username = username.strip()
    if not username or len(username) > MAX_NAME or visible(username) != username:
        raise AccountError(f"a login name of 1 to {MAX_NAME} visible characters")
    if role not in Role.values:
        raise AccountError(f"a role of {', '.join(Role.values)}")
    password = secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            user = User.objects.create(
                username=username, role=role, password=make_password(password), preferences={CHANGE_PASSWORD: True}
            )
            audit.record_person(action="user.created", user=by, details={"user": username, "role": role})
    except IntegrityError as error:
        raise AccountError(f"somebody is called “{username}” already") from error
    return user, password


def change_user(*, by: User, user_id: int, role: str, active: bool) -> User:
    """Give a person another role, or lock them out and in. Raises ``User.DoesNotExist`` and :class:`AccountError`."""
    with transaction.atomic():
        user, details = _changed(user_id=user_id, role=role, active=active)
        audit.record_person(action="user.changed", user=by, details=details)
    return user


def give_role(*, user_id: int, role: str, automation: str) -> User:
    """Give a person another role by automation. Raises ``User.DoesNotExist`` and :class:`AccountError`."""
    with transaction.atomic():
        user, details = _changed(user_id=user_id, role=role, active=True)
        audit.record_automation(action="user.changed", automation=automation, details=details)
    return user


def _changed(*, user_id: int, role: str, active: bool) -> tuple[User, dict[str, Any]]:
    """Change a person inside the caller's transaction; return them and what changed. Their sessions end."""
    if role not in Role.values:
        raise AccountError(f"a role of {', '.join(Role.values)}")
    # All administrators are locked, so that two of them cannot lock each other out at once.
    admins = set(User.objects.select_for_update().filter(_admin()).order_by("pk").values_list("pk", flat=True))
    user = User.objects.select_for_update().get(pk=user_id)
    stays = active and (role == Role.ADMIN or user.is_superuser)
    if not stays and admins == {user.pk}:
        raise AccountError("nobody would be left to administer Winnow; make somebody else an administrator first")
    before = {"role": user.role, "active": user.is_active}
    user.role, user.is_active = role, active
    user.save(update_fields=["role", "is_active"])
    if before != {"role": role, "active": active}:
        user.sessions.all().delete()
    return user, {"user": user.username, "before": before, "after": {"role": role, "active": active}}


def reset_password(*, by: User, user_id: int) -> tuple[User, str]:
    """Return a person and a new password they log in with once. Raises ``User.DoesNotExist``."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        user.password = make_password(password)
        user.preferences = user.preferences | {CHANGE_PASSWORD: True}
        user.save(update_fields=["password", "preferences"])
        user.sessions.all().delete()
        audit.record_person(action="user.password_reset", user=by, details={"user": user.username})
    return user, password


def _admin() -> Q:
    return Q(is_active=True) & (Q(role=Role.ADMIN) | Q(is_superuser=True))


def password_changed(*, user: User) -> None:
    """Note that a person has chosen their own password, and end their sessions; the caller keeps its own alive."""
    with transaction.atomic():
        user.sessions.all().delete()
        user.preferences = {name: value for name, value in user.preferences.items() if name != CHANGE_PASSWORD}
        user.save(update_fields=["preferences"])
        audit.record_person(action="user.password_changed", user=user)


def prefer(*, user: User, **wishes: str) -> None:
    """Keep what a person set for themselves. Raises :class:`AccountError` for what cannot be set."""
    for name, value in wishes.items():
        allowed = PREFERENCES.get(name, ())
        if value not in allowed:
            raise AccountError(f"{name}: one of {', '.join(one or 'as the system' for one in allowed)}")
    user.preferences = user.preferences | wishes
    user.save(update_fields=["preferences"])


def tour_seen(*, user: User, seen: bool) -> None:
    """Remember that a person has seen the tour, or wants it again."""
    user.preferences = user.preferences | {"tour": seen}
    user.save(update_fields=["preferences"])


def create_token(*, user: User, scope: str, name: str = "", days: int = TOKEN_DAYS[0]) -> tuple[ApiToken, str]:
    """Return a new token of a person and its text, which is shown once. Raises :class:`AccountError`."""
    if scope not in TokenScope.values:
        raise AccountError(f"a scope of {', '.join(TokenScope.values)}")
    if days not in TOKEN_DAYS:
        raise AccountError(f"a token for {', '.join(map(str, TOKEN_DAYS))} days")
    if len(name) > MAX_TOKEN_NAME or visible(name) != name:
        raise AccountError(f"a token's name of up to {MAX_TOKEN_NAME} visible characters")
    with transaction.atomic():
        if ApiToken.objects.filter(unended(), user=user).count() >= MAX_TOKENS:
            raise AccountError(f"at most {MAX_TOKENS} tokens; revoke one first")
        text = new_token("wa")
        ends = timezone.now() + dt.timedelta(days=days)
        token = ApiToken.objects.create(user=user, token_hash=hash_token(text), scope=scope, name=name, expires_at=ends)
        details = {"token": token.pk, "name": name, "scope": scope, "days": days}
        audit.record_person(action="token.created", user=user, details=details)
    return token, text


def revoke_token(*, user: User, token_id: int) -> None:
    """End one of a person's own tokens. Raises ``ApiToken.DoesNotExist``; revoking twice changes nothing."""
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().get(pk=token_id, user=user)
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            audit.record_person(action="token.revoked", user=user, details={"token": token.pk})
