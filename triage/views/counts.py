"""Counts per stage: ``/api/v1/stats`` for scripts, ``/metrics`` for Prometheus.

Handed: nothing. Hands on: numbers over all batches still kept, so they shrink when retention takes old ones.
The alert tables belong to the analyst side; they are reached through Django's app registry.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator

from django.apps import apps
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from triage import disk, heartbeat, state, store
from triage.models import Alarm, AlarmKind, ModelStatus, ModelVersion, RawBatch, SourceHealth, WorkerHeartbeat
from triage.views.api import api_access

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGE_HELP = "Records per stage, over all batches kept."
#: Figure of a source's judgement -> series and help text.
HEALTH_FIGURES = {
    "per_minute": ("winnow_source_events_per_minute", "Events per minute and source, last 5 minutes."),
    "coverage": ("winnow_source_parsed_share", "Share of events that a parser understood, last 24 hours."),
    "unknown_share": ("winnow_source_unknown_fields_share", "Share of events with unknown fields, last 24 hours."),
    "quiet_minutes": ("winnow_source_quiet_minutes", "Minutes since the last record."),
    "day_future": ("winnow_source_future_events", "Events with a time of the future, last 24 hours."),
    "day_ancient": ("winnow_source_ancient_events", "Events with a time long past, last 24 hours."),
}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def stage_counts() -> dict[str, int]:
    """Return the counts of every stage from accepted to explained, and what is still pending."""
    alerts = apps.get_model("alerts.Alert")._default_manager
    counts = store.stage_counts()
    return {
        "accepted": counts["accepted"],
        "events": counts["events"],
        "flagged": counts["flagged"],
        "quarantined": counts["quarantined"],
        "alerts": alerts.count(),
        "explained": alerts.filter(explanation_state="done").count(),
        "pending": store.backlog_records(),
    }


@api_access()
def stats(request: HttpRequest) -> HttpResponse:
    """Return the counts per stage."""
    return JsonResponse(stage_counts())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the Prometheus text exposition: stages, sources, queue depths."""
    return HttpResponse(
        "\n".join([*_stage_lines(), *_source_lines(), *_health_lines(), *_queue_lines(), *_state_lines(), ""]),
        content_type=CONTENT_TYPE,
    )


def _gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    for value, number in values:
        yield f'{name}{{{label}="{value.translate(_ESCAPES)}"}} {number}'


def _stage_lines() -> Iterator[str]:
    return _gauge("winnow_records", STAGE_HELP, "stage", stage_counts().items())


def _source_lines() -> Iterator[str]:
    totals = list(
        RawBatch.objects.values_list("source__name")
        .annotate(Sum("record_count"), Sum("event_count"), Sum("flagged_count"), Sum("body_bytes"))
        .order_by("source__name")
    )
    columns = (
        ("winnow_source_records", "Records accepted per source."),
        ("winnow_source_events", "Events stored per source."),
        ("winnow_source_flagged", "Events flagged per source."),
        ("winnow_source_bytes", "Inflated bytes accepted per source."),
    )
    for position, (name, text) in enumerate(columns, start=1):
        yield from _gauge(name, text, "source", [(row[0], row[position]) for row in totals])


def _health_lines() -> Iterator[str]:
    """Yield the sources' last judgements; what was not measured has no line, rather than a 0."""
    rows = list(SourceHealth.objects.select_related("source").order_by("source__name"))
    for key, (name, text) in HEALTH_FIGURES.items():
        measured = [(row.source.name, row.figures[key]) for row in rows if row.figures.get(key) is not None]
        yield from _gauge(name, text, "source", measured)
    lags = [(row.source.name, (row.figures.get("recent") or {}).get("lag")) for row in rows]
    text = "Median seconds from an event's own time to its receipt, last 5 minutes; negative: its clock is ahead."
    yield from _gauge(
        "winnow_source_lag_seconds", text, "source", [(name, lag) for name, lag in lags if lag is not None]
    )
    yield "# HELP winnow_source_state 1 while the source is in this state."
    yield "# TYPE winnow_source_state gauge"
    for row in rows:
        for is_in, _ in row.states:
            yield f'winnow_source_state{{source="{row.source.name.translate(_ESCAPES)}",state="{is_in}"}} 1'
    yield "# HELP winnow_source_refused_requests Requests refused per source and reason, last 24 hours."
    yield "# TYPE winnow_source_refused_requests gauge"
    for row in rows:
        for column, count in sorted((row.figures.get("day_refused") or {}).items()):
            reason = column.removeprefix("refused_")
            name = row.source.name.translate(_ESCAPES)
            yield f'winnow_source_refused_requests{{source="{name}",reason="{reason}"}} {count}'


def _queue_lines() -> Iterator[str]:
    open_batches = RawBatch.objects.exclude(status="done").values_list("status").annotate(Count("id"))
    yield from _gauge("winnow_batches", "Batches that are not done, per status.", "status", open_batches)
    alerts = apps.get_model("alerts.Alert")._default_manager
    states = alerts.values_list("explanation_state").annotate(Count("id"))
    yield from _gauge("winnow_explanations", "Alerts per state of their explanation.", "state", states)
    waiting = dict.fromkeys(AlarmKind.values, 0)
    waiting |= dict(Alarm.objects.filter(closed_at__isnull=True).order_by().values_list("kind").annotate(Count("id")))
    yield from _gauge(
        "winnow_alarms_open", "Drift and quality alarms that wait for a decision.", "kind", waiting.items()
    )


def _state_lines() -> Iterator[str]:
    """Yield what the deployment is doing now: workers, what waits, the champion, the disk, the broker."""
    now = timezone.now()
    alive_after = now - dt.timedelta(seconds=heartbeat.DEAD_SECONDS)
    alive = Counter(WorkerHeartbeat.objects.filter(seen_at__gte=alive_after).values_list("role", flat=True))
    roles = {role: float(alive.get(role, 0)) for role in ("pipeline", "explain", "learn")}
    yield from _gauge("winnow_workers_alive", "Workers that were heard of in the last 30 s.", "role", roles.items())
    oldest = RawBatch.objects.filter(status="received").order_by("id").values_list("received_at", flat=True).first()
    waits = (now - oldest).total_seconds() if oldest else 0.0
    yield from _single("winnow_oldest_waiting_seconds", "Age of the oldest batch that nobody has claimed.", waits)
    yield from _single("winnow_disk_free_bytes", "Bytes free where the data directory is.", disk.free_bytes())
    text = "1 when the broker can be used, 0 when nobody can be woken."
    yield from _single("winnow_broker_up", text, 0 if state.broker_problem() else 1)
    champion = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).values_list("version", flat=True).first()
    text = "The model version that serves; no line while Winnow learns."
    yield from _gauge("winnow_champion", text, "version", [(champion, 1)] if champion else [])


def _single(name: str, text: str, number: float) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    yield f"{name} {number}"
