"""Explanations: what was said, what it cost, and which alerts share one."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.models.alerts import Alert
from triage.models import Source


class CallPurpose(models.TextChoices):
    EXPLAIN = "explain", "Explanation"
    STRONGER = "stronger", "Explanation by the larger model"
    MASKED = "masked", "The same with suspected text masked"
    RECHECK = "recheck", "A shared explanation, checked again"


class CallTier(models.TextChoices):
    SMALL = "small", "First model"
    LARGE = "large", "Larger model"


class CallState(models.TextChoices):
    RESERVED = "reserved", "Under way"
    SETTLED = "settled", "Settled"
    RELEASED = "released", "Never asked"
    LOST = "lost", "The worker died meanwhile: booked as reserved"


class SpendBlock(models.Model):
    """Money of one period: ``scope`` is ``all`` or ``source:<id>``, ``period`` a UTC day or month."""

    scope = models.CharField(max_length=40)
    period = models.CharField(max_length=10)
    #: Millionths of a US dollar, as whole numbers: sums are exact on every database.
    reserved_microusd = models.BigIntegerField(default=0)
    spent_microusd = models.BigIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)
    #: Calls whose cost nobody knows; what was reserved for them stays in ``spent_microusd``.
    unknown_calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["scope", "period"], name="spendblock_scope_period")]

    def __str__(self) -> str:
        return f"{self.scope} {self.period}"


class SourceBudget(models.Model):
    """A source's own cap for explanations; without a row only the common caps hold."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="llm_budget")
    daily_microusd = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.source_id}: {self.daily_microusd}"


class RawConsent(models.Model):
    """An admin's consent that names and addresses go to an endpoint inside as they are (policy ``raw``)."""

    endpoint = models.CharField(max_length=255)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["endpoint"], condition=Q(withdrawn_at__isnull=True), name="rawconsent_one_per_endpoint"
            )
        ]

    def __str__(self) -> str:
        return self.endpoint


class SharedAnswer(models.Model):
    """An answer for every alert of one cluster: same template, reasons, field types, prompt, model and policy.

    ``answer`` has slots where an alert's own names, counts and times stand. A row is claimed before the model is
    asked (``lease_until``), so that one worker asks; ``answer`` is empty until then.
    """

    key = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    #: Ended early, and why: a contrary verdict, a recheck that came out otherwise.
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.CharField(max_length=200, blank=True)
    answer = models.JSONField(default=dict)
    model = models.CharField(max_length=120, blank=True)
    prompt_version = models.CharField(max_length=32, blank=True)
    #: Alerts that took it over, how often it was asked again at random, and how often the suggestion then differed.
    used = models.PositiveIntegerField(default=0)
    rechecked = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], condition=Q(ended_at__isnull=True), name="sharedanswer_one_per_key")
        ]

    def __str__(self) -> str:
        return f"answer {self.pk} of {self.key[:12]}"


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
    purpose = models.CharField(max_length=16, choices=CallPurpose, blank=True, help_text="Empty: no model was asked.")
    tier = models.CharField(max_length=8, choices=CallTier, blank=True)
    #: Claims after the check against the evidence; NULL = not checked (the evidence explainer copies its lines).
    claims = models.PositiveSmallIntegerField(null=True)
    grounded = models.PositiveSmallIntegerField(null=True)
    #: Set when the answer was taken over from another alert of the same cluster.
    shared = models.ForeignKey(
        SharedAnswer, null=True, blank=True, on_delete=models.SET_NULL, related_name="explanations"
    )
    inherited = models.BooleanField(default=False)
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.explainer} for alert {self.alert_id}"


class LlmCall(models.Model):
    """One question to a language model: money is reserved before it is asked and settled after.

    ``record`` is the :class:`~triage.explainers.base.CallRecord`. The row outlives its alert: it is the bill.
    """

    created_at = models.DateTimeField(auto_now_add=True)
    #: UTC day and month whose caps it counts against, also when it is settled after midnight.
    day = models.DateField()
    alert = models.ForeignKey(Alert, null=True, blank=True, on_delete=models.SET_NULL, related_name="llm_calls")
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=16, choices=CallPurpose)
    tier = models.CharField(max_length=8, choices=CallTier)
    state = models.CharField(max_length=16, choices=CallState, default=CallState.RESERVED)
    lease_until = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    reserved_microusd = models.BigIntegerField(null=True, help_text="Empty: no price is known.")
    cost_microusd = models.BigIntegerField(null=True)
    cost_basis = models.CharField(max_length=16, blank=True, help_text="measured, estimated or unknown.")
    endpoint = models.CharField(max_length=255)
    model = models.CharField(max_length=120)
    validation = models.CharField(max_length=32, blank=True)
    latency_ms = models.PositiveIntegerField(null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    record = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["state", "lease_until"], name="llmcall_under_way"),
            models.Index(fields=["day", "purpose"], name="llmcall_day"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} call {self.pk}"
