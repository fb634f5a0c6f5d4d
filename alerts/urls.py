"""Paths of the analyst side: pages and the alerts API."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, path

from alerts.views import alarms, alert, api, budget, models, pages, queue, sources

urlpatterns: list[URLPattern] = [
    path("", queue.queue_page, name="queue"),
    path("queue/rows/", queue.queue_rows, name="queue_rows"),
    path("queue/pulse/", queue.queue_pulse, name="queue_pulse"),
    path("alerts/<int:alert_id>/", alert.alert_detail, name="alert"),
    path("alerts/<int:alert_id>/panel/", alert.alert_panel, name="alert_panel"),
    path("alerts/<int:alert_id>/verdict/", alert.alert_verdict, name="alert_verdict"),
    path("alerts/<int:alert_id>/assign/", alert.alert_assign, name="alert_assign"),
    path("alerts/<int:alert_id>/reopen/", alert.alert_reopen, name="alert_reopen"),
    path("alerts/<int:alert_id>/note/", alert.alert_note, name="alert_note"),
    path("alerts/<int:alert_id>/explain/", alert.alert_explain, name="alert_explain"),
    path("alerts/<int:alert_id>/waiting/", alert.alert_waiting, name="alert_waiting"),
    path("events/<int:event_id>/raw/", alert.event_raw, name="event_raw"),
    path("sources/", sources.source_list, name="sources"),
    path("sources/new/", sources.source_create, name="source_create"),
    path("sources/<int:source_id>/", sources.source_detail, name="source"),
    path("sources/<int:source_id>/change/", sources.source_change, name="source_change"),
    path("sources/<int:source_id>/received/", sources.source_received, name="source_received"),
    path("batches/<int:batch_id>/replay/", sources.batch_replay, name="batch_replay"),
    path("models/", pages.model_list, name="models"),
    path("models/<int:version_id>/promote/", models.model_promote, name="model_promote"),
    path("models/rollback/", models.model_rollback, name="model_rollback"),
    path("models/budget/", budget.budget_forecast, name="budget_forecast"),
    path("models/budget/apply/", budget.budget_apply, name="budget_apply"),
    path("alarms/<int:alarm_id>/close/", alarms.alarm_close, name="alarm_close"),
    path("help/", pages.help_page, name="help"),
    path("login/", pages.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("api/v1/alerts", api.alert_list, name="api_alerts"),
    path("api/v1/alerts/bulk", api.alert_bulk, name="api_alert_bulk"),
    path("api/v1/alerts/<int:alert_id>", api.alert_detail, name="api_alert"),
    path("api/v1/alerts/<int:alert_id>/verdict", api.alert_verdict, name="api_alert_verdict"),
]
