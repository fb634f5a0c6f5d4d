"""The web process as an ASGI application: ``uvicorn triage.asgi:application``.

Handed: connections. Hands on: what :class:`triage.intake.application.Application` makes of them.
"""

import gc
import os
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")


def _application() -> Any:
    """Set Django up first: the intake's modules need its tables."""
    django = get_wsgi_application()
    from triage.celery import app
    from triage.intake.application import Application

    def wake() -> None:
        app.send_task("triage.tasks.process_pending", retry=False, ignore_result=True)

    return Application(django, wake=wake)


def settle() -> None:
    """Load what every page needs, and tell the collector that it stays: its full runs, a tenth of a second in which no
    request is answered, look only at what came later.
    """
    get_resolver().url_patterns  # noqa: B018 - reading it imports every view
    gc.collect()
    gc.freeze()


application = _application()
settle()
