"""Whose turn it is: which of the waiting batches a worker takes on next.

Handed: the oldest waiting batches of some sources. Hands on: the batches of one pass. Pure, so that fairness can be
tested without a queue. The first batch is that of the source whose turn it is, however large; then always the source
goes on that would have the fewest records in the pass, so that small senders come along in nearly every pass and the
rest of it is the loud ones'.
"""

import heapq
import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: Sources looked at in one pass; with more of them waiting, the next pass goes on where this one stopped.
MAX_SOURCES = 32


class Waiting(NamedTuple):
    """A batch that waits."""

    batch_id: int
    records: int
    size: int


class Rotation:
    """Remembers whose turn it was. Every worker has its own and starts anywhere."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._lock = threading.Lock()

    def next(self, waiting: Sequence[int]) -> list[int]:
        """Return up to :data:`MAX_SOURCES` of the waiting sources (ascending ids), beginning after the last one."""
        if not waiting:
            return []
        with self._lock:
            after = secrets.choice(waiting) if self._last is None else self._last
            ordered = [number for number in waiting if number > after] + [
                number for number in waiting if number <= after
            ]
            turn = ordered[:MAX_SOURCES]
            # All of them seen: the next one begins. Some left out: they are the next to be seen.
            self._last = turn[0] if len(turn) == len(ordered) else turn[-1]
        return turn


def choose(queues: Mapping[int, Sequence[Waiting]], *, max_records: int, max_bytes: int, max_batches: int) -> list[int]:
    """Return the ids of the batches of one pass; the first is taken whatever its size.

    ``queues`` maps a source to its batches, oldest first; the mapping's first source with a batch has the turn.

    >>> loud, quiet = [Waiting(n, 4, 40) for n in (1, 2, 3)], [Waiting(9, 1, 10)]
    >>> choose({7: loud, 8: quiet}, max_records=9, max_bytes=1000, max_batches=100)
    [1, 9, 2]
    """
    chosen: list[int] = []
    records = size = 0
    waiting = [(source, batches) for source, batches in queues.items() if batches]
    # Records of the source in this pass with its next batch, the source's place in the turn, the batch's in its queue.
    heap = [(batches[0].records if place else 0, place, 0) for place, (_, batches) in enumerate(waiting)]
    taken = [0] * len(waiting)
    heapq.heapify(heap)
    while heap and len(chosen) < max_batches:
        _, place, number = heapq.heappop(heap)
        batches = waiting[place][1]
        batch = batches[number]
        if chosen and (records + batch.records > max_records or size + batch.size > max_bytes):
            continue  # this source has to wait for the next pass; a smaller batch of another may still fit
        chosen.append(batch.batch_id)
        records, size, taken[place] = records + batch.records, size + batch.size, taken[place] + batch.records
        if number + 1 < len(batches):
            heapq.heappush(heap, (taken[place] + batches[number + 1].records, place, number + 1))
    return chosen
