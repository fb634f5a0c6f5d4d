"""What doctor looks at: one function per thing a deployment needs.

Handed: the running configuration. Hands on: findings, each with what to do when it is not healthy.
"""

import datetime as dt
import os
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from triage import canary as rehearsal
from triage import champion, heartbeat, hooks, state, store, training, watch
from triage import disk as room
from triage.explainers import chat_models
from triage.explainers.base import SHUTDOWN_WARN_DAYS
from triage.hooks import Finding
from triage.models import ModelStatus, ModelVersion, WorkerHeartbeat

LLM_SECONDS = 5.0


def database() -> Finding:
    """The database answers."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        return Finding("database", False, str(error).strip(), "Check DATABASE_URL and that the server is running.")
    return Finding("database", True, connection.vendor)


def migrations() -> Finding:
    """Every migration is applied."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding("migrations", False, f"{len(missing)} not applied", "Run: manage.py migrate")
    return Finding("migrations", True, "all applied")


def broker() -> Finding:
    """The broker takes messages."""
    problem = state.broker_problem()
    kind = "Redis" if settings.REDIS_URL else "files in the data directory"
    return Finding("broker", not problem, problem or kind, "Check REDIS_URL, or that WINNOW_DATA_DIR is writable.")


def workers() -> Finding:
    """Every role has a worker that was heard of lately."""
    alive_after = timezone.now() - dt.timedelta(seconds=heartbeat.DEAD_SECONDS)
    alive = set(WorkerHeartbeat.objects.filter(seen_at__gte=alive_after).values_list("role", flat=True))
    missing = sorted({"pipeline", "explain", "learn"} - alive)
    detail = f"none alive for: {', '.join(missing)}" if missing else "pipeline, explain and learn are alive"
    return Finding("workers", not missing, detail, "Start them with: manage.py up")


def champion_model() -> Finding:
    """The champion opens; no champion is fine while there is too little to learn from."""
    if champion.current() is not None and not champion.problem():
        model = ModelVersion.objects.get(status=ModelStatus.CHAMPION)
        return Finding("champion", True, f"{model.version} ({model.artefact_sha256[:12]})")
    if champion.problem():
        return Finding("champion", False, champion.problem(), "Run: manage.py rollback, or manage.py train")
    learned = training.events_available()
    detail = f"learning: {min(learned, settings.LEARN_MIN_EVENTS):,} of {settings.LEARN_MIN_EVENTS:,} events"
    return Finding("champion", not training.first_model_is_due(), detail, "Run: manage.py train")


def backlog() -> Finding:
    """The pipeline keeps up, and nothing lies in quarantine unseen."""
    waiting, quarantined = store.backlog_records(), store.stage_counts()["quarantined"]
    healthy = waiting <= settings.MAX_BACKLOG_RECORDS and not quarantined
    fix = "Look at the source's page: every quarantined batch has its reason and can be replayed."
    return Finding("backlog", healthy, f"{waiting:,} records waiting, {quarantined:,} in quarantine", fix)


def sources() -> Finding:
    """No source is silent, and none has changed its format."""
    found = [f"{row.source.name}: {', '.join(state for state, _ in row.states)}" for row in watch.troubled()]
    fix = "Look at the source's page: it says since when and why. Check its shipper, or pin its format."
    return Finding("sources", not found, "; ".join(found) or "none is silent or has changed its format", fix)


def disk() -> Finding:
    """The data directory is writable and has room for what is accepted, and then some."""
    free, kept = room.free_bytes(), settings.MIN_FREE_DISK_BYTES
    healthy = free >= kept and os.access(settings.DATA_DIR, os.W_OK)
    fix = f"Free space or move WINNOW_DATA_DIR. Below {kept / 2**30:.1f} GiB (MIN_FREE_DISK_BYTES) nothing is accepted."
    found = f"{free / 2**30:.1f} GiB free at {settings.DATA_DIR}"
    return Finding("disk", healthy, found, fix, warning=free < 2 * kept)


def canary() -> Finding:
    """The synthetic record came through every stage."""
    judged = rehearsal.judge()
    known = judged.state in ("ok", "off")
    fix = "See that beat and a worker of each role run, and that CANARY_URL is the intake's address (docs/operate.md)."
    return Finding("canary", judged.state != "failed", judged.words, "" if known else fix)


def model_store() -> Finding:
    """Models can be written."""
    healthy = settings.MODELS_DIR.is_dir() and os.access(settings.MODELS_DIR, os.W_OK)
    return Finding("model store", healthy, str(settings.MODELS_DIR), "Create the directory and make it writable.")


def llm() -> Finding:
    """The language model can be reached, is offered, and stays."""
    if not settings.LLM_BASE_URL:
        return Finding("llm", True, "none configured: alerts are explained from evidence alone")
    return _model("llm", "LLM", settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_MODEL)


def large_llm() -> Finding:
    """The same for the larger model."""
    if not settings.LLM_LARGE_BASE_URL:
        return Finding("larger llm", True, "none configured: there is only the first model")
    key = settings.LLM_LARGE_API_KEY
    return _model("larger llm", "LLM_LARGE", settings.LLM_LARGE_BASE_URL, key, settings.LLM_LARGE_MODEL)


def _model(name: str, prefix: str, base_url: str, api_key: str, model: str) -> Finding:
    """Return what the endpoint's list says about a model; under policy off it is not asked."""
    if settings.LLM_DATA_POLICY == "off":
        return Finding(name, True, "not asked: the data policy is off")
    found = chat_models.look_up(base_url=base_url, api_key=api_key, model=model, timeout=LLM_SECONDS)
    if not found.reachable or found.is_denied:
        fix = f"Check {prefix}_BASE_URL and {prefix}_API_KEY; alerts keep their evidence text."
        return Finding(name, False, found.note, fix)
    if found.listed is False:
        return Finding(name, False, f"{model}: {found.note}", f"Set {prefix}_MODEL to one that is offered.")
    days = found.days_left(timezone.now().date())
    successor = f"Set {prefix}_MODEL to its successor, after manage.py evaluate_llm."
    if days is not None and days < 0:
        return Finding(name, False, f"{model} was shut down on {found.shutdown_date}", successor)
    if days is not None:
        soon = f"{model} will be shut down on {found.shutdown_date}, in {days} days"
        return Finding(name, True, soon, successor, warning=days < SHUTDOWN_WARN_DAYS)
    if found.listed is None:
        return Finding(name, True, f"{model}: {found.note}", "Ask the provider how long it stays.", warning=True)
    return Finding(name, True, f"{model} is offered ({settings.LLM_DATA_POLICY}); no shutdown is announced")


def hosts() -> Finding:
    """Host names are not open to everybody."""
    healthy = "*" not in settings.ALLOWED_HOSTS and not settings.DEBUG
    detail = f"{', '.join(settings.ALLOWED_HOSTS)}{' (DEBUG is on)' if settings.DEBUG else ''}"
    return Finding("hosts", healthy, detail, "Name the hosts in ALLOWED_HOSTS and leave DEBUG unset.")


CHECKS: tuple[Callable[[], Finding], ...] = (
    database, migrations, broker, workers, champion_model, backlog, sources, canary, disk, model_store, llm, large_llm,
    hosts,
)  # fmt: skip


def examine() -> list[Finding]:
    """Run every check; without a database, or before its migrations, only those that need none of it."""
    findings: list[Finding] = []
    for check in CHECKS:
        if check in (workers, champion_model, backlog, sources, canary) and not all(
            finding.healthy for finding in findings[:2]
        ):
            continue
        if check is migrations and not findings[0].healthy:
            continue
        findings.append(check())
    return findings + (hooks.findings() if all(finding.healthy for finding in findings[:2]) else [])
