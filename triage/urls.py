"""Every page and API path. The intake's paths are routed before Django, in ``triage.intake``."""

from django.urls import include, path

urlpatterns = [
    path("", include("triage.views.urls")),
    path("", include("alerts.urls")),
]
handler400 = "triage.views.api.bad_request"
handler404 = "triage.views.api.not_found"
handler500 = "triage.views.api.server_error"
