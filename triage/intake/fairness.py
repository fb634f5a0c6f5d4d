"""What one source may hold of something that all share: the queue, the memory of bodies, the backlog.

Handed: who holds how much. Hands on: yes or no. Below half of the whole everybody is served; above it a source may
hold no more than an even share, in which one more source than there are is always counted, so that there is room left
for whoever comes next and a loud source alone never takes more than half.
"""

from collections.abc import Mapping

#: Seconds after which a sender may come back: at half of the backlog, and at most.
SOONEST, LATEST = 5, 60


def share(limit: int, holders: int) -> float:
    """Return a source's even share when ``holders`` sources hold something."""
    return limit / (holders + 1)


def is_over(held: int, total: int, holders: int, limit: int) -> bool:
    """Return whether a source that holds ``held`` of ``total`` has more than its share.

    >>> is_over(40, 60, 2, 100), is_over(20, 60, 2, 100), is_over(40, 45, 2, 100)
    (True, False, False)
    """
    return total > limit / 2 and held > share(limit, holders)


def retry_seconds(total: int, limit: int) -> int:
    """Return when to come back: 5 s at half of the limit, rising to 60 s at one and a half times the limit.

    >>> retry_seconds(50, 100), retry_seconds(100, 100), retry_seconds(1000, 100)
    (5, 33, 60)
    """
    fill = min(1.0, max(0.0, total / max(1, limit) - 0.5))
    return min(LATEST, SOONEST + -int(-(LATEST - SOONEST) * fill // 1))


class Shares:
    """Keeps account of something that all sources share. Not locked: its owner does that where threads meet."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}
        self.total = 0

    @property
    def held(self) -> Mapping[int, int]:
        """What each source holds."""
        return self._held

    def admits(self, source_id: int, amount: int, limit: int) -> bool:
        """Return whether a source may take ``amount`` more. A source that holds nothing is only asked for room."""
        total = self.total + amount
        if total > limit:
            return False
        held = self._held.get(source_id, 0)
        holders = len(self._held) + (source_id not in self._held)
        return not held or not is_over(held + amount, total, holders, limit)

    def take(self, source_id: int, amount: int) -> None:
        """Write down what a source takes."""
        self.total += amount
        self._held[source_id] = self._held.get(source_id, 0) + amount

    def give(self, source_id: int, amount: int) -> None:
        """Write down what a source gives back."""
        self.total -= amount
        left = self._held.get(source_id, 0) - amount
        if left > 0:
            self._held[source_id] = left
        else:
            self._held.pop(source_id, None)
