"""The event side as a Django app."""

from django.apps import AppConfig


class TriageConfig(AppConfig):
    """Event side: intake, pipeline, models."""

    name = "triage"
    verbose_name = "Winnow events"

    def ready(self) -> None:
        """Connect Celery and register the system checks."""
        from triage import celery, checks  # noqa: F401 - importing them registers both
