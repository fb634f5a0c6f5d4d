"""Walking over the chunks, newest first, as far as a request may: what is left closed costs next to nothing.

Handed: a plan and where to begin. Hands on: groups of chunks that may hold what is asked for, and how far it came.
Nothing here opens a chunk.
"""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet, Sum

from triage.documents import CHUNK_EVENTS, chunk_id
from triage.models import EventChunk
from triage.searching.gates import Chunk
from triage.searching.plan import MICROSECOND, Plan

#: Chunks that one question to the database goes over: few at first, because most pages fill soon.
_FIRST_PAGE, _PAGE = 64, 4096


@dataclass(frozen=True, slots=True)
class Budget:
    """What one request may cost: documents of so many chunks, rows of so many, and, should all be slow, a time."""

    bodies: int = 96
    chunks: int = 256
    seconds: float = 0.08


#: Where an answer has to be whole, whatever it takes.
UNLIMITED = Budget(bodies=2**40, chunks=2**40, seconds=float("inf"))


@dataclass(frozen=True, slots=True)
class Group:
    """Chunks that may hold what is asked for, newest first. ``whole``: all there are between the first and the last."""

    chunks: Sequence[Chunk]
    whole: bool

    def within(self) -> Q:
        """Return what their rows have in common: their ids, and the days that partitions go by."""
        low, high = (pick(chunk.received_at for chunk in self.chunks) for pick in (min, max))
        ids = Q()
        for first, behind in self._runs():
            ids |= Q(pk__gte=first, pk__lt=behind)
        return ids & Q(received_at__gte=low, received_at__lt=high + MICROSECOND)

    def _runs(self) -> list[tuple[int, int]]:
        """Return spans of ids; neighbours within a batch are one."""
        if self.whole:
            return [(self.chunks[-1].id, self.chunks[0].end)]
        runs: list[tuple[int, int]] = []
        for chunk in reversed(self.chunks):
            if runs and runs[-1][1] == chunk.id:
                runs[-1] = (runs[-1][0], chunk.end)
            else:
                runs.append((chunk.id, chunk.end))
        return runs


@dataclass(slots=True)
class Progress:
    """How far a search has come: ``before`` is the id below which nothing was looked at, None from the very newest on.

    ``done``: nothing older is left. ``chunks`` counts those that were looked into, ``bodies`` those that were inflated.
    """

    before: int | None
    budget: Budget
    done: bool = False
    bodies: int = 0
    chunks: int = 0
    start: int | None = field(init=False)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.start = self.before

    def take(self, group: Group) -> None:
        """Take a group as looked at."""
        self.chunks += len(group.chunks)
        self.before = group.chunks[-1].id

    @property
    def spent(self) -> bool:
        """Whether the request has to answer with what it has."""
        if self.bodies >= self.budget.bodies or self.chunks >= self.budget.chunks:
            return True
        return time.monotonic() - self.started >= self.budget.seconds

    def covered(self) -> "Covered":
        """Return what was looked at, in one question to the database."""
        rows = _below(EventChunk.objects.all(), self.start)
        if not self.done and self.before is not None:
            rows = rows.filter(pk__gte=chunk_id(self.before))
        totals = rows.aggregate(
            told=Sum("events"), untold=Count("pk", filter=Q(events__isnull=True)), back_to=Min("received_at")
        )
        looked = (totals["told"] or 0) + CHUNK_EVENTS * totals["untold"]
        for edge, sign in ((self.start, 1), (None if self.done else self.before, -1)):
            looked -= 0 if edge is None else _part(edge, above=sign > 0)
        return Covered(max(0, looked), totals["back_to"], bool(totals["untold"]))


@dataclass(frozen=True, slots=True)
class Covered:
    """How many events a search has looked at, when the oldest was received, and whether that is only about right."""

    events: int
    back_to: dt.datetime | None
    about: bool


def _part(identifier: int, *, above: bool) -> int:
    """Return how many events of its chunk lie from an event on, or below it."""
    offset = identifier - chunk_id(identifier)
    if not above or not offset:
        return 0 if above else offset
    held = EventChunk.objects.filter(pk=chunk_id(identifier)).values_list("events", flat=True).first()
    return max(0, (held or CHUNK_EVENTS) - offset)


def groups(plan: Plan, progress: Progress, *, largest: int) -> Iterator[Group]:
    """Yield groups of chunks that may hold what is asked for, newest first; small ones first.

    Who takes a group tells ``progress`` once it has been looked at. It ends when the budget is spent, or ``done``.
    """
    size, at = 2, 0
    for page, bottom, last in _pages(plan, progress.before):
        at = 0
        while at < len(page):
            yield Group(page[at : at + size], whole=plan.gate is None)
            at += size
            size = min(largest, 2 * size)
            if progress.spent and (at < len(page) or not last):
                return
        progress.before = bottom
        if progress.spent and not last:
            return
    progress.done = True


def _pages(plan: Plan, before: int | None) -> Iterator[tuple[list[Chunk], int, bool]]:
    """Yield pages of chunks that pass the gate, the id where each page ends, and whether it is the last."""
    size = _FIRST_PAGE
    while True:
        rows = _below(EventChunk.objects.order_by("-pk"), before)
        ends = list(rows.values_list("pk", flat=True)[size - 1 : size + 1])
        if ends:
            rows = rows.filter(pk__gte=ends[0])
        page = list(_open(plan, rows))
        bottom = ends[0] if ends else (page[-1].id if page else before or 0)
        yield page, bottom, len(ends) < 2
        if len(ends) < 2:
            return
        before, size = bottom, _PAGE


def _open(plan: Plan, rows: QuerySet[EventChunk]) -> Iterator[Chunk]:
    """Yield the chunks that pass the gate."""
    columns = ("pk", "received_at", "events")
    if plan.gate is None or connection.vendor == "postgresql":
        rows = rows if plan.gate is None else rows.filter(plan.gate.where())
        for pk, received_at, events in rows.values_list(*columns):
            yield Chunk(pk, received_at, events or CHUNK_EVENTS)
        return
    for pk, received_at, events, *more in rows.values_list(*columns, "first_at", "last_at", "terms"):
        chunk = Chunk(pk, received_at, events or CHUNK_EVENTS, *more)
        if plan.gate.passes(chunk):
            yield chunk


def _below(rows: QuerySet[EventChunk], before: int | None) -> QuerySet[EventChunk]:
    return rows if before is None else rows.filter(pk__lt=before)
