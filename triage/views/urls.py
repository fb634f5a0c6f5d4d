"""Paths of the event side: the events API, health, metrics."""

from django.urls import URLPattern, path

from triage.views.counts import metrics, stats
from triage.views.events import events
from triage.views.health import healthz, readyz
from triage.views.openapi import openapi

urlpatterns: list[URLPattern] = [
    path("api/v1/events", events, name="api-events"),
    path("api/v1/stats", stats, name="api-stats"),
    path("api/v1/openapi.json", openapi, name="api-openapi"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
