"""Events and their documents.

The events of a batch have ids that are a function of the batch and the record's position, so storing a batch
twice cannot double an event.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from triage.models.intake import Source

#: Low bits of an event id that hold the record's position in its batch.
POSITION_BITS = 20


def event_id(batch_id: int, position: int) -> int:
    """Return the id of the event at a 0-based position of a batch (fits 2**53 for 8.6e9 batches)."""
    return (batch_id << POSITION_BITS) | position


def batch_and_position(identifier: int) -> tuple[int, int]:
    """Return ``(batch_id, position)`` of an event id."""
    return identifier >> POSITION_BITS, identifier & ((1 << POSITION_BITS) - 1)


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
    #: What happened around it lately (see :mod:`triage.sliding`); NULL = nothing known.
    windows = models.BinaryField(null=True)
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
    #: How many events, and the least and greatest of their own times; NULL in chunks written before these were kept.
    events = models.PositiveSmallIntegerField(null=True)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    #: Which values may be in it (see :mod:`triage.terms`); NULL = not known, it has to be read.
    terms = models.BinaryField(null=True)
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"chunk {self.pk}"
