"""Group commit: many requests, one transaction, and no reply before it.

Handed: bodies that a receiver has validated. Hands on: committed RawBatch rows, then the answer to each
waiting request. One thread per process takes everything that waits, joins small bodies of the same source,
receiver and parameters into one row, inserts all rows in one transaction, and only then resolves the
futures, each with its :class:`Receipt`. When the commit fails, every request in it is told so and nothing of
it is stored.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from triage.intake.fairness import Shares

logger = logging.getLogger(__name__)

#: Bodies are joined up to these sizes; a batch is also the unit of work of the pipeline.
MAX_JOINED_BYTES = 4 * 2**20
MAX_JOINED_RECORDS = 20_000
#: What may wait or be under way before senders are told to come back later.
MAX_WAITING = 2_000
MAX_WAITING_BYTES = 256 * 2**20
MAX_GROUP_BYTES = 64 * 2**20
CLOSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a body whose sender gave it an identity: it is stored once, however often it comes.

    ``key`` is the identity (at most 64 characters; ``None`` = it has none), ``body`` the piece's own bytes; the
    pieces of a body, joined by a newline, are the body.
    """

    key: str | None
    body: bytes
    record_count: int = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission that is committed.

    ``is_repeat``: its idempotency key was used before, nothing was stored again. ``duplicates``: 0-based pieces
    whose key was used before. ``ack_id``: the number under which its channel can ask for it.
    """

    is_repeat: bool = False
    duplicates: frozenset[int] = frozenset()
    ack_id: int | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One validated body on its way into the database. ``ack_channel``: a channel that wants an ``ack_id``."""

    source_id: int
    receiver: str
    parameters: tuple[tuple[str, str], ...]
    body: bytes
    record_count: int
    idempotency_key: str | None = None
    joinable: bool = True
    pieces: tuple[Piece, ...] = ()
    ack_channel: str = ""


@dataclass(slots=True)
class Batch:
    """What becomes one RawBatch row."""

    first: Submission
    bodies: list[bytes] = field(default_factory=list)
    body_bytes: int = 0
    record_count: int = 0

    def add(self, submission: Submission) -> None:
        """Take a body in."""
        self.body_bytes += len(submission.body) + bool(self.bodies)
        self.bodies.append(submission.body)
        self.record_count += submission.record_count

    def has_room(self, submission: Submission) -> bool:
        """Return whether a body may still be joined on."""
        return (
            self.body_bytes + len(submission.body) < MAX_JOINED_BYTES
            and self.record_count + submission.record_count <= MAX_JOINED_RECORDS
        )

    def body(self) -> bytes:
        """Return the joined bodies."""
        return b"\n".join(self.bodies)


class BusyError(RuntimeError):
    """The record cannot be committed now; the sender should try again later."""


def join(submissions: Sequence[Submission]) -> list[Batch]:
    """Return the batches of a group of submissions, in order of their first body.

    Bodies with an idempotency key stay alone, because the key is unique per row.
    """
    batches: list[Batch] = []
    open_batches: dict[tuple[int, str, tuple[tuple[str, str], ...]], Batch] = {}
    for submission in submissions:
        key = (submission.source_id, submission.receiver, submission.parameters)
        alone = submission.idempotency_key is not None or not submission.joinable
        batch = None if alone else open_batches.get(key)
        if batch is None or not batch.has_room(submission):
            batch = Batch(first=submission)
            batches.append(batch)
            if not alone:
                open_batches[key] = batch
        batch.add(submission)
    return batches


@dataclass(slots=True)
class _Waiting:
    submission: Submission
    future: asyncio.Future[Receipt]
    loop: asyncio.AbstractEventLoop


class GroupCommit:
    """The writer thread and its queue.

    ``store`` is handed the submissions of a group and returns a receipt for each, in order, when they are
    committed; an error in a receipt's place refuses that submission, what it raises refuses the group.
    ``on_commit`` is called after each commit and must not wait, ``idle`` about once a second from the thread,
    ``on_close`` when the thread ends.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Submission]], Sequence[Receipt | BusyError]],
        *,
        on_commit: Callable[[], None],
        idle: Callable[[], None],
        on_close: Callable[[], None],
    ) -> None:
        self._store, self._on_commit, self._idle, self._on_close = store, on_commit, idle, on_close
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._bodies, self._bytes = Shares(), Shares()
        self._lock = threading.Lock()

    async def submit(self, submission: Submission) -> Receipt:
        """Return the receipt once the submission is committed; raise :class:`BusyError` when it is not."""
        loop = asyncio.get_running_loop()
        self.start()
        source_id, size = submission.source_id, len(submission.body)
        with self._lock:
            if not (
                self._bodies.admits(source_id, 1, MAX_WAITING)
                and self._bytes.admits(source_id, size, MAX_WAITING_BYTES)
            ):
                raise BusyError("the intake's queue is full, or the source has more than its share of it")
            self._bodies.take(source_id, 1)
            self._bytes.take(source_id, size)
        waiting = _Waiting(submission, loop.create_future(), loop)
        self._queue.put(waiting)
        return await waiting.future

    def close(self) -> None:
        """Commit what waits and end the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(CLOSE_SECONDS)

    def start(self) -> None:
        """Start the thread, unless it runs: the first request does."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        """Commit group after group until told to stop; the last group is committed too."""
        running, last_idle = True, 0.0
        try:
            while running:
                group, running = self._take()
                if group:
                    self._commit(group)
                if time.monotonic() - last_idle >= 1.0:
                    self._idle()
                    last_idle = time.monotonic()
        finally:
            self._on_close()

    def _take(self) -> tuple[list[_Waiting], bool]:
        """Wait up to a second for work, then take all that is there, up to a size."""
        group: list[_Waiting] = []
        size = 0
        try:
            found = self._queue.get(timeout=1.0)
            while found is not None:
                group.append(found)
                size += len(found.submission.body)
                if size > MAX_GROUP_BYTES:
                    return group, True
                found = self._queue.get_nowait()
        except queue.Empty:
            return group, True
        return group, False

    def _commit(self, group: list[_Waiting]) -> None:
        outcome = self._try_store([waiting.submission for waiting in group])
        if isinstance(outcome, _NotStoredError) and len(group) > 1:
            self._commit_singly(group)
        else:
            self._resolve(group, outcome)

    def _commit_singly(self, group: list[_Waiting]) -> None:
        """Keep one bad body from refusing its neighbours."""
        for waiting in group:
            self._resolve([waiting], self._try_store([waiting.submission]))

    def _try_store(self, submissions: list[Submission]) -> Sequence[Receipt | BusyError] | BusyError:
        try:
            receipts = self._store(submissions)
            self._on_commit()
        except BusyError as error:
            return error
        except Exception as error:  # whatever it is, the senders must be told that nothing is stored
            logger.error("cannot store %d bodies: %s: %s", len(submissions), type(error).__name__, error)
            return _NotStoredError("not stored")
        return receipts

    def _resolve(self, group: list[_Waiting], outcome: Sequence[Receipt | BusyError] | BusyError) -> None:
        with self._lock:
            for waiting in group:
                self._bodies.give(waiting.submission.source_id, 1)
                self._bytes.give(waiting.submission.source_id, len(waiting.submission.body))
        answers: Sequence[Receipt | BusyError] = [outcome] * len(group) if isinstance(outcome, BusyError) else outcome
        loops: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
        for waiting, answer in zip(group, answers, strict=True):
            loops.setdefault(waiting.loop, []).append((waiting.future, answer))
        for loop, settled in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, settled)


class _NotStoredError(BusyError):
    """The store failed for a reason of its own; one body at a time may still work."""


_Answer = tuple[asyncio.Future[Receipt], Receipt | BusyError]


def _settle(answers: list[_Answer]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, BusyError):
            future.set_exception(BusyError(str(answer)))
        else:
            future.set_result(answer)
