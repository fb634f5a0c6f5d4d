"""Every page and API path. The intake's paths are routed before Django, in ``triage.intake``."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("triage.views.urls")),
    path("", include("alerts.urls")),
    path("admin/", admin.site.urls),
]
