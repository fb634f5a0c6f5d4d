"""The Celery application: queues, beat schedule. Messages carry ids only and may be lost."""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_ready, worker_shutdown

from triage import spool  # noqa: F401 - names the transport of CELERY_BROKER_URL

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")

app = Celery("winnow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue="pipeline",
    task_routes={
        "triage.tasks.process_pending": {"queue": "pipeline"},
        "triage.tasks.score_unscored": {"queue": "pipeline"},
        "triage.tasks.learn": {"queue": "learn"},
        "triage.tasks.judge_shadow": {"queue": "learn"},
        "triage.tasks.watch_drift": {"queue": "learn"},
        "triage.tasks.sweep": {"queue": "pipeline"},
        "triage.tasks.expire": {"queue": "learn"},
        "alerts.tasks.group_flagged": {"queue": "pipeline"},
        "alerts.tasks.watch_quality": {"queue": "learn"},
        "alerts.tasks.draw_audits": {"queue": "learn"},
        "alerts.tasks.keep_budget": {"queue": "learn"},
        "alerts.tasks.look_at_models": {"queue": "learn"},
        "alerts.tasks.explain_pending": {"queue": "explain"},
        "alerts.tasks.explain_alert": {"queue": "explain"},
        "alerts.tasks.rank": {"queue": "learn"},
        "alerts.tasks.seal_audit": {"queue": "learn"},
    },
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    timezone="UTC",
    beat_schedule={
        "sweep": {"task": "triage.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
        "retrain": {
            "task": "triage.tasks.learn",
            "schedule": crontab(hour="3", minute="17"),
            "kwargs": {"reason": "daily"},
        },
        "rank": {"task": "alerts.tasks.rank", "schedule": 300.0, "options": {"expires": 300}},
        "quality": {"task": "alerts.tasks.watch_quality", "schedule": crontab(minute="23")},
        "audits": {"task": "alerts.tasks.draw_audits", "schedule": crontab(minute="7")},
        "budget": {"task": "alerts.tasks.keep_budget", "schedule": crontab(minute="52")},
        "seals": {"task": "alerts.tasks.seal_audit", "schedule": crontab(minute="13")},
        "language models": {"task": "alerts.tasks.look_at_models", "schedule": 60.0, "options": {"expires": 60}},
        "expire": {"task": "triage.tasks.expire", "schedule": crontab(minute="41")},
    },
)
app.autodiscover_tasks(["triage", "alerts"])


@worker_ready.connect
def start_heartbeat(**_: Any) -> None:
    """A worker that is ready frees what its dead predecessor held and starts to beat."""
    from triage import heartbeat
    from triage.tasks import worker_name

    heartbeat.start(worker_name(), heartbeat.role_from_environment())


@worker_shutdown.connect
def end_heartbeat(**_: Any) -> None:
    """A worker that stops in good order is taken off the list."""
    from triage import heartbeat
    from triage.tasks import worker_name

    heartbeat.stop_and_forget(worker_name())
