"""A disk without room: senders are told to come back, in their protocol's own form, and nothing is half stored."""

import json

import pytest

from triage import disk
from triage.intake.database import Backlog
from triage.models import RawBatch

pytestmark = pytest.mark.django_db


def test_the_guard_is_measured_and_given_up_by_itself(settings):
    backlog = Backlog()
    assert not backlog.is_full()
    settings.MIN_FREE_DISK_BYTES = 2**60
    assert not backlog.is_full()  # asked for, measured next
    backlog.measure()
    assert backlog.is_full()
    assert backlog.refuses(1)
    settings.MIN_FREE_DISK_BYTES = 0
    backlog.is_full()
    backlog.measure()
    assert not backlog.is_full()


def test_a_process_that_starts_without_room_accepts_nothing(settings):
    settings.MIN_FREE_DISK_BYTES = 2**60
    assert Backlog().is_full()
    assert "MiB free on the disk" in disk.problem()


def test_readiness_tells_it(client, settings):
    assert json.loads(client.get("/readyz").content)["checks"]["disk"] == {"ok": True}
    settings.MIN_FREE_DISK_BYTES = 2**60
    told = json.loads(client.get("/readyz").content)["checks"]["disk"]
    assert told["ok"] is False
    assert told["problem"] == disk.problem()
    assert RawBatch.objects.count() == 0
