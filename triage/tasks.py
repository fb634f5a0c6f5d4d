"""The event side's Celery tasks: thin interfaces to the pipeline, backfill and training.

Messages carry no work; every task looks at the database for what is to be done, may run twice, and may
die anywhere. Importing this module loads neither scikit-learn nor an LLM client.
"""

import datetime as dt
import logging
import os
import socket
import time

from celery import current_app, shared_task
from django.conf import settings
from django.utils import timezone

from triage import attempts, canary, forgetting, partitions, sessions, state, store, watch

logger = logging.getLogger(__name__)

#: A task gives the worker back after this long, so that a stop is quick and no queue starves (seconds).
TASK_SECONDS = 3.0
#: A pass costs about as much for 50 records as for 500: where fewer than so many records waited, the next pass is begun
#: only so much later (seconds), and finds more.
SMALL_PASS, GATHER_SECONDS = 1_000, 0.2
GROUP = "alerts.tasks.group_flagged"
EXPLAIN = "alerts.tasks.explain_pending"


def worker_name() -> str:
    """Return the name under which this process holds leases: its slot, the same after a restart."""
    return os.environ.get("WINNOW_WORKER", f"{socket.gethostname()}:{os.getpid()}")


def send(bell: str, task: str) -> None:
    """Wake a queue up, unless somebody already did; a lost message is found by the sweep."""
    if not state.ring(bell):
        return
    try:
        current_app.send_task(task)
    except OSError:
        logger.exception("the broker did not take %s; the sweep will find the work", task)


def run_here(task: str) -> None:
    """Run a task of any app in this process, for commands that must not depend on running workers."""
    current_app.loader.import_default_modules()
    current_app.tasks[task].apply(throw=True)


@shared_task
def process_pending() -> int:
    """Drain waiting batches for up to :data:`TASK_SECONDS`; return records processed."""
    from triage import pipeline

    state.answer("pipeline")
    deadline, total = time.monotonic() + TASK_SECONDS, 0
    while (count := pipeline.process_pass(worker_name())) and time.monotonic() < deadline:
        total += count
        _wake_followers()
        if count < SMALL_PASS:
            time.sleep(GATHER_SECONDS)
    if count:
        total += count
        _wake_followers()
        send("pipeline", process_pending.name)
    return total


def _wake_followers() -> None:
    if store.ungrouped_exist():
        send("group", GROUP)


@shared_task
def score_unscored() -> int:
    """Score events that were stored before there was a champion; return records scored."""
    from triage import backfill

    deadline, total = time.monotonic() + TASK_SECONDS, 0
    while (count := backfill.score_some()) and time.monotonic() < deadline:
        total += count
    if total or count:
        _wake_followers()
    if count:
        current_app.send_task(score_unscored.name)
    return total + count


@shared_task
def learn(reason: str = "asked for") -> str:
    """Train a candidate and let the gate decide; return its version, or why there is none."""
    from triage import judging, training

    if reason == "first model" and not training.first_model_is_due():
        return "a champion is serving already"
    if reason == "daily" and judging.is_running(timezone.now()):
        return "a candidate is in shadow and has time left; it is not displaced"
    try:
        model = training.learn(reason)
    except training.NotEnoughHistoryError as error:
        return f"not enough history: {error}"
    current_app.send_task(score_unscored.name)
    return model.version


@shared_task
def judge_shadow() -> str:
    """Let the gate look at the candidate in shadow; return what it says."""
    from triage import judging

    decision = judging.judge_shadow(timezone.now())
    return "nothing to judge yet" if decision is None else f"{decision.verdict}: {decision.reason}"


@shared_task
def watch_drift() -> int:
    """Judge what came in by what came in before; return the number of blocks judged."""
    from triage import drifting

    return drifting.run(timezone.now())


@shared_task
def sweep() -> None:
    """Find work whose wake-up was lost, and learning or judging that has become due."""
    from triage import drifting, judging, training

    now = timezone.now()
    today = now.date()
    partitions.ensure([str(today + dt.timedelta(days=days)) for days in range(3)])
    forgetting.drop_idle_channels(now)
    if watch.is_due(now):
        watch.watch(now)
    if store.backlog_records():
        send("pipeline", process_pending.name)
    _wake_followers()
    if store.unscored_exist():
        send("unscored", score_unscored.name)
    if training.first_model_is_due() and state.ring("learn"):
        current_app.send_task(learn.name, kwargs={"reason": "first model"})
    if judging.is_due(now) and state.ring("judge"):
        current_app.send_task(judge_shadow.name)
    if drifting.is_due(now) and state.ring("drift"):
        current_app.send_task(watch_drift.name)
    if canary.tick(now):
        send("group", GROUP)
    current_app.send_task(EXPLAIN)


@shared_task
def expire() -> int:
    """Let go of what the retention period no longer covers; return how many batches went."""
    from triage import drifting

    forgetting.drop_record_keys(timezone.now())
    canary.forget(timezone.now())
    attempts.forget()
    sessions.forget()
    drifting.expire(timezone.now())
    return store.expire(timezone.now() - dt.timedelta(days=settings.RETENTION_DAYS))
