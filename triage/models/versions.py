"""Trained models: the ledger, what the learn queue is doing, what people wish to spend."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class ModelStatus(models.TextChoices):
    CANDIDATE = "candidate", "Candidate"
    CHAMPION = "champion", "Champion"
    RETIRED = "retired", "Retired"
    REJECTED = "rejected", "Rejected"


class ModelVersion(models.Model):
    """The ledger of trained models; the artefact's hash is checked against it before it is opened."""

    version = models.CharField(max_length=64, unique=True)
    detector = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=ModelStatus, default=ModelStatus.CANDIDATE)
    artefact_sha256 = models.CharField(max_length=64)
    manifest = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    decision = models.TextField(blank=True, help_text="What the gate said, in words.")
    trained_at = models.DateTimeField()
    promoted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["status"], condition=Q(status=ModelStatus.CHAMPION), name="modelversion_one_champion"
            )
        ]

    def __str__(self) -> str:
        return self.version


class LearnState(models.Model):
    """One row: what the learn queue is doing, so that the page can say it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    phase = models.CharField(max_length=16, default="idle")
    detail = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.phase


class ShadowTally(models.Model):
    """Live events that a candidate scored beside the champion, per minute of receipt; every column adds up."""

    candidate = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    champion = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.PositiveIntegerField()
    events = models.PositiveBigIntegerField(default=0)
    both = models.PositiveBigIntegerField(default=0, help_text="Flagged by both.")
    only_candidate = models.PositiveBigIntegerField(default=0)
    only_champion = models.PositiveBigIntegerField(default=0)
    #: Events whose p-value by the candidate is at most 0.01, 0.05, 0.1 and 0.5.
    p_01 = models.PositiveBigIntegerField(default=0)
    p_05 = models.PositiveBigIntegerField(default=0)
    p_10 = models.PositiveBigIntegerField(default=0)
    p_50 = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["candidate", "champion", "minute"], name="shadowtally_once")
        ]

    def __str__(self) -> str:
        return f"{self.candidate_id} beside {self.champion_id}: {self.events} events"


class AlertPolicy(models.Model):
    """What people wish to spend, and the threshold that follows for one model. The newest row counts.

    Rows are never changed: what was flagged under which threshold can be told at any later time.
    """

    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    wishes = models.JSONField(help_text="alerts_per_day, hours_per_day, usd_per_day, minutes_per_alert, usd_per_alert")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="policies")
    threshold = models.FloatField(help_text="An event is flagged when its score is above this.")
    forecast = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.model_version_id}: above {self.threshold:.4g}"
