"""Paths of the analyst side: pages and the alerts API."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
