"""The analyst side as a Django app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Analyst side: alerts, explanations, verdicts, audit trail."""

    name = "alerts"
    verbose_name = "Winnow alerts"
