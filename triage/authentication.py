"""Who is calling: intake tokens to sources, API tokens and sessions to users.

Handed: header values. Hands on: a :class:`SourceIdentity`, a user, or ``None``. Only SHA-256 hashes of
tokens are stored, and tokens are never logged or echoed. Intake look-ups are cached for a few seconds, so
that a busy source costs no query per request; a revoked token works that much longer at most.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone

from triage.models import ApiToken, Source, User

#: When a token was last used is kept to the minute: a busy script costs one write in that time.
NOTE_EVERY = dt.timedelta(minutes=1)
CACHE_SECONDS = 5.0
#: Wrong tokens are remembered too, so that guessing does not reach the database; their number is bounded.
MAX_CACHED = 4096
SCHEMES = frozenset({"splunk", "bearer"})
MAX_TOKEN_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """A source as the intake knows it; ``enabled`` tells a disabled token from an unknown one."""

    id: int
    name: str
    enabled: bool = True
    use_ack: bool = False
    records_per_second: int | None = None
    bytes_per_day: int | None = None


def hash_token(token: str) -> str:
    """Return what is stored of a token: the hexadecimal SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def new_token(prefix: str = "wi") -> str:
    """Return a fresh random token of 256 bits; the prefix says what it is for (``wi`` intake, ``wa`` API)."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


class TokenCache:
    """Recent answers to "whose token is this?", positive and negative, for a few seconds each."""

    def __init__(self, *, seconds: float = CACHE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._entries: OrderedDict[str, tuple[float, SourceIdentity | None]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, token_hash: str) -> tuple[bool, SourceIdentity | None]:
        """Return ``(known, answer)``; not known means: ask the database."""
        with self._lock:
            expires_at, identity = self._entries.get(token_hash, (0.0, None))
        return self._clock() < expires_at, identity

    def put(self, token_hash: str, identity: SourceIdentity | None) -> None:
        """Remember an answer; the oldest one makes room."""
        with self._lock:
            self._entries[token_hash] = (self._clock() + self._seconds, identity)
            self._entries.move_to_end(token_hash)
            while len(self._entries) > MAX_CACHED:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()


cache = TokenCache()


def cached_source(token: str) -> tuple[bool, SourceIdentity | None]:
    """Return ``(known, source)`` from memory alone, for callers that must not wait for a database."""
    return cache.get(hash_token(token))


def source_for(token: str) -> SourceIdentity | None:
    """Return the source of an intake token, disabled ones included, or ``None``."""
    token_hash = hash_token(token)
    known, identity = cache.get(token_hash)
    if known:
        return identity
    row = Source.every.filter(token_hash=token_hash).first()
    identity = None
    if row is not None and hmac.compare_digest(row.token_hash, token_hash):
        identity = SourceIdentity(
            id=row.pk,
            name=row.name,
            enabled=row.enabled,
            use_ack=row.use_ack,
            records_per_second=row.records_per_second,
            bytes_per_day=row.bytes_per_day,
        )
    cache.put(token_hash, identity)
    return identity


def token_in(authorization: str) -> str | None:
    """Return the token of an ``Authorization`` value, or ``None`` when it has none of the known shapes.

    Shapes: ``Splunk T``, ``Bearer T``, ``ApiKey T`` and ``ApiKey`` with the base64 of ``id:T``, and Basic,
    whose password is the token. The scheme's case does not matter.
    """
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if not value or len(value) > MAX_TOKEN_LENGTH:
        return None
    if scheme.lower() == "apikey":
        return _basic_password(value) or value
    if scheme.lower() in SCHEMES:
        return value
    return _basic_password(value) if scheme.lower() == "basic" else None


def _basic_password(value: str) -> str | None:
    try:
        _, separator, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if separator and password else None


def unended(now: dt.datetime | None = None) -> Q:
    """Return the condition of an API token that is neither revoked nor over."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now or timezone.now()))


def api_token_user(token: str) -> tuple[User, str] | None:
    """Return ``(user, scope)`` of an API token that is neither revoked nor over, or ``None``; its use is noted."""
    now, token_hash = timezone.now(), hash_token(token)
    standing = ApiToken.objects.filter(unended(now))
    found = standing.select_related("user").filter(token_hash=token_hash).first()
    if found is None or not hmac.compare_digest(found.token_hash, token_hash) or not found.user.is_active:
        return None
    if found.last_used_at is None or now - found.last_used_at >= NOTE_EVERY:
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found.user, found.scope
