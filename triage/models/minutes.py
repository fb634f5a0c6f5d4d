"""Figures per source and minute, how each source is, and who is alive."""

from typing import ClassVar

from django.db import models

from triage.models.intake import Source


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


class WorkerHeartbeat(models.Model):
    """When each process of the deployment was last alive; readiness and doctor read it."""

    name = models.CharField(max_length=80, primary_key=True)
    role = models.CharField(max_length=16)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
