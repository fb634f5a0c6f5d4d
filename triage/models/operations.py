"""Winnow's own health: what became of each canary."""

from typing import ClassVar

from django.db import models


class CanaryRun(models.Model):
    """One synthetic record on its way through every stage (see :mod:`triage.canary`); nothing else is kept of it.

    ``slot`` numbers the spans of time, so that each has one canary, whoever sends it. ``row`` is the event's row as the
    pipeline made it, for the stages behind it.
    """

    slot = models.BigIntegerField(unique=True)
    started_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    via = models.CharField(max_length=8, blank=True, help_text="http, or the database where no address is known.")
    received_at = models.DateTimeField(null=True)
    stored_at = models.DateTimeField(null=True)
    grouped_at = models.DateTimeField(null=True)
    explained_at = models.DateTimeField(null=True)
    row = models.JSONField(null=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-slot"]

    def __str__(self) -> str:
        return f"canary {self.slot}"
