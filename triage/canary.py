"""A synthetic record that goes through every stage once an hour, so that a stage that stands still is noticed.

Handed: the clock. Hands on: one :class:`~triage.models.CanaryRun` per span of time, and a judgement of them. The record
comes in through the intake (a source of its own, which is in no list), is claimed, parsed and scored like any other.
From there on each stage does its work on real tables, looks at what came of it, and takes it back in the same
transaction, keeping the time alone: what nobody can ever read can be in no statistic, queue, label, model or bill.
"""

import base64
import datetime as dt
import hashlib
import hmac
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from triage import documents, outbound, partitions, reading, store
from triage.authentication import hash_token
from triage.contracts import StoredBatch
from triage.health import span
from triage.models import BatchStatus, CanaryRun, Event, ModelStatus, ModelVersion, RawBatch, Source

logger = logging.getLogger(__name__)

NAME = "Winnow's canary"
#: A run that is not through after this long has not arrived; while it is not taken, it is sent again (seconds).
DEADLINE_SECONDS, RETRY_SECONDS = 300, 30
ANSWER_SECONDS = 5.0
KEPT_DAYS = 30
#: The canary goes to Winnow itself, which is usually inside.
INSIDE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
#: What a run has come through, in order: the column, and what did not happen where it is empty.
STAGES = (
    ("received_at", "the intake did not take it"),
    ("stored_at", "the pipeline did not store it"),
    ("grouped_at", "it was not put into an alert"),
    ("explained_at", "its alert was not explained"),
)
_SLOT = re.compile(r"winnow-canary-(\d{1,18})\b")
_MESSAGE, _RECEIVED, _FLAGGED, _WINDOWS = (
    store.EVENT_COLUMNS.index(name) for name in ("message", "received_at", "flagged", "windows")
)
_PARSER, _SCORE = store.EVENT_COLUMNS.index("parser"), store.EVENT_COLUMNS.index("score")


class CanaryError(Exception):
    """A stage did something else than it should; the message says what."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the canary does. ``state``: ok, failed, off, or unknown while none has come through or failed yet.

    ``arrived_at`` and ``seconds`` are of the last one that came through all stages.
    """

    state: str
    words: str
    arrived_at: dt.datetime | None = None
    seconds: float | None = None


# Sending: a pipeline worker's sweep does it.


def tick(now: dt.datetime) -> bool:
    """Send the canary that is due, or again the one that was not taken; return whether a stage behind has one to do."""
    if not settings.CANARY_MINUTES:
        return False
    _drop_quarantined()
    slot = int(now.timestamp()) // (60 * settings.CANARY_MINUTES)
    run = CanaryRun.objects.filter(slot=slot).first()
    if run is None:
        CanaryRun.objects.bulk_create([CanaryRun(slot=slot, started_at=now)], ignore_conflicts=True)
        run = CanaryRun.objects.get(slot=slot)
    if run.received_at is None and _may_send(run, now):
        _send(run)
    return CanaryRun.objects.filter(stored_at__isnull=False, explained_at=None, problem="").exists()


def _may_send(run: CanaryRun, now: dt.datetime) -> bool:
    """Take the right to send a run, for a while; of several workers one has it."""
    free = Q(tried_at=None) | Q(tried_at__lt=now - dt.timedelta(seconds=RETRY_SECONDS))
    return CanaryRun.objects.filter(free, pk=run.pk, received_at=None).update(tried_at=now) == 1


def _send(run: CanaryRun) -> None:
    source, token = _source()
    try:
        via = "http" if settings.CANARY_URL else "database"
        if settings.CANARY_URL:
            _post(run, token)
        else:
            _insert(run, source)
    except (CanaryError, OSError, outbound.RefusedError) as error:
        logger.warning("the canary was not taken: %s", error)
        CanaryRun.objects.filter(pk=run.pk, received_at=None).update(problem=f"not taken: {error}"[:300])
        return
    CanaryRun.objects.filter(pk=run.pk).update(received_at=timezone.now(), via=via, problem="")


def _source() -> tuple[Source, str]:
    """Return the canary's source and its token, which follows from ``SECRET_KEY`` and is kept nowhere."""
    key = hmac.digest(settings.SECRET_KEY.encode(), b"winnow canary", "sha256")
    token = f"wi_{base64.urlsafe_b64encode(key).decode().rstrip('=')}"
    wanted = hash_token(token)
    found = Source.every.filter(synthetic=True).first()
    if found is None:
        name = NAME if not Source.every.filter(name=NAME).exists() else f"{NAME} {hashlib.sha256(key).hexdigest()[:8]}"
        try:
            found, _ = Source.every.get_or_create(name=name, defaults={"token_hash": wanted, "synthetic": True})
        except IntegrityError:  # another worker was faster
            found = Source.every.get(token_hash=wanted)
    if found.token_hash != wanted:
        Source.every.filter(pk=found.pk).update(token_hash=wanted)
    return found, token


def line_of(slot: int) -> bytes:
    """Return a run's record: a line that a parser knows, from addresses that are for documentation."""
    name = f"winnow-canary-{slot}"
    return f"{name} sshd[4711]: Failed password for invalid user {name} from 192.0.2.1 port 22 ssh2".encode()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _post(run: CanaryRun, token: str) -> None:
    """Send a run through the intake. A repeat after a lost reply is known by its key."""
    url = f"{settings.CANARY_URL}/api/v1/ingest/syslog"
    outbound.checked(url, allow=INSIDE)
    headers = {
        "Authorization": f"Bearer {token}",
        "Idempotency-Key": f"canary-{run.slot}",
        "Content-Type": "text/plain",
    }
    request = urllib.request.Request(url, _dated(run), headers, method="POST")  # noqa: S310 - checked above
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=ANSWER_SECONDS) as reply:
            reply.read(10_000)
    except urllib.error.HTTPError as error:
        with error:
            raise CanaryError(f"the intake answered {error.code}") from error


def _dated(run: CanaryRun) -> bytes:
    return f"<38>{run.started_at:%b %e %H:%M:%S} ".encode() + line_of(run.slot)


def _insert(run: CanaryRun, source: Source) -> None:
    body = _dated(run)
    try:
        with transaction.atomic():
            RawBatch.objects.create(
                source=source, receiver="syslog", idempotency_key=f"canary-{run.slot}", received_at=timezone.now(),
                body_bytes=len(body), record_count=1, body=reading.compress(body),
            )  # fmt: skip
    except IntegrityError:
        logger.info("canary %d waits already", run.slot)


def _drop_quarantined() -> None:
    """A canary that broke the pipeline is told by its run; the batch would look like somebody's data."""
    for row in RawBatch.objects.filter(source__synthetic=True, status=BatchStatus.QUARANTINED).defer("body"):
        slot = (row.idempotency_key or "").removeprefix("canary-")
        if slot.isdigit():
            CanaryRun.objects.filter(slot=int(slot)).update(problem=f"the pipeline: {row.reason}"[:300])
        row.delete()


# What each stage does with it.


def apart(work: Sequence[StoredBatch]) -> tuple[list[StoredBatch], list[StoredBatch]]:
    """Return the batches that are somebody's, and the canaries among them."""
    return [batch for batch in work if not batch.synthetic], [batch for batch in work if batch.synthetic]


@contextmanager
def rehearsed() -> Iterator[None]:
    """Do everything inside on the real tables, and take it back at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def finish(
    owner: str,
    outcomes: Sequence[store.BatchOutcome],
    rows: Sequence[tuple[Any, ...]],
    chunks: Sequence[documents.ChunkRow],
    *_figures: object,
) -> None:
    """Stand in for :func:`triage.store.finish`: store the canary, find it, take it back, and let its batch go."""
    partitions.ensure({row[_RECEIVED][:10] for row in rows})
    with transaction.atomic():
        with rehearsed():
            store.finish(owner, outcomes, rows, chunks)
            problem = _stored_problem(rows)
        gone, _ = RawBatch.objects.filter(pk=outcomes[0].batch_id, lease_owner=owner).delete()
        if not gone:
            raise store.LostLeaseError(f"{owner} lost a lease")
        slot = _slot(rows)
        if slot is None:
            logger.warning("a record of the canary's source is not a canary's; it is dropped")
            return
        row = list(rows[0])
        row[_FLAGGED], row[_WINDOWS] = True, None
        CanaryRun.objects.filter(slot=slot).update(row=row, stored_at=timezone.now(), problem=problem[:300])


def _slot(rows: Sequence[tuple[Any, ...]]) -> int | None:
    found = _SLOT.search(rows[0][_MESSAGE]) if len(rows) == 1 else None
    return int(found[1]) if found else None


def _stored_problem(rows: Sequence[tuple[Any, ...]]) -> str:
    """Return what is wrong with the canary as it is in the tables now, or an empty string."""
    found = list(Event.objects.filter(pk__in=[row[0] for row in rows]))
    if len(found) != len(rows):
        return "the pipeline: its event is not there after it was stored"
    if not all(documents.fields_of(event) for event in found):
        return "the pipeline: its document cannot be read back"
    if any(row[_PARSER] == "fallback" for row in rows):
        return "the pipeline: no parser understood it"
    serving = ModelVersion.objects.filter(status=ModelStatus.CHAMPION).exists()
    return "the pipeline: a model serves, and it has no score" if serving and rows[0][_SCORE] is None else ""


def restage(run: CanaryRun) -> Event:
    """Put a run's event, flagged, and its document back into the tables, inside the caller's rehearsal."""
    row = tuple(run.row or ())
    batch_id = row[0] >> 20
    received = dt.datetime.fromisoformat(f"{row[_RECEIVED][:26]}+00:00").timestamp()
    body = reading.compress(_dated(run))
    events = reading.read(StoredBatch(batch_id, row[1], "syslog", {}, received, body, 1))
    partitions.ensure({row[_RECEIVED][:10]})
    store.insert_events([row])
    documents.insert(list(documents.chunk_rows(batch_id, row[_RECEIVED], events, row[1])))
    return Event.objects.get(pk=row[0])


def waiting(*, done: str, to_do: str) -> list[CanaryRun]:
    """Return the runs that have come through one stage (its column) and not yet through the next."""
    return list(CanaryRun.objects.filter(**{f"{done}__isnull": False, to_do: None}, problem="").order_by("slot")[:10])


def passed(run: CanaryRun, stage: str) -> None:
    """Note that a run came through a stage; of two workers the first one counts."""
    CanaryRun.objects.filter(pk=run.pk, **{stage: None}).update(**{stage: timezone.now()})


def failed(run: CanaryRun, problem: str) -> None:
    """Note what went wrong with a run."""
    logger.error("canary %d: %s", run.slot, problem)
    CanaryRun.objects.filter(pk=run.pk).update(problem=problem[:300])


def forget(now: dt.datetime) -> int:
    """Drop the runs that are too old to be looked at; return how many."""
    return CanaryRun.objects.filter(started_at__lt=now - dt.timedelta(days=KEPT_DAYS)).delete()[0]


# What it says.


def judge(now: dt.datetime | None = None) -> Judgement:
    """Say how the canary does: two queries."""
    now = now or timezone.now()
    if not settings.CANARY_MINUTES:
        return Judgement("off", "off: CANARY_MINUTES is 0")
    arrived = CanaryRun.objects.filter(explained_at__isnull=False).first()
    at = arrived.explained_at if arrived else None
    took = (at - arrived.started_at).total_seconds() if arrived and at else None
    runs = list(CanaryRun.objects.all()[:3])
    if not runs:
        return Judgement("unknown", "not measured yet: none was sent")
    if now - runs[0].started_at > dt.timedelta(minutes=settings.CANARY_MINUTES, seconds=DEADLINE_SECONDS):
        since = span((now - runs[0].started_at).total_seconds())
        return Judgement("failed", f"none was sent for {since}: beat or the pipeline workers stand still", at, took)
    for run in runs:
        if run.explained_at is not None and not run.problem:
            return Judgement("ok", f"through all stages in {took or 0:.0f} s", at, took)
        if (words := _failure(run, now)) is not None:
            return Judgement("failed", words, at, took)
    return Judgement("unknown", "not measured yet: the first one is on its way", at, took)


def _failure(run: CanaryRun, now: dt.datetime) -> str | None:
    """Return why a run has failed; None while it is on its way."""
    late = now - run.started_at > dt.timedelta(seconds=DEADLINE_SECONDS)
    if run.problem and (late or run.received_at is not None):
        return run.problem
    missing = next((words for column, words in STAGES if getattr(run, column) is None), "")
    return f"{missing} within {span(DEADLINE_SECONDS)}" if late and missing else None
