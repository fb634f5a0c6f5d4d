"""What comes in: sources, raw batches, the identities senders gave, HEC's acknowledgements.

A RawBatch is committed before the shipper gets its reply; its row is the work item of the pipeline.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Sources(models.Manager["Source"]):
    """The sources that are somebody's: the canary's is in no list, figure or choice."""

    def get_queryset(self) -> models.QuerySet["Source"]:
        return super().get_queryset().filter(synthetic=False)


class Source(models.Model):
    """Something that sends logs, known by its intake token (only the SHA-256 is kept)."""

    name = models.CharField(max_length=80, unique=True)
    token_hash = models.CharField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    parser = models.CharField(max_length=32, blank=True, help_text="Pinned parser; empty = chosen per record.")
    use_ack = models.BooleanField(default=False, help_text="HEC indexer acknowledgement, as Splunk's useACK.")
    records_per_second = models.PositiveIntegerField(null=True, blank=True, help_text="Empty = no limit.")
    bytes_per_day = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty = no limit.")
    synthetic = models.BooleanField(default=False, db_default=False, help_text="The canary's (see triage.canary).")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = Sources()
    every: ClassVar[models.Manager["Source"]] = models.Manager()

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
