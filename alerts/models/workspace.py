"""How people work: what they did and can undo, views they saved, who looks at what, and what they muted."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from alerts.models.alerts import Alert, Severity
from alerts.models.verdicts import Verdict
from triage.models import Source


class ActionKind(models.TextChoices):
    VERDICT = "verdict", "Verdict"
    ASSIGN = "assign", "Taken or given"
    ESCALATE = "escalate", "Escalated"
    REOPEN = "reopen", "Reopened"
    MUTE = "mute", "Muted"


class ReviewAction(models.Model):
    """One thing a person did to one alert or to thousands at once, with what is needed to undo it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_actions")
    kind = models.CharField(max_length=16, choices=ActionKind)
    #: The verdict's value, the assignee's name, or the like: what the undo list shows.
    value = models.CharField(max_length=150, blank=True)
    #: How many alerts it changed, and how many it was asked to but did not.
    alert_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    #: The queue's filter when it was about all that match, else empty.
    query = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["user", "-id"], name="reviewaction_of_user")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value} ({self.alert_count})"


class ReviewedAlert(models.Model):
    """How one alert was before an action changed it. Undone only while ``revision`` is still the alert's."""

    action = models.ForeignKey(ReviewAction, on_delete=models.CASCADE, related_name="items", db_index=False)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+", db_index=False)
    #: status, assignee_id, escalated_at, escalated_by_id, first_action_at, decided_at, mute_rule_id before.
    before = models.JSONField(default=dict)
    revision = models.PositiveIntegerField(help_text="The alert's revision after the action.")
    verdict = models.ForeignKey(Verdict, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["action", "alert"], name="reviewedalert_once")]

    def __str__(self) -> str:
        return f"action {self.action_id} on alert {self.alert_id}"


class SavedPage(models.TextChoices):
    QUEUE = "queue", "Queue"
    EVENTS = "events", "Events"


class SavedView(models.Model):
    """A filter somebody wants again, for themselves or for everybody."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    page = models.CharField(max_length=16, choices=SavedPage)
    name = models.CharField(max_length=80)
    query = models.TextField(blank=True, max_length=4000, help_text="The query string, in its canonical form.")
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "page", "name"], name="savedview_once"),
        ]

    def __str__(self) -> str:
        return self.name


class AlertPresence(models.Model):
    """Who has an alert in front of them; a row that was not renewed lately says nothing."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="presences", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["alert", "user"], name="alertpresence_once")]

    def __str__(self) -> str:
        return f"{self.user_id} at alert {self.alert_id}"


class MuteRule(models.Model):
    """Hides alerts that a person has judged not worth showing, for a while, counted and sampled.

    Every condition that is set must hold; a template or an entity at least is set. It never hides an alert above
    ``max_severity`` nor one with a suspected injection, and shows a share of what it would hide, for audit.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="mute_rules")
    reason = models.TextField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Ended by a person before it expired.")
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    #: What it was made from, so that the page can show an example.
    example = models.ForeignKey(Alert, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    template = models.CharField(max_length=64, blank=True)
    #: The example's title, as the name of the template.
    template_title = models.CharField(max_length=300, blank=True)
    entity = models.CharField(max_length=200, blank=True)
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    max_severity = models.CharField(max_length=16, choices=Severity, default=Severity.LOW)
    #: Share of what it matches that is shown all the same, for audit.
    audit_share = models.FloatField(default=0.05)
    hidden_count = models.PositiveIntegerField(default=0, help_text="Alerts hidden so far.")
    shown_count = models.PositiveIntegerField(default=0, help_text="Alerts shown for audit so far.")
    last_hit_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(template="") | ~Q(entity=""), name="muterule_names_something"),
            models.CheckConstraint(
                condition=Q(audit_share__gte=0.01) & Q(audit_share__lte=1.0), name="muterule_audit_share"
            ),
        ]

    def __str__(self) -> str:
        return f"mute rule {self.pk}"
