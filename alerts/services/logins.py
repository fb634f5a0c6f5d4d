"""Logging in: how often somebody may try, what a browser is remembered by, and which sessions a person has.

Handed: a name, an address, a browser's mark. Hands on: whether to go on, and sessions. A stranger who keeps failing
closes a name for unknown browsers alone, and for a quarter of an hour at a time: a browser that logged in under this
name before carries a signed mark, and its attempts are counted apart.
"""

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass

from django.core import signing
from django.db import transaction

from alerts.models import DecidedBy
from alerts.services import audit
from triage import attempts
from triage.models import Session, User
from triage.sessions import row_key

logger = logging.getLogger(__name__)

#: Attempts in a quarter of an hour: for a name from unknown browsers, for a known browser, from one address, and at the
#: second factor. Five codes of a million, of which three are right: one in 700 for whoever tries all day.
PER_NAME, PER_DEVICE, PER_ADDRESS, PER_CODE = 10, 10, 60, 5
DEVICE_SALT, DEVICE_SECONDS = "winnow.device", 365 * 24 * 3600


class HeldError(Exception):
    """Too many attempts; nothing was looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts; try again in {_minutes(seconds)}")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """One counted attempt: the buckets it is in."""

    buckets: tuple[str, ...]

    def was_right(self) -> None:
        """Take the attempt back, so that who knows their password is never held for it."""
        attempts.take_back(self.buckets)


def attempt_password(*, name: str, address: str, device: str) -> Attempt:
    """Count an attempt at a name. ``device`` is the browser's mark. Raises :class:`HeldError`."""
    own = attempts.bucket("name", _plain(name)), PER_NAME
    if known := _device_of(device, name):
        own = attempts.bucket("device", known), PER_DEVICE
    return _count({own[0]: own[1], attempts.bucket("address", attempts.place_of(address)): PER_ADDRESS}, address)


def attempt_code(*, user: User, address: str) -> Attempt:
    """Count an attempt at a person's second factor. Raises :class:`HeldError`."""
    return _count({attempts.bucket("code", str(user.pk)): PER_CODE}, address)


def _count(limits: dict[str, int], address: str) -> Attempt:
    seconds, just_closed = attempts.count(limits)
    if just_closed:  # once per bucket and quarter of an hour, so that a flood does not fill the audit trail
        details = {"address": address, "seconds": seconds}
        audit.record(action="login.held", actor="login", kind=DecidedBy.AUTOMATION, details=details)
        logger.warning("too many attempts to log in from %s", address)
    if seconds:
        raise HeldError(seconds)
    return Attempt(tuple(limits))


def new_device(name: str) -> str:
    """Return a mark for a browser that has logged in under a name."""
    return signing.dumps([_name_hash(name), secrets.token_urlsafe(12)], salt=DEVICE_SALT)


def _device_of(mark: str, name: str) -> str:
    """Return which browser a mark stands for, empty when it is none that has logged in under this name."""
    try:
        hashed, device = signing.loads(mark, salt=DEVICE_SALT, max_age=DEVICE_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(device) if hmac.compare_digest(str(hashed), _name_hash(name)) else ""


def _plain(name: str) -> str:
    return name.strip().casefold()[:150]


def _name_hash(name: str) -> str:
    return hashlib.sha256(_plain(name).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _minutes(seconds: int) -> str:
    return "a minute" if seconds <= 60 else f"{-(-seconds // 60)} minutes"


def logged_in(*, user: User, how: str, address: str) -> None:
    """Note that a person logged in. ``how`` is ``password``, ``password and code`` or ``single sign-on``."""
    audit.record_person(action="user.logged_in", user=user, details={"how": how, "address": address})


def end_session(*, user: User, key: str) -> None:
    """End one of a person's own sessions, named by its row. Raises ``Session.DoesNotExist``."""
    with transaction.atomic():
        session = Session.objects.select_for_update().get(pk=key, user=user)
        details = {"agent": session.agent, "address": session.address}
        session.delete()
        audit.record_person(action="session.ended", user=user, details=details)


def end_others(*, user: User, keep: str) -> int:
    """End all sessions of a person but the one whose key is ``keep``; return how many."""
    with transaction.atomic():
        ended, _ = Session.objects.filter(user=user).exclude(pk=row_key(keep)).delete()
        if ended:
            audit.record_person(action="session.ended", user=user, details={"others": ended})
    return ended
