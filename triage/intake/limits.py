"""What a source may send: records a second and bytes a day.

Handed: a source, before its body is read; later, what the body held. Hands on: nothing, or the refusal. Nobody knows
what is in a body before it is read, so a body is paid for afterwards: a source may go into debt once and is then
refused until the debt is paid at its own rate.

Several web processes share a limit through the database: about once a second each writes down what it took and debits
its own account with what the others did (:mod:`triage.intake.tally`). Together they may go over a limit by what they
take in that second; nothing is lost by a restart but the burst that was already spent.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from triage.authentication import SourceIdentity
from triage.intake import errors
from triage.intake.errors import Refusal

#: What may come at once, in seconds of the source's rate.
BURST_SECONDS = 5.0
#: A sender is never told to stay away for longer, because the limit may be raised meanwhile (seconds).
LONGEST_WAIT = 3600


@dataclass(slots=True)
class Account:
    """One source's account in one process: what may come at once, and what came on a UTC day (days since 1970).

    ``others_*`` are what was written down by other processes, or by this one's predecessor.
    """

    tokens: float
    settled_at: float
    day: int
    own_bytes: int = 0
    others_records: int | None = None
    others_bytes: int = 0


def is_limited(source: SourceIdentity) -> bool:
    """Return whether a source has any limit."""
    return source.records_per_second is not None or source.bytes_per_day is not None


class Limits:
    """The accounts of all limited sources in this process. ``clock`` is monotonic, ``now`` gives UTC seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock, self._now = clock, now
        self._accounts: dict[int, Account] = {}
        self._lock = threading.Lock()

    def knows(self, source: SourceIdentity) -> bool:
        """Return whether what others took of the source's day is known here."""
        account = self._accounts.get(source.id)
        return account is not None and account.day == self.today() and account.others_records is not None

    def today(self) -> int:
        """Return the UTC day, in days since 1970."""
        return int(self._now()) // 86_400

    def sources(self) -> list[int]:
        """Return the sources that have an account here."""
        with self._lock:
            return list(self._accounts)

    def hear(self, source_id: int, day: int, records: int, size: int) -> None:
        """Hear what the others took on a day; what is new since the last time is debited here too."""
        with self._lock:
            account = self._of_today(source_id)
            if account.day != day:
                return
            if account.others_records is not None:
                account.tokens -= max(0, records - account.others_records)
            account.others_records, account.others_bytes = records, size

    def check(self, source: SourceIdentity) -> None:
        """Raise the refusal of a source that is over its limit; call it before the body is read."""
        if not is_limited(source):
            return
        with self._lock:
            account = self._of_today(source.id)
            wait = max(
                self._rate_wait(account, source.records_per_second), self._day_wait(account, source.bytes_per_day)
            )
        if wait:
            raise Refusal(errors.RATE, retry_after=min(LONGEST_WAIT, wait))

    def settle(self, source: SourceIdentity, records: int, size: int) -> None:
        """Pay for a body that was counted (negative: it was not taken after all)."""
        if not is_limited(source):
            return
        with self._lock:
            account = self._of_today(source.id)
            self._rate_wait(account, source.records_per_second)
            account.tokens -= records
            account.own_bytes = max(0, account.own_bytes + size)

    def _of_today(self, source_id: int) -> Account:
        account, today = self._accounts.get(source_id), self.today()
        if account is None:
            account = self._accounts[source_id] = Account(math.inf, self._clock(), today)
        elif account.day != today:
            account.day, account.own_bytes, account.others_records, account.others_bytes = today, 0, None, 0
        return account

    def _rate_wait(self, account: Account, rate: int | None) -> int:
        """Fill the account up to now; return the seconds until the debt is paid, 0 when there is none."""
        if rate is None:
            return 0
        now = self._clock()
        account.tokens = min(max(1.0, rate * BURST_SECONDS), account.tokens + (now - account.settled_at) * rate)
        account.settled_at = now
        if account.tokens > 0:
            return 0
        return max(1, math.ceil(-account.tokens / rate)) if rate else LONGEST_WAIT

    def _day_wait(self, account: Account, limit: int | None) -> int:
        if limit is None or account.own_bytes + account.others_bytes < limit:
            return 0
        return max(1, math.ceil(86_400 - self._now() % 86_400))
