"""Sessions of people, with two ends: nothing done for a while, and an absolute one.

Handed: what the session's cookie holds. Hands on: Django's sessions (``SESSION_ENGINE``), kept in
:class:`triage.models.Session`. The table knows a hash of the cookie, whose session it is, when it began, was last used,
and from where, so that a person can look at their sessions and end them. Pages are WSGI, so only the synchronous half
is here.
"""

import datetime as dt
import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from triage.models import Session

#: What a login leaves in the session for its row.
STARTED, AGENT, ADDRESS = "started_at", "agent", "address"
#: Use is noted this often, so that reading costs no write.
NOTE_EVERY = dt.timedelta(minutes=1)


def row_key(session_key: str) -> str:
    """Return what is stored of a session's key: 160 bits of its SHA-256."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class SessionStore(DatabaseStore):
    """Django's database sessions with a hashed key and two ends."""

    #: When the stored session was last used; None before it is loaded, or where there is none.
    seen_at: dt.datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        """Return the table."""
        return Session

    def _get_session_from_db(self) -> Session | None:
        now = timezone.now()
        idle = now - dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES)
        standing = Session.objects.filter(expire_date__gt=now, seen_at__gt=idle)
        found = standing.filter(session_key=row_key(self.session_key or "")).first()
        if found is None:
            self._session_key = None
            return None
        self.seen_at = found.seen_at
        return found

    def exists(self, session_key: str) -> bool:
        """Whether a session has this key."""
        return Session.objects.filter(session_key=row_key(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        """End a session."""
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(session_key=row_key(key)).delete()

    def create_model_instance(self, data: Any) -> Session:
        """Return the row of this session; its absolute end counts from its beginning, however often it is saved."""
        now = timezone.now()
        started = dt.datetime.fromtimestamp(data.setdefault(STARTED, now.timestamp()), dt.UTC)
        return Session(
            session_key=row_key(self._own_key()),
            session_data=self.encode(data),
            expire_date=started + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE),
            user_id=data.get(SESSION_KEY),
            started_at=started,
            seen_at=now,
            agent=str(data.get(AGENT, ""))[:200],
            address=str(data.get(ADDRESS, ""))[:45],
        )

    def _own_key(self) -> str:
        """Return the key of the cookie, a new one where there is none."""
        if self._session_key is None:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]  # missing in the stubs
        return str(self._session_key)

    def note_use(self) -> None:
        """Move the idle end, once a minute at most."""
        now = timezone.now()
        if self.seen_at is not None and self.session_key and now - self.seen_at >= NOTE_EVERY:
            Session.objects.filter(session_key=row_key(self.session_key)).update(seen_at=now)
            self.seen_at = now


def forget(now: dt.datetime | None = None) -> int:
    """Delete sessions that have ended by themselves and return how many."""
    now = now or timezone.now()
    idle = now - dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    ended, _ = Session.objects.filter(expire_date__lte=now).delete()
    unused, _ = Session.objects.filter(seen_at__lte=idle).delete()
    return ended + unused
