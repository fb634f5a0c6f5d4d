"""Tables of the analyst side: RankingModel, Alert, AlertEvent, Explanation, Verdict, AuditEntry.

Event ids are plain numbers, not foreign keys: events leave after the retention period, alerts stay.
"""

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from triage.models import ModelVersion, Source


class Severity(models.TextChoices):
    INFO = "info", "Info"
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"
    CRITICAL = "critical", "Critical"


class AlertStatus(models.TextChoices):
    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"


class AlertOrigin(models.TextChoices):
    FLAGGED = "flagged", "Flagged by the detector"
    BLIND_AUDIT = "blind_audit", "Unflagged event, sampled for a blind audit"


class ExplanationState(models.TextChoices):
    PENDING = "pending", "Waiting for an explanation"
    RUNNING = "running", "Being explained"
    DONE = "done", "Explained"
    FAILED = "failed", "No explanation"


class RankingStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    RETIRED = "retired", "Retired"
    REFUSED = "refused", "Not used"


class RankingModel(models.Model):
    """What was learned from people's verdicts about which alerts are worth their time; it only reorders the queue.

    A row is also written when nothing could be used, so that the next try waits for new verdicts.
    """

    created_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=16, choices=RankingStatus)
    #: JSON as text, so that the bytes are those of the hash; empty when nothing could be used.
    state = models.TextField(blank=True)
    state_sha256 = models.CharField(max_length=64, blank=True)
    report = models.JSONField(default=dict)
    n_labels = models.PositiveIntegerField()
    last_verdict_id = models.BigIntegerField(default=0, help_text="The newest verdict when it was learned.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["status"], condition=Q(status="active"), name="rankingmodel_one_active")
        ]

    def __str__(self) -> str:
        return f"ranking {self.pk} from {self.n_labels} verdicts"


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
    #: Highest score of its events and the p-value of that event.
    score = models.FloatField(null=True, blank=True)
    p_value = models.FloatField(null=True, blank=True)
    techniques = models.JSONField(default=list)
    #: Of its first event: parser, category, action, code, and template (the fingerprint without the entity).
    kind = models.JSONField(default=dict)
    #: P(worth an analyst's time) by ``ranking``; NULL = not ranked. Blind audits are never ranked.
    worth = models.FloatField(null=True, blank=True)
    ranking = models.ForeignKey(
        RankingModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    #: What the queue sorts by first. What was not ranked stands above all that was; with no ranking all are equal.
    place = models.GeneratedField(
        expression=Coalesce("worth", models.Value(1.0)), output_field=models.FloatField(), db_persist=True
    )
    event_count = models.PositiveIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="assigned_alerts"
    )
    explanation_state = models.CharField(max_length=16, choices=ExplanationState, default=ExplanationState.PENDING)
    explanation_lease_until = models.DateTimeField(null=True, blank=True)
    explanation_attempts = models.PositiveSmallIntegerField(default=0)
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


class Explanation(models.Model):
    """One explanation of an alert, or one failed try; never overwritten."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="explanations")
    created_at = models.DateTimeField(auto_now_add=True)
    explainer = models.CharField(max_length=32)
    model = models.CharField(max_length=120, blank=True)
    prompt_version = models.CharField(max_length=32, blank=True)
    answer = models.JSONField(default=dict)
    evidence = models.JSONField(default=list)
    suggested_verdict = models.CharField(max_length=32, blank=True)
    confidence = models.CharField(max_length=16, blank=True)
    failure = models.CharField(max_length=32, blank=True, help_text="Why there is no explanation.")
    failure_detail = models.TextField(blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.explainer} for alert {self.alert_id}"


class VerdictValue(models.TextChoices):
    TP_IMPACT = "tp_impact", "True positive, with impact"
    TP_NO_IMPACT = "tp_no_impact", "True positive, without impact"
    BENIGN_TP = "benign_tp", "Benign true positive (expected activity)"
    FP_LOGIC = "fp_logic", "False positive (logic)"
    FP_DATA = "fp_data", "False positive (data)"
    DUPLICATE = "duplicate", "Duplicate"
    UNDETERMINED = "undetermined", "Undetermined"


#: Verdicts that say something about the event and so may become a label. Undetermined and duplicate do not.
LABELS: dict[str, int] = {
    VerdictValue.TP_IMPACT: 1,
    VerdictValue.TP_NO_IMPACT: 1,
    VerdictValue.BENIGN_TP: 0,
    VerdictValue.FP_LOGIC: 0,
    VerdictValue.FP_DATA: 0,
}


class DecidedBy(models.TextChoices):
    PERSON = "person", "A person"
    AUTOMATION = "automation", "Automation"


class Verdict(models.Model):
    """One decision on an alert. The newest one counts; the others are its history."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="verdicts")
    value = models.CharField(max_length=32, choices=VerdictValue)
    note = models.TextField(blank=True, max_length=10_000)
    decided_by = models.CharField(max_length=16, choices=DecidedBy)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="verdicts"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by="automation", user__isnull=True) | Q(decided_by="person", user__isnull=False),
                name="verdict_person_or_automation",
            )
        ]

    def __str__(self) -> str:
        return self.get_value_display()


class AppendOnlyError(RuntimeError):
    """An audit entry was about to be changed or deleted."""


class AuditEntry(models.Model):
    """Who did what and when. Append-only: rows are never changed or deleted."""

    created_at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150, help_text="User name, or the name of the automation.")
    actor_kind = models.CharField(max_length=16, choices=DecidedBy)
    action = models.CharField(max_length=64)
    alert = models.ForeignKey(Alert, null=True, blank=True, on_delete=models.PROTECT, related_name="audit_entries")
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert only."""
        if self.pk is not None:
            raise AppendOnlyError("audit entries are append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("audit entries are append-only")
