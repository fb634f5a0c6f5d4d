"""The analyst side as a Django app."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Analyst side: alerts, explanations, verdicts, audit trail."""

    name = "alerts"
    verbose_name = "Winnow alerts"

    def ready(self) -> None:
        """Plug people's labels, the audit trail and doctor's questions into the event side, which knows none of it."""
        from alerts.models import audit
        from alerts.selectors import labels
        from alerts.services import courier, endpoints, operations, sealing, versions
        from triage import hooks

        audit.seal_with(sealing.seal_new)
        hooks.provide_labels(labels.event_labels)
        hooks.provide_cleared(labels.cleared_events)
        hooks.tell_champion_changes(versions.note_change)
        hooks.tell_operations(operations.note)
        hooks.provide_findings(endpoints.findings)
        hooks.provide_findings(sealing.findings)
        hooks.provide_findings(courier.findings)
