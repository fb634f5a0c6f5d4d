"""Alert and AlertEvent: flagged events of one kind about one entity, for an analyst to decide on.

Event ids are plain numbers, not foreign keys: events leave after the retention period, alerts stay.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Coalesce

from alerts.models.ranking import RankingModel
from triage.models import ModelVersion, Source


class Severity(models.TextChoices):
    INFO = "info", "Info"
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class AlertStatus(models.TextChoices):
    """Closed by a verdict, muted by a person's rule; new events of a muted alert's kind go into it."""

    OPEN = "open", "Open"
    MUTED = "muted", "Muted"
    CLOSED = "closed", "Closed"


class AlertOrigin(models.TextChoices):
    FLAGGED = "flagged", "Flagged by the detector"
    BLIND_AUDIT = "blind_audit", "Unflagged event, sampled for a blind audit"


class ExplanationState(models.TextChoices):
    PENDING = "pending", "Waiting for an explanation"
    RUNNING = "running", "Being explained"
    DONE = "done", "Explained"
    FAILED = "failed", "No explanation"


class Alert(models.Model):
    """Flagged events of one kind about one entity, for an analyst to decide on."""

    fingerprint = models.CharField(max_length=64)
    origin = models.CharField(max_length=16, choices=AlertOrigin, default=AlertOrigin.FLAGGED)
    #: Probability with which a blind-audit event was sampled; NULL for flagged ones. A reviewer of a
    #: blind audit sees neither score nor explanation.
    inclusion_probability = models.FloatField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=AlertStatus, default=AlertStatus.OPEN)
    severity = models.CharField(max_length=16, choices=Severity, default=Severity.LOW)
    severity_rank = models.PositiveSmallIntegerField(default=1)
    title = models.CharField(max_length=300)
    entity = models.CharField(max_length=200, blank=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="alerts")
    host_name = models.CharField(max_length=255, blank=True)
    user_name = models.CharField(max_length=255, blank=True)
    source_ip = models.CharField(max_length=64, blank=True)
    process_name = models.CharField(max_length=255, blank=True)
    #: The fingerprint without the entity (sha256 hex): what the queue groups by.
    template = models.CharField(max_length=64, blank=True)
    #: The version that scored its strongest event.
    model_version = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    #: Highest score of its events and the p-value of that event.
    score = models.FloatField(null=True, blank=True)
    p_value = models.FloatField(null=True, blank=True)
    techniques = models.JSONField(default=list)
    #: Who says which severity: prefilter, rules, injection, model. ``severity`` is the highest of them.
    severity_parts = models.JSONField(default=dict)
    #: Text in its events speaks to whoever reads them, or says what to think of them.
    injection_suspected = models.BooleanField(default=False)
    #: ``{"event_id", "field", "why", "excerpt"}`` of each such text, the first few.
    injection_findings = models.JSONField(default=list)
    #: Of its first event: parser, category, action, code, and template, for the ranking.
    kind = models.JSONField(default=dict)
    #: P(worth an analyst's time) by ``ranking``; NULL = not ranked. Blind audits are never ranked.
    worth = models.FloatField(null=True, blank=True)
    ranking = models.ForeignKey(
        RankingModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    #: What the queue sorts by first: escalated ones (2), then what was not ranked (1), then P(worth the time); with no
    #: ranking all that are not escalated are equal.
    place = models.GeneratedField(
        expression=Case(When(escalated_at__isnull=False, then=Value(2.0)), default=Coalesce("worth", Value(1.0))),
        output_field=models.FloatField(),
        db_persist=True,
    )
    event_count = models.PositiveIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="assigned_alerts"
    )
    #: A person asked for somebody senior; cleared when they take it back.
    escalated_at = models.DateTimeField(null=True, blank=True)
    escalated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    #: When a person first did anything about it, and when one last closed it; NULL = not yet.
    first_action_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    #: The rule that hides it, or, while it is open, the rule whose sample it is shown as.
    mute_rule = models.ForeignKey(
        "alerts.MuteRule", null=True, blank=True, on_delete=models.PROTECT, related_name="alerts"
    )
    explanation_state = models.CharField(max_length=16, choices=ExplanationState, default=ExplanationState.PENDING)
    explanation_lease_until = models.DateTimeField(null=True, blank=True)
    explanation_attempts = models.PositiveSmallIntegerField(default=0)
    #: Who asked for a new explanation, and of which model (``CallTier``; empty: as usual); cleared when it is there.
    explanation_wanted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    explanation_wanted_tier = models.CharField(max_length=8, blank=True)
    #: Grows with every change; a write that names an older one is refused.
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=~Q(status="closed"), name="alert_one_open_per_fingerprint"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "-place", "-severity_rank", "-last_seen_at"], name="alert_queue_place"),
            models.Index(fields=["explanation_state", "id"], name="alert_to_explain"),
            models.Index(fields=["entity", "-last_seen_at"], name="alert_entity"),
            models.Index(fields=["status", "template"], name="alert_by_template"),
            models.Index(fields=["template", "-last_seen_at"], name="alert_alike"),
        ]

    def __str__(self) -> str:
        return self.title


class AlertEvent(models.Model):
    """A flagged event in an alert, with what replay needs to score it again."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="alert_events")
    event_id = models.BigIntegerField(unique=True)
    timestamp = models.DateTimeField()
    score = models.FloatField(null=True)
    p_value = models.FloatField(null=True)
    reasons = models.JSONField(default=list)
    model_version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["alert", "-score"], name="alertevent_top")]

    def __str__(self) -> str:
        return f"event {self.event_id}"


class AlertTechnique(models.Model):
    """One of an alert's ATT&CK techniques as a row, so that alerts can be counted and found by it."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="technique_rows", db_index=False)
    technique_id = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "technique_id"], name="alerttechnique_once")]
        indexes: ClassVar = [models.Index(fields=["technique_id", "alert"], name="alerttechnique_by_id")]

    def __str__(self) -> str:
        return self.technique_id
