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


@pytest.mark.once
@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/services/collector/event", b'{"event":"x"}', 503, b'"code":9'),
        ("/api/v1/ingest", b'{"a":1}', 503, b'"code":"busy"'),
        ("/elastic/_bulk", b'{"create":{}}\n{"a":1}\n', 429, b"es_rejected_execution_exception"),
        ("/v1/logs", b"{}", 503, b""),
        ("/loki/api/v1/push", b'{"streams":[]}', 503, b""),
    ],
)
@pytest.mark.usefixtures("nothing_stored")
def test_every_protocol_is_told_in_its_own_form_and_comes_back(intake, settings, path, body, status, said):
    settings.MIN_FREE_DISK_BYTES = 2**60
    intake.backlog.measure()
    answer = intake.post(path, body, content_type="application/json")
    assert answer.status == status
    assert int(answer.headers[b"retry-after"]) >= 1
    assert said in answer.body.replace(b": ", b":")
    settings.MIN_FREE_DISK_BYTES = 0
    intake.backlog.is_full()
    intake.backlog.measure()
    assert not intake.backlog.is_full()
