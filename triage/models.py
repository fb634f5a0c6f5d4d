"""Tables of the event side: User, ApiToken, Source, RawBatch, Event, ModelVersion, and per-minute figures.

A RawBatch is committed before the shipper gets its reply; its row is the work item of the pipeline. The
events of a batch have ids that are a function of the batch and the record's position, so storing a batch
twice cannot double an event.
"""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

#: Low bits of an event id that hold the record's position in its batch.
POSITION_BITS = 20


def event_id(batch_id: int, position: int) -> int:
    """Return the id of the event at a 0-based position of a batch (fits 2**53 for 8.6e9 batches)."""
    return (batch_id << POSITION_BITS) | position


def batch_and_position(identifier: int) -> tuple[int, int]:
    """Return ``(batch_id, position)`` of an event id."""
    return identifier >> POSITION_BITS, identifier & ((1 << POSITION_BITS) - 1)


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    ANALYST = "analyst", "Analyst"
    LEAD = "lead", "Lead"
    ADMIN = "admin", "Administrator"


class User(AbstractUser):
    """A person who logs in."""

    role = models.CharField(max_length=16, choices=Role, default=Role.ANALYST)


class TokenScope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Read and write"


class ApiToken(models.Model):
    """A person's token for ``/api/v1/``; only its SHA-256 is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=16, choices=TokenScope, default=TokenScope.READ)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user} ({self.scope})"


class Source(models.Model):
    """Something that sends logs, known by its intake token (only the SHA-256 is kept)."""

    name = models.CharField(max_length=80, unique=True)
    token_hash = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    parser = models.CharField(max_length=32, blank=True, help_text="Pinned parser; empty = chosen per record.")
    use_ack = models.BooleanField(default=False, help_text="HEC indexer acknowledgement, as Splunk's useACK.")
    records_per_second = models.PositiveIntegerField(null=True, blank=True, help_text="Empty = no limit.")
    bytes_per_day = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty = no limit.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class BatchStatus(models.TextChoices):
    RECEIVED = "received", "Received"
    PROCESSING = "processing", "Processing"
    DONE = "done", "Done"
    QUARANTINED = "quarantined", "Quarantined"


class RawBatch(models.Model):
    """One or more request bodies as received (zstd), and the pipeline's work item."""

    # ``rawbatch_by_source`` serves the foreign key too.
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="batches", db_index=False)
    receiver = models.CharField(max_length=32)
    parameters = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - NULL = no key, never equal
    received_at = models.DateTimeField()
    body_bytes = models.PositiveBigIntegerField(help_text="Size of the inflated body.")
    record_count = models.PositiveIntegerField()

    status = models.CharField(max_length=16, choices=BatchStatus, default=BatchStatus.RECEIVED)
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    reason = models.TextField(blank=True, help_text="Why the batch is in quarantine.")

    event_count = models.PositiveIntegerField(default=0)
    flagged_count = models.PositiveIntegerField(default=0)
    parser_counts = models.JSONField(default=dict, help_text="Events per parser.")
    discard_counts = models.JSONField(default=dict, help_text="Fallbacks per reason.")
    model_version = models.ForeignKey("ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    processed_at = models.DateTimeField(null=True, blank=True)
    #: Last, so that SQLite reads the other columns without walking through the blob.
    body = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="rawbatch_idempotency",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["status", "id"], name="rawbatch_by_status"),
            models.Index(fields=["source", "-id"], name="rawbatch_by_source"),
            #: What is not done, per source: a claim takes turns over them, the intake adds up what each has waiting.
            models.Index(
                fields=["source", "status", "id", "record_count"],
                condition=Q(processed_at__isnull=True),
                name="rawbatch_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk} ({self.record_count} records)"


class RecordKey(models.Model):
    """The identity a sender gave to one record (Elasticsearch's ``_id``); kept for days, so it is stored once."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    key = models.CharField(max_length=64)
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "key"], name="recordkey_once")]

    def __str__(self) -> str:
        return f"{self.source_id}:{self.key}"


class AckChannel(models.Model):
    """One HEC channel of a source that wants acknowledgements. ``next_id`` is the next number to be given."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=64)
    next_id = models.PositiveBigIntegerField(default=0)
    used_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "channel"], name="ackchannel_once")]

    def __str__(self) -> str:
        return f"{self.source_id}:{self.channel}"


class Ack(models.Model):
    """A number that was given to a committed body and not asked for yet; told once, then deleted."""

    channel = models.ForeignKey(AckChannel, on_delete=models.CASCADE, related_name="acks", db_index=False)
    number = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["channel", "number"], name="ack_once")]

    def __str__(self) -> str:
        return f"{self.channel_id}#{self.number}"


class Event(models.Model):
    """One event in ECS terms. ``score`` is NULL until a champion model has seen it, never 0.

    On PostgreSQL the table is partitioned by the day of ``received_at``; the id stays unique because it
    is derived from the batch.
    """

    id = models.BigIntegerField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    received_at = models.DateTimeField()
    timestamp = models.DateTimeField()
    timestamp_origin = models.CharField(max_length=8)
    parser = models.CharField(max_length=32)
    event_category = models.CharField(max_length=64, blank=True)
    event_action = models.CharField(max_length=128, blank=True)
    event_outcome = models.CharField(max_length=16, blank=True)
    event_code = models.CharField(max_length=64, blank=True)
    log_level = models.CharField(max_length=32, blank=True)
    host_name = models.CharField(max_length=255, blank=True)
    user_name = models.CharField(max_length=255, blank=True)
    source_ip = models.CharField(max_length=64, blank=True)
    destination_ip = models.CharField(max_length=64, blank=True)
    process_name = models.CharField(max_length=255, blank=True)
    entity = models.CharField(max_length=200, blank=True)
    message = models.TextField(blank=True, help_text="Its beginning, for lists; all of it is in the chunk.")
    score = models.FloatField(null=True, blank=True)
    p_value = models.FloatField(null=True, blank=True)
    flagged = models.BooleanField(default=False)
    grouped = models.BooleanField(default=False, help_text="A flagged event that is in an alert.")
    reasons = models.TextField(blank=True, help_text="JSON list of reasons; only for flagged events.")
    model_version = models.ForeignKey(
        "ModelVersion",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["entity", "timestamp"], name="event_entity_time"),
            models.Index(fields=["id"], condition=Q(flagged=True, grouped=False), name="event_to_group"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}"


class EventChunk(models.Model):
    """Messages and ECS documents of some hundred neighbouring events (see :mod:`triage.documents`).

    ``id`` is the id of the first of them, ``body`` zstd of one JSON line ``[message, fields]`` per event. On
    PostgreSQL the table is partitioned like the events.
    """

    id = models.BigIntegerField(primary_key=True)
    received_at = models.DateTimeField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"chunk {self.pk}"


class SourceMinute(models.Model):
    """What one source's records of one minute turned out to be, counted when they were stored.

    ``minute`` is whole minutes since 1970 UTC, of receipt. Every column adds up (or is a least or a greatest), so
    that rows of any span can be joined. Lags are seconds from an event's own time to its receipt, negative when
    it is ahead of it; ``lag_medians`` is the sum of each batch's median times its timed events. ``lag_0`` to
    ``lag_7`` count events by lag (see :data:`triage.minutes.LAG_EDGES`).
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.PositiveIntegerField()
    records = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    events = models.PositiveBigIntegerField(default=0)
    fallback = models.PositiveBigIntegerField(default=0)
    unknown = models.PositiveBigIntegerField(default=0, help_text="Events with a field outside the schema.")
    future = models.PositiveBigIntegerField(default=0)
    ancient = models.PositiveBigIntegerField(default=0)
    inferred = models.PositiveBigIntegerField(default=0, help_text="Events whose year or zone had to be supposed.")
    lag_count = models.PositiveBigIntegerField(default=0)
    lag_sum = models.FloatField(default=0.0)
    lag_medians = models.FloatField(default=0.0)
    lag_min = models.FloatField(null=True)
    lag_max = models.FloatField(null=True)
    lag_0 = models.PositiveBigIntegerField(default=0)
    lag_1 = models.PositiveBigIntegerField(default=0)
    lag_2 = models.PositiveBigIntegerField(default=0)
    lag_3 = models.PositiveBigIntegerField(default=0)
    lag_4 = models.PositiveBigIntegerField(default=0)
    lag_5 = models.PositiveBigIntegerField(default=0)
    lag_6 = models.PositiveBigIntegerField(default=0)
    lag_7 = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "minute"], name="sourceminute_once")]
        indexes: ClassVar = [models.Index(fields=["minute"], name="sourceminute_by_minute")]

    def __str__(self) -> str:
        return f"{self.source_id}@{self.minute}"


class ParserMinute(models.Model):
    """How many events of one source and minute one parser understood."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.PositiveIntegerField()
    parser = models.CharField(max_length=32)
    events = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "minute", "parser"], name="parserminute_once")
        ]
        indexes: ClassVar = [models.Index(fields=["minute"], name="parserminute_by_minute")]

    def __str__(self) -> str:
        return f"{self.source_id}@{self.minute} {self.parser}"


class IntakeMinute(models.Model):
    """What the web processes did for one source in one minute, written about once a second.

    ``taken_*`` are kept only for sources with a limit; they are how several processes share it. ``refused_*``
    count requests by reason; what a refused body would have held is unknown, except for its declared length.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.PositiveIntegerField()
    taken_records = models.PositiveBigIntegerField(default=0)
    taken_bytes = models.PositiveBigIntegerField(default=0)
    refused_busy = models.PositiveBigIntegerField(default=0)
    refused_rate = models.PositiveBigIntegerField(default=0)
    refused_too_large = models.PositiveBigIntegerField(default=0)
    refused_damaged = models.PositiveBigIntegerField(default=0)
    refused_invalid = models.PositiveBigIntegerField(default=0)
    refused_other = models.PositiveBigIntegerField(default=0)
    refused_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "minute"], name="intakeminute_once")]
        indexes: ClassVar = [models.Index(fields=["minute"], name="intakeminute_by_minute")]

    def __str__(self) -> str:
        return f"{self.source_id}@{self.minute}"


class SourceHealth(models.Model):
    """How a source is, judged every half minute. ``states`` lists ``[state, reason]``; none = nothing is wrong."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, primary_key=True, related_name="health")
    judged_at = models.DateTimeField()
    states = models.JSONField(default=list)
    figures = models.JSONField(default=dict)
    troubled = models.BooleanField(default=False, help_text="Silent, or its format changed.")

    def __str__(self) -> str:
        return f"{self.source_id}: {', '.join(state for state, _ in self.states) or 'well'}"


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


class ScoreTally(models.Model):
    """What the champion found in one source's events of one pass, added up; folded into a ``DriftBlock`` and deleted.

    ``p_counts`` counts events by p-value (see :data:`triage.tallies.P_EDGES`), ``kinds`` by kind of event,
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
    FEATURES = "features", "Features drift"
    KINDS = "kinds", "Mix of events drifts"
    SCORES = "scores", "Scores drift"
    ALERT_RATE = "alert_rate", "Alert rate drifts"
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


class WorkerHeartbeat(models.Model):
    """When each process of the deployment was last alive; readiness and doctor read it."""

    name = models.CharField(max_length=80, primary_key=True)
    role = models.CharField(max_length=16)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class LearnState(models.Model):
    """One row: what the learn queue is doing, so that the page can say it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    phase = models.CharField(max_length=16, default="idle")
    detail = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.phase
