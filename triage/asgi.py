"""The web process as an ASGI application: ``uvicorn triage.asgi:application``.

Handed: connections. Hands on: what :class:`triage.intake.application.Application` makes of them.
"""

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")


def _application() -> Any:
    """Set Django up first: the intake's modules need its tables."""
    django = get_wsgi_application()
    from triage.celery import app
    from triage.intake.application import Application

    def wake() -> None:
        app.send_task("triage.tasks.process_pending", retry=False, ignore_result=True)

    return Application(django, wake=wake)


application = _application()
