"""What stands still: said on the pages within a minute, in red, for as long as it lasts.

Handed: the clock. Hands on: sentences, the gravest first; none while all is well. That records come in says nothing
about whether anybody works on them, so this looks at the workers' signs of life, at what waits and since when, at the
broker and at the disk. A database that does not answer cannot be told of here: then there is no page.
"""

import datetime as dt

from django.utils import timezone

from triage import disk, heartbeat, state
from triage.health import span
from triage.models import BatchStatus, RawBatch, WorkerHeartbeat

#: What does not go on while nobody of a role is alive.
ROLES = {
    "pipeline": "No pipeline worker is alive: records are kept and wait.",
    "explain": "No explain worker is alive: alerts come without an explanation.",
    "learn": "No learn worker is alive: sources, drift and models are not looked after.",
}
#: What waits longer than this is not just on its way (seconds).
WAITS_TOO_LONG = 45.0


def standstill(now: dt.datetime | None = None) -> list[str]:
    """Return what stands still: three queries."""
    now = now or timezone.now()
    found = [f"{problem}: senders are told to come back." for problem in (disk.problem(),) if problem]
    if broker := state.broker_problem():
        found.append(f"The broker cannot be used, so that nobody is woken: {broker}.")
    found += _workers(now)
    return found + _waiting(now)


def _workers(now: dt.datetime) -> list[str]:
    """Say which roles have nobody; before the first worker of all there is nothing to miss."""
    alive_after = now - dt.timedelta(seconds=heartbeat.DEAD_SECONDS)
    seen = list(WorkerHeartbeat.objects.values_list("role", "seen_at"))
    alive = {role for role, moment in seen if moment >= alive_after}
    return [words for role, words in ROLES.items() if seen and role not in alive]


def _waiting(now: dt.datetime) -> list[str]:
    """Say since when records wait; each state has an index of its own, so that what is done is never looked at."""
    oldest = [
        RawBatch.objects.filter(status=status).order_by("id").values_list("received_at", flat=True).first()
        for status in (BatchStatus.RECEIVED, BatchStatus.PROCESSING)
    ]
    since = min((moment for moment in oldest if moment), default=now)
    if (seconds := (now - since).total_seconds()) < WAITS_TOO_LONG:
        return []
    return [f"Records wait for {span(seconds)}: the pipeline does not keep up."]
