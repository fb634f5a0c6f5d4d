"""Celery's door to grouping, explaining and ranking: thin, and free of heavy imports.

Handed: a wake-up that may be lost, late or doubled. Hands on: a call to a service that finds its own work
in the database and may run twice.
"""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from alerts.services import courier, explaining, grouping, quality, ranking, rehearsing, sealing
from triage import heartbeat, state


@worker_ready.connect
def start_courier(**_: Any) -> None:
    """An explain or learn worker that is ready also sends notifications, in a thread that ends with it."""
    courier.start(heartbeat.role_from_environment())


@shared_task(name="alerts.tasks.group_flagged")
def group_flagged() -> int:
    """Put every flagged, ungrouped event into an alert; return how many there were."""
    state.answer(grouping.GROUP_BELL)
    total = 0
    while taken := grouping.group_flagged():
        total += taken
    rehearsing.group()
    return total


@shared_task(name="alerts.tasks.explain_pending")
def explain_pending() -> int:
    """Explain some of what waits, and ask for another turn when there may be more; return how many were handled."""
    state.answer(grouping.EXPLAIN_BELL)
    rehearsing.explain()
    handled = explaining.explain_pending()
    if handled == explaining.BATCH:
        grouping.wake_explaining()
    return handled


@shared_task(name="alerts.tasks.explain_alert")
def explain_alert(alert_id: int) -> bool:
    """Explain one alert when it is waiting; return whether this call did it."""
    return explaining.explain_alert(alert_id=alert_id)


@shared_task(name="alerts.tasks.rank")
def rank() -> int:
    """Learn from verdicts when enough are new, and put the open alerts into order; return how many moved."""
    return ranking.keep_up()


@shared_task(name="alerts.tasks.seal_audit")
def seal_audit() -> int:
    """Seal audit entries that a process left behind when it died; return how many."""
    return sealing.seal(everything=True)


@shared_task(name="alerts.tasks.watch_quality")
def watch_quality() -> bool:
    """Look at the newest verdicts; return whether they raised an alarm."""
    return quality.watch() is not None


@shared_task(name="alerts.tasks.draw_audits")
def draw_audits() -> int:
    """Open the day's blind audits; return how many."""
    from alerts.services import audits

    return audits.draw()


@shared_task(name="alerts.tasks.keep_budget")
def keep_budget() -> bool:
    """Bring the threshold up to date with the standing wishes; return whether it was set anew."""
    from alerts.services import budget

    return budget.keep_up() is not None


@shared_task(name="alerts.tasks.look_at_models")
def look_at_models() -> int:
    """Book what dead workers had reserved; look at the language models when it is time and return how many answered."""
    from alerts.services import endpoints, spending

    spending.sweep()
    return endpoints.look_if_due()
