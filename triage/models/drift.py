"""What the champion found, added up, and the alarms that follow."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from triage.models.intake import Source
from triage.models.versions import ModelVersion


class ScoreTally(models.Model):
    """What the champion found in one source's events of one pass, added up; folded into a ``DriftBlock`` and deleted.

    ``p_counts`` counts events by p-value (see :data:`triage.detectors.base.P_EDGES`), ``kinds`` by kind of event,
    ``evidence`` is the sum of every column of evidence.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    received_at = models.DateTimeField(help_text="Receipt of the newest of the events.")
    events = models.PositiveIntegerField()
    flagged = models.PositiveIntegerField()
    p_counts = models.JSONField()
    kinds = models.JSONField()
    evidence = models.JSONField()

    def __str__(self) -> str:
        return f"{self.source_id}: {self.events} events"


class DriftBlock(models.Model):
    """Some hundred neighbouring events of one source, added up; what drift is judged by."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    ended_at = models.DateTimeField()
    events = models.PositiveIntegerField()
    flagged = models.PositiveIntegerField()
    p_counts = models.JSONField()
    kinds = models.JSONField()
    evidence = models.JSONField()
    judged = models.JSONField(default=dict, help_text="p-value and running evidence of each aspect.")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["source", "model_version", "-id"], name="driftblock_by_source")]

    def __str__(self) -> str:
        return f"{self.source_id} until {self.ended_at:%Y-%m-%d %H:%M}: {self.events} events"


class AlarmKind(models.TextChoices):
    FEATURES = "features", "What events look like has changed"
    KINDS = "kinds", "The mix of events has changed"
    SCORES = "scores", "Scores have changed"
    ALERT_RATE = "alert_rate", "The alert rate has changed"
    QUALITY = "quality", "Fewer alerts are right"


class Recommendation(models.TextChoices):
    RELABEL = "relabel", "Look at more verdicts"
    RETRAIN = "retrain", "Retrain"
    ROLL_BACK = "roll_back", "Roll back"
    CHECK_FEED = "check_feed", "Check the feed"


class Alarm(models.Model):
    """Something has changed enough to need a decision. One open alarm per source, model and kind."""

    kind = models.CharField(max_length=16, choices=AlarmKind)
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    recommendation = models.CharField(max_length=16, choices=Recommendation)
    #: Whole sentences for people; the figures behind them are in ``details``.
    text = models.TextField()
    details = models.JSONField(default=dict)
    raised_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, help_text="A user's name, or what made it moot.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "source", "model_version"], condition=Q(closed_at__isnull=True), name="alarm_one_open"
            ),
            models.UniqueConstraint(
                fields=["kind", "model_version"],
                condition=Q(closed_at__isnull=True, source__isnull=True),
                name="alarm_one_open_of_all_sources",
            ),
        ]

    def __str__(self) -> str:
        return self.text
