"""Paths of the event side: the events API, health, metrics."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
