"""Say regularly that a worker process is alive.

Handed: the worker's name and role. Hands on: a row that readiness, doctor and the pages read. Runs in a
thread of its own, so that a long task does not look like a dead worker.
"""

import logging
import os
import threading

from django.db import DatabaseError, connection
from django.utils import timezone

from triage import store
from triage.models import WorkerHeartbeat

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0
#: A worker that has not been heard of for this long counts as dead.
DEAD_SECONDS = 30.0


def beat(name: str, role: str) -> None:
    """Write one sign of life."""
    WorkerHeartbeat.objects.update_or_create(name=name, defaults={"role": role, "seen_at": timezone.now()})


def _beat_forever(name: str, role: str, stop: threading.Event) -> None:
    while not stop.wait(INTERVAL_SECONDS):
        try:
            beat(name, role)
        except DatabaseError as error:
            logger.warning("no heartbeat from %s: %s", name, error)
            connection.close()


def start(name: str, role: str) -> threading.Event:
    """Free what a dead predecessor of this slot held, then beat in the background until the event is set."""
    freed = store.release(name)
    if freed:
        logger.warning("%s gives back %d batches of its predecessor", name, freed)
    beat(name, role)
    stop = threading.Event()
    threading.Thread(target=_beat_forever, args=(name, role, stop), name="heartbeat", daemon=True).start()
    return stop


def role_from_environment() -> str:
    """Return what this worker was started as (pipeline, explain, learn)."""
    return os.environ.get("WINNOW_ROLE", "worker")


def stop_and_forget(name: str) -> None:
    """A worker that stops in good order is not missed."""
    WorkerHeartbeat.objects.filter(name=name).delete()
