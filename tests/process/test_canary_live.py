"""A canary goes through a running installation by HTTP, and nobody sees anything of it."""

import json
import time
from collections.abc import Callable

import pytest

from tests.deployment import Deployment

pytestmark = [pytest.mark.process, pytest.mark.once, pytest.mark.timeout(180)]
LAST = "[(r.via, r.problem, r.explained_at is not None) for r in CanaryRun.objects.all()]"
TABLES = "[m.objects.count() for m in (Source, RawBatch, Event, EventChunk, Alert, Explanation, SourceMinute)]"


def test_it_comes_through_and_leaves_nothing(deploy: Callable[..., Deployment]) -> None:
    winnow = deploy(CANARY_MINUTES="1440")
    deadline = time.monotonic() + 60
    while [True for *_, through in winnow.query(LAST) if through] != [True]:
        assert time.monotonic() < deadline, (winnow.query(LAST), winnow.log.read_text())
        time.sleep(0.5)
    assert winnow.query(LAST) == [["http", "", True]]
    assert winnow.query(TABLES) == [1, 0, 0, 0, 0, 0, 0]
    assert json.loads(winnow.manage("drain")) == dict.fromkeys(
        ("accepted", "events", "flagged", "quarantined", "alerts"), 0
    )
    winnow.manage("verify_audit")
    assert winnow.stop() == 0
    assert winnow.log.read_text() == ""
