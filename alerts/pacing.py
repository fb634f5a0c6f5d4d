"""When to tell: quiet hours, how many messages an hour, what is put together, when to try again.

Handed: a channel's wishes and the clock. Hands on: yes or no, a number, a time. Pure functions: the rows they are about
are :mod:`alerts.services.outbox`'s.
"""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

#: Up to so many that wait are told one by one; more become one message.
ALONE = 5
#: What had to wait this long for any reason comes in one message.
HELD = dt.timedelta(minutes=2)
HOUR = dt.timedelta(hours=1)
#: Seconds before the second try; each later one waits four times as long, up to two hours. Eight tries are nine hours.
FIRST_RETRY, RETRY_FACTOR, LAST_RETRY = 30.0, 4.0, 7200.0
MAX_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """What a channel wishes. Quiet hours are minutes after midnight in ``zone``, None = there are none."""

    quiet_from: int | None = None
    quiet_until: int | None = None
    zone: str = "UTC"
    digest_minutes: int = 0
    per_hour: int = 30


def is_quiet(pace: Pace, now: dt.datetime) -> bool:
    """Return whether it is quiet time; an end before the beginning is past midnight, the same twice is all day.

    >>> night = Pace(quiet_from=22 * 60, quiet_until=6 * 60)
    >>> [is_quiet(night, dt.datetime(2026, 3, 1, hour, tzinfo=dt.UTC)) for hour in (21, 22, 5, 6)]
    [False, True, True, False]
    """
    if pace.quiet_from is None or pace.quiet_until is None:
        return False
    local = now.astimezone(ZoneInfo(pace.zone))
    minute = 60 * local.hour + local.minute
    if pace.quiet_from < pace.quiet_until:
        return pace.quiet_from <= minute < pace.quiet_until
    return minute >= pace.quiet_from or minute < pace.quiet_until


def is_held(pace: Pace, oldest: dt.datetime, now: dt.datetime) -> bool:
    """Return whether what waits since ``oldest`` has to wait on: quiet hours, or the digest is not due."""
    return is_quiet(pace, now) or now - oldest < dt.timedelta(minutes=pace.digest_minutes)


def messages(pace: Pace, *, waiting: int, oldest: dt.datetime, sent_last_hour: int, now: dt.datetime) -> int:
    """Return how many messages to make of ``waiting`` notifications: 0 = none now, 1 = all in one, else one each.

    >>> now = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    >>> [messages(Pace(), waiting=n, oldest=now, sent_last_hour=28, now=now) for n in (1, 2, 3)]
    [1, 2, 1]
    """
    room = pace.per_hour - sent_last_hour
    if room <= 0 or waiting <= 0:
        return 0
    together = pace.digest_minutes > 0 or waiting > min(ALONE, room) or now - oldest >= HELD
    return 1 if together else waiting


def retry_after(attempts: int, *, asked: float | None = None) -> dt.timedelta:
    """Return how long to wait after so many tries; a receiver that asks for longer gets it, up to two hours.

    >>> [int(retry_after(n).total_seconds()) for n in (1, 2, 3, 9)], int(retry_after(1, asked=90).total_seconds())
    ([30, 120, 480, 7200], 90)
    """
    wait = min(FIRST_RETRY * RETRY_FACTOR ** (attempts - 1), LAST_RETRY)
    return dt.timedelta(seconds=max(wait, min(asked or 0.0, LAST_RETRY)))
