"""A person's second factor: a key on their device, and recovery codes for the day it is lost.

Handed: a person and what they typed. Hands on: a key to scan, recovery codes shown once, and whether a code is right.
The key is kept sealed, recovery codes as hashes; each code counts once. Every change has its audit entry.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from alerts.selectors.accounts import is_factor_required
from alerts.services import audit
from alerts.services.accounts import AccountError
from triage import secretbox, totp
from triage.models import SecondFactor, User

WRONG = "that code is wrong or was used before; type the one your device shows now"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a person needs to add Winnow to their device: the key in letters, and as a picture."""

    key: str
    picture: totp.Picture


def is_on(user: User) -> bool:
    """Whether a person logs in with a second factor."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def begin(*, user: User) -> Enrolment:
    """Return the key to enrol, the same until it is confirmed. Raises :class:`AccountError` when there is one."""
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(user=user).first()
        if row is not None and row.confirmed_at:
            raise AccountError("you have a second factor already; remove it first")
        if row is None:
            sealed = secretbox.seal(totp.new_key(), key=settings.SECRET_KEY, purpose=_purpose(user))
            row, _ = SecondFactor.objects.get_or_create(user=user, defaults={"sealed": sealed})
    key = _key(row)
    return Enrolment(key=key, picture=totp.picture(totp.address(key, person=user.get_username())))


def confirm(*, user: User, code: str) -> list[str]:
    """Switch the second factor on and return recovery codes, shown once. Raises :class:`AccountError`."""
    codes = totp.new_recovery_codes()
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at=None).first()
        step = totp.matching_step(_key(row), code, now=timezone.now().timestamp()) if row else None
        if row is None or step is None:
            raise AccountError(WRONG)
        row.confirmed_at, row.last_step = timezone.now(), step
        row.recovery_hashes = [totp.recovery_hash(one) for one in codes]
        row.save()
        audit.record_person(action="user.second_factor_on", user=user)
    return codes


def accept(*, user: User, code: str) -> bool:
    """Whether a code of the device, or a recovery code, is right; it is used up then."""
    with transaction.atomic():
        row = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at__isnull=False).first()
        if row is None:
            return False
        step = totp.matching_step(_key(row), code, now=timezone.now().timestamp(), after=row.last_step)
        if step is not None:
            row.last_step = step
            row.save(update_fields=["last_step"])
            return True
        return _use_recovery(row, totp.recovery_hash(code))


def _use_recovery(row: SecondFactor, hashed: str) -> bool:
    if hashed not in row.recovery_hashes:
        return False
    row.recovery_hashes = [one for one in row.recovery_hashes if one != hashed]
    row.save(update_fields=["recovery_hashes"])
    details = {"left": len(row.recovery_hashes)}
    audit.record_person(action="user.recovery_code_used", user=row.user, details=details)
    return True


def remove(*, user: User, code: str) -> None:
    """Switch one's own second factor off. Raises :class:`AccountError`."""
    if is_factor_required(user):
        raise AccountError("your role needs a second factor here")
    with transaction.atomic():
        if not accept(user=user, code=code):
            raise AccountError(WRONG)
        SecondFactor.objects.filter(user=user).delete()
        audit.record_person(action="user.second_factor_off", user=user)


def reset(*, by: User, user_id: int) -> User:
    """Switch somebody's second factor off who lost device and codes. Raises ``User.DoesNotExist``, ``AccountError``."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        if not SecondFactor.objects.filter(user=user).delete()[0]:
            raise AccountError(f"{user.username} has no second factor")
        user.sessions.all().delete()
        audit.record_person(action="user.second_factor_reset", user=by, details={"user": user.username})
    return user


def _purpose(user: User) -> str:
    return f"second factor of {user.pk}"


def _key(row: SecondFactor) -> str:
    """Return a person's key. Raises :class:`AccountError` when SECRET_KEY is another one than it was."""
    try:
        return secretbox.unseal(row.sealed, key=settings.SECRET_KEY, purpose=f"second factor of {row.user_id}")
    except secretbox.SealBrokenError as error:
        raise AccountError(
            "this second factor was made under another SECRET_KEY; an administrator resets it"
        ) from error
