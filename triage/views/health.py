"""``/healthz`` and ``/readyz``: is the process alive, and can the deployment do its work.

Handed: nothing. Hands on: JSON with each check and its problem. Ready means: the database answers, the broker
takes messages, a pipeline worker is alive. A disk without room is reported: pages answer, senders are told to come
back. A champion is reported and not asked for: Winnow learns first, and while a
champion is refused an earlier one serves.
"""

import datetime as dt
from functools import lru_cache

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from triage import disk, state
from triage.models import BatchStatus, ModelStatus, ModelVersion, RawBatch, WorkerHeartbeat
from triage.registry import sealed

#: A worker that has not been heard of for this long counts as dead.
DEAD_AFTER = dt.timedelta(seconds=30)
Check = dict[str, object]


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Return every check; 200 when all that matter are good, else 503."""
    checks = {
        "database": _database(),
        "broker": _check(state.broker_problem()),
        "workers": _workers(),
        "champion": _champion(),
        "disk": _check(disk.problem()),
    }
    ready = all(checks[name]["ok"] for name in ("database", "broker", "workers"))
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def _check(problem: str, **details: object) -> Check:
    return {"ok": not problem, **({"problem": problem} if problem else {}), **details}


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        return _check("the database does not answer")
    return _check("")


def _workers() -> Check:
    try:
        roles = WorkerHeartbeat.objects.filter(seen_at__gte=timezone.now() - DEAD_AFTER).values_list("role", flat=True)
        alive = sorted(roles)
    except Error:
        return _check("the database does not answer")
    return _check("" if "pipeline" in alive else "no pipeline worker is alive", alive=alive)


def _champion() -> Check:
    """Without a champion the deployment is learning, which is not a fault; a refused one is told with what serves."""
    try:
        row = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).values_list("version", "artefact_sha256").first()
        if row is None:
            return _check("", state="learning", version=None)
        refusal = _refusal(*row)
        if not refusal:
            return _check("", state="serving", version=row[0])
        newest = RawBatch.objects.filter(status=BatchStatus.DONE).order_by("-id")
        scored_by = newest.values_list("model_version__version", flat=True).first()
    except Error:
        return _check("the database does not answer")
    problem = f"champion {row[0]} is refused: {refusal}"
    return _check(problem, state="refused", version=row[0], newest_events_scored_by=scored_by)


def _refusal(version: str, sha256: str) -> str:
    """Return why a version's folder is not what the ledger says, or an empty string. Nothing is opened for it."""
    try:
        return _looked_at(version, sha256, sealed.fingerprint(settings.MODELS_DIR, version))
    except sealed.ArtefactError as error:
        return str(error)


@lru_cache(maxsize=4)
def _looked_at(version: str, sha256: str, fingerprint: object) -> str:
    """Read the artefact once for as long as nobody touches its files."""
    try:
        sealed.read_sealed(settings.MODELS_DIR, version, sha256)
    except sealed.ArtefactError as error:
        return str(error)
    return ""
