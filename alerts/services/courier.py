"""The courier: looks at what is to be told and sends it, beside a worker's own work.

Handed: nothing; the outbox is the queue. Hands on: messages. It runs in a thread of its own in every explain and learn
worker, like the heartbeat, because a receiver that does not answer must hold nothing up, and a language model that does
not answer must not hold a notification up. Any number of couriers may run at once.
"""

import datetime as dt
import logging
import threading
from typing import Any

from django.db import DatabaseError, connection
from django.utils import timezone

from alerts.models import Channel
from alerts.services import notifying, outbox

logger = logging.getLogger(__name__)

#: Seconds between two looks at the outbox, at what is wrong, and at what is old.
LOOK_SECONDS, WATCH_SECONDS, FORGET_SECONDS = 2.0, 30.0, 3600.0
#: Workers that have a courier: none that events wait for.
ROLES = frozenset({"explain", "learn"})


class Courier:
    """One pass after the other; each step when it is due."""

    def __init__(self) -> None:
        never = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._watched_at = self._forgot_at = never

    def step(self, now: dt.datetime | None = None) -> int:
        """Do what is due and return how many messages were sent. One small query where no channel exists."""
        now = now or timezone.now()
        if not Channel.objects.filter(ended_at__isnull=True).exists():
            return 0
        if (now - self._watched_at).total_seconds() >= WATCH_SECONDS:
            self._watched_at = now
            notifying.watch(now)
        if (now - self._forgot_at).total_seconds() >= FORGET_SECONDS:
            self._forgot_at = now
            outbox.forget(now)
        return outbox.run()


def run_forever(stop: threading.Event, *, every: float = LOOK_SECONDS) -> None:
    """Step until the event is set; what fails is logged and tried again."""
    courier = Courier()
    while not stop.wait(every):
        try:
            courier.step()
        except DatabaseError as error:
            logger.warning("nothing is sent while the database does not answer: %s", error)
            connection.close()
        except Exception:  # a fault in one message must not end them all
            logger.exception("the courier failed and goes on")


def start(role: str) -> threading.Event | None:
    """Start a courier in the background of a worker of a role, until the event is set; None where it has none."""
    if role not in ROLES:
        return None
    stop = threading.Event()
    threading.Thread(target=run_forever, args=(stop,), name="courier", daemon=True).start()
    return stop


def findings() -> list[Any]:
    """Return what doctor says about each channel: whether its messages get through."""
    from alerts.selectors.channels import channel_rows
    from triage.hooks import Finding

    return [
        Finding(
            f"channel {row.channel.name}",
            not row.dead and not row.failing,
            row.state_words,
            "See Settings, Notifications: what the receiver said, a test, and sending again.",
            warning=row.paused,
        )
        for row in channel_rows()
    ]
