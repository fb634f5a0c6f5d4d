"""What is told outside: channels, what there is to say on each (the outbox), messages, and what is wrong now."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from alerts.models.alerts import Alert, Severity


class ChannelKind(models.TextChoices):
    WEBHOOK = "webhook", "Webhook"
    CHAT = "chat", "Chat"
    EMAIL = "email", "E-mail"


class Topic(models.TextChoices):
    """What a channel may be told about besides alerts."""

    ESCALATION = "escalation", "Alerts that a person escalates"
    ALARM = "alarm", "Alarms about models"
    SOURCE = "source", "Silent or changed sources"
    CANARY = "canary", "The canary"
    BUDGET = "budget", "Money for language models"
    LLM = "llm", "Language models"
    OPERATION = "operation", "Winnow itself"


#: Topics that nobody chooses: alerts come by severity, a test when somebody asks for one.
ALERT, TEST = "alert", "test"


class Channel(models.Model):
    """Somewhere to tell people or programs, with what to tell there and how much of it.

    What is secret (the address of a webhook, the key it is signed with) is in ``sealed`` only and never shown again;
    ``address`` is the part that may be seen.
    """

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=ChannelKind)
    address = models.CharField(max_length=1000, help_text="Mail addresses, or the scheme and host of a webhook.")
    sealed = models.TextField(blank=True, help_text="The secrets, encrypted; see triage.secretbox.")
    #: Alerts of at least this severity are told; empty = none.
    min_severity = models.CharField(max_length=16, choices=Severity, blank=True, default=Severity.HIGH)
    topics = models.JSONField(default=list, help_text="Values of Topic.")
    #: Whether what the log says leaves Winnow, or only that there is something, how severe, and where to read it.
    tell_details = models.BooleanField(default=True)
    #: Minutes after midnight in ``quiet_zone``; both NULL = no quiet hours. ``until`` before ``from`` is past midnight.
    quiet_from = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_until = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_zone = models.CharField(max_length=64, default="UTC")
    #: What is critical waits neither for the end of quiet hours nor for a digest.
    critical_at_once = models.BooleanField(default=True)
    digest_minutes = models.PositiveSmallIntegerField(default=0, help_text="0 = everything by itself.")
    per_hour = models.PositiveSmallIntegerField(default=30, help_text="Messages an hour; what is more is put together.")
    repeat_minutes = models.PositiveSmallIntegerField(
        default=60, help_text="The same thing is not said again within so many minutes."
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    #: Nothing is sent any more; the row stays for its history.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=Q(ended_at__isnull=True), name="channel_name_once"),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="channel_quiet_hours_whole",
            ),
            models.CheckConstraint(condition=Q(per_hour__gte=1), name="channel_per_hour"),
        ]

    def __str__(self) -> str:
        return self.name


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    DEAD = "dead", "Given up"


class Delivery(models.Model):
    """One message to one channel, with one notification in it or many. Work, claimed by a lease.

    ``uuid`` is the message's name for its receiver: the same for every try, so that a doubled one can be told.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.WAITING)
    is_test = models.BooleanField(default=False)
    count = models.PositiveIntegerField(default=1, help_text="Notifications in it.")
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="Not tried before.")
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    #: Of the last try: the receiver's status (NULL = there was no answer), milliseconds, and what was wrong.
    answered = models.PositiveSmallIntegerField(null=True, blank=True)
    took_ms = models.PositiveIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["state", "due_at"], name="delivery_to_send"),
            models.Index(fields=["channel", "-created_at"], name="delivery_of_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.uuid} ({self.state})"


class Notification(models.Model):
    """One thing to say on one channel. ``delivery`` is NULL until it is in a message.

    ``key`` names what happened and is there once per channel, however often it is noticed. ``subject`` names what it
    is about; what is not worse than an earlier one about it, shortly after it, is counted there in ``repeats``.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="notifications", db_index=False)
    topic = models.CharField(max_length=16)
    subject = models.CharField(max_length=160)
    key = models.CharField(max_length=160)
    severity = models.CharField(max_length=16, choices=Severity)
    severity_rank = models.PositiveSmallIntegerField()
    alert = models.ForeignKey(Alert, null=True, blank=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    facts = models.JSONField(default=dict, help_text="The same for programs.")
    created_at = models.DateTimeField()
    repeats = models.PositiveIntegerField(default=0)
    delivery = models.ForeignKey(
        Delivery, null=True, blank=True, on_delete=models.CASCADE, related_name="notifications"
    )

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["channel", "key"], name="notification_once")]
        indexes: ClassVar = [
            models.Index(fields=["channel", "subject", "-created_at"], name="notification_of_subject"),
            models.Index(fields=["channel"], condition=Q(delivery__isnull=True), name="notification_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}: {self.title}"


class Condition(models.Model):
    """Something that is wrong since a time, and until one; what is told when it begins and ends."""

    subject = models.CharField(max_length=150)
    topic = models.CharField(max_length=16, choices=Topic)
    severity = models.CharField(max_length=16, choices=Severity)
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    path = models.CharField(max_length=200, blank=True, help_text="The page that shows it.")
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject"], condition=Q(ended_at__isnull=True), name="condition_once")
        ]

    def __str__(self) -> str:
        return self.subject
