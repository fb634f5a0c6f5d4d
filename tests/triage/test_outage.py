"""What the database or a disk cannot do is no record's fault: batches are given back untried, not set aside."""

import errno

import psycopg
import pytest
from django.db import DataError, InterfaceError, OperationalError, connection

from tests.factories import make_batch, make_source
from triage import pipeline, store
from triage.models import BatchStatus, Event, RawBatch

pytestmark = pytest.mark.django_db


def raised(cause: type[Exception]) -> OperationalError:
    error = OperationalError("no")
    error.__cause__ = cause("no")
    return error


OUTAGES = {
    "no connection": OperationalError("server closed the connection unexpectedly"),
    "no connection any more": InterfaceError("connection already closed"),
    "disk full": raised(psycopg.errors.DiskFull),
    "going down": raised(psycopg.errors.AdminShutdown),
    "crashed": raised(psycopg.errors.CrashShutdown),
    "deadlock": raised(psycopg.errors.DeadlockDetected),
    "disk full, said by the driver": psycopg.errors.DiskFull("could not extend file"),
    "a file's disk full": OSError(errno.ENOSPC, "no space left on device"),
}
FAULTS = {
    "statement took too long": raised(psycopg.errors.QueryCanceled),
    "too much for the server": raised(psycopg.errors.ProgramLimitExceeded),
    "value": DataError("invalid"),
    "missing file": FileNotFoundError(errno.ENOENT, "no such file"),
    "bug": ValueError("no"),
}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Storing events fails with the errors in this list, in turn, and then works."""
    errors: list[Exception] = []
    insert = store.insert_events

    def attempt(rows: object) -> None:
        if errors:
            raise errors.pop(0)
        insert(rows)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "insert_events", attempt)
    return errors


@pytest.mark.parametrize("name", OUTAGES)
def test_in_an_outage_batches_are_given_back_as_if_never_tried(name: str, failing: list[Exception]) -> None:
    source = make_source("edge")
    seen = type(OUTAGES[name])
    if isinstance(OUTAGES[name], psycopg.Error):
        if connection.vendor != "postgresql":
            pytest.skip("PostgreSQL's driver")
        seen = OperationalError
    batches = [make_batch(source, "one"), make_batch(source, "two")]
    for _ in range(store.MAX_ATTEMPTS + 1):
        failing.extend([OUTAGES[name]] * 2)
        with pytest.raises(seen):
            pipeline.process_pass("test")
        assert failing == []
        assert set(RawBatch.objects.values_list("status", "attempts", "lease_owner")) == {(BatchStatus.RECEIVED, 0, "")}
    assert Event.objects.count() == 0

    assert pipeline.process_pass("test") == len(batches)

    assert sorted(Event.objects.values_list("message", flat=True)) == ["one", "two"]
    assert set(RawBatch.objects.values_list("status", flat=True)) == {BatchStatus.DONE}


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_batch_does_is_its_own_fault(name: str, failing: list[Exception]) -> None:
    batch = make_batch(make_source("edge"), "one")
    failing.append(FAULTS[name])

    assert pipeline.process_pass("test") == 1

    batch.refresh_from_db()
    assert batch.status == BatchStatus.QUARANTINED
    assert batch.reason.startswith(type(FAULTS[name]).__name__)
    assert Event.objects.count() == 0
