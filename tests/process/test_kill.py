"""SIGKILL of any stage in mid-batch: every acknowledged record is stored exactly once."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.deployment import Deployment

pytestmark = [pytest.mark.process, pytest.mark.once, pytest.mark.timeout(240)]

BATCHES, SIZE = 60, 250


class Shipper(threading.Thread):
    """Sends numbered records and remembers which were acknowledged; tries a failed batch again, renamed."""

    def __init__(self, winnow: Deployment) -> None:
        super().__init__(daemon=True)
        self.winnow = winnow
        self.acknowledged: list[str] = []
        self.attempted: list[str] = []

    def run(self) -> None:
        for batch in range(BATCHES):
            for attempt in range(100):
                names = [f"record-{batch}-{attempt}-{number}" for number in range(SIZE)]
                self.attempted += names
                if self._sent(names):
                    self.acknowledged += names
                    break
                time.sleep(0.1)

    def _sent(self, names: list[str]) -> bool:
        try:
            return self.winnow.post([{"event": {"message": name, "user": {"name": "u"}}} for name in names]) == 200
        except OSError:
            return False


def kill(winnow: Deployment, role: str) -> int:
    """SIGKILL every child of a role; return how many died."""
    victims = [pid for pid, what in winnow.children().items() if what == role]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    return len(victims)


@pytest.mark.parametrize("role", ["pipeline"])  # the other roles: tests/faults
def test_killing_a_stage_loses_and_doubles_nothing(deploy: Callable[..., Deployment], role: str) -> None:
    winnow = deploy("--pipeline-workers", "2", LEARN_MIN_EVENTS="100000")
    shipper = Shipper(winnow)
    shipper.start()
    killed = 0
    for _ in range(4):
        time.sleep(1.0)
        killed += kill(winnow, role)
    shipper.join(120)
    assert not shipper.is_alive()
    assert killed >= 2
    assert len(shipper.acknowledged) == BATCHES * SIZE

    counts = json.loads(winnow.manage("drain", "--timeout", "90"))

    assert counts["quarantined"] == 0
    assert counts["accepted"] == counts["events"]
    stored = Counter(winnow.query("list(Event.objects.values_list('message', flat=True))"))
    assert set(stored.values()) == {1}
    assert set(shipper.acknowledged) <= set(stored)
    assert set(stored) <= set(shipper.attempted)
