"""People of the single sign-on provider become people of Winnow.

Handed: a checked identity. Hands on: the person, with the role of their groups. A person is known by the provider's
subject, never by a name: somebody who gives themselves a colleague's name there does not become that colleague here.
The role follows the groups at every login, but the last administrator stays one.
"""

from django.conf import settings
from django.db import IntegrityError, transaction

from alerts.permissions import RANK
from alerts.services import accounts, audit
from alerts.services.accounts import MAX_NAME, AccountError
from alerts.text import visible
from triage.models import SsoIdentity, User
from triage.oidc import Identity, SignOnError

AUTOMATION = "single sign-on"


def role_of(groups: tuple[str, ...]) -> str:
    """Return the highest role of somebody's groups, else the default one; empty = they do not get in."""
    found = [settings.OIDC_ROLES[group] for group in groups if group in settings.OIDC_ROLES]
    if found:
        return max(found, key=lambda role: RANK[role])
    return "" if settings.OIDC_DEFAULT_ROLE == "none" else str(settings.OIDC_DEFAULT_ROLE)


def person_of(identity: Identity) -> User:
    """Return the person, made at their first login. Raises :class:`SignOnError`."""
    role = role_of(identity.groups)
    known = SsoIdentity.objects.filter(issuer=identity.issuer, subject=identity.subject).select_related("user").first()
    if known is not None and not known.user.is_active:
        raise SignOnError("you may not log in; an administrator of Winnow can let you in again")
    if not role:
        if known is not None:
            known.user.sessions.all().delete()
        raise SignOnError("you are in no group that may use Winnow")
    return _create(identity, role) if known is None else _follow(known.user, role)


def _create(identity: Identity, role: str) -> User:
    name = identity.name.strip()
    if not name or len(name) > MAX_NAME or visible(name) != name:
        raise SignOnError("the name the provider gives you cannot be used here")
    try:
        with transaction.atomic():
            user = User(username=name, role=role)
            user.set_unusable_password()
            user.save()
            SsoIdentity.objects.create(user=user, issuer=identity.issuer, subject=identity.subject)
            details = {"user": name, "role": role, "issuer": identity.issuer}
            audit.record_automation(action="user.created", automation=AUTOMATION, details=details)
    except IntegrityError as error:
        known = f"somebody is called “{name}” here already"
        raise SignOnError(f"{known}; if it is you, log in with your password and connect it in Settings") from error
    return user


def _follow(user: User, role: str) -> User:
    """Give a person the role of their groups."""
    if user.role == role or user.is_superuser:
        return user
    try:
        return accounts.give_role(user_id=user.pk, role=role, automation=AUTOMATION)
    except AccountError:
        details = {"user": user.username, "role": role, "kept": user.role, "why": "the last administrator"}
        audit.record_automation(action="user.role_kept", automation=AUTOMATION, details=details)
        return user


def connect(*, user: User, identity: Identity) -> None:
    """Let a logged-in person log in by the provider from now on. Raises :class:`SignOnError`."""
    try:
        with transaction.atomic():
            SsoIdentity.objects.create(user=user, issuer=identity.issuer, subject=identity.subject)
            details = {"issuer": identity.issuer}
            audit.record_person(action="user.sso_connected", user=user, details=details)
    except IntegrityError as error:
        raise SignOnError("you, or somebody else here, is connected already") from error


def disconnect(*, user: User) -> None:
    """Take a person's connection back. Raises :class:`AccountError` for whom there is no other way in."""
    if not user.has_usable_password():
        raise AccountError("you have no password; without the connection you could not log in")
    with transaction.atomic():
        if SsoIdentity.objects.filter(user=user).delete()[0]:
            audit.record_person(action="user.sso_disconnected", user=user)
