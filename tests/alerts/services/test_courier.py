"""The courier: notifications go out by themselves, beside a worker's own work, and one fault does not end them."""

import datetime as dt
import threading

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from alerts import tasks
from alerts.models import Delivery
from alerts.services import courier, notifying, outbox
from alerts.services.courier import Courier
from tests.alerts.channels import make_channel, receiving
from tests.alerts.rows import make_alert
from tests.alerts.services.test_outbox import note
from tests.factories import make_source
from triage import hooks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


def test_a_step_watches_sends_and_forgets_when_each_is_due(monkeypatch: pytest.MonkeyPatch):
    make_channel()
    done: list[str] = []
    monkeypatch.setattr(notifying, "watch", lambda _: done.append("watch"))
    monkeypatch.setattr(outbox, "forget", lambda _: done.append("forget"))
    monkeypatch.setattr(outbox, "run", lambda: done.append("send") or 0)
    busy, now = Courier(), timezone.now()
    for seconds in (0, 2, 29, 30, 59, 3600):
        busy.step(now + dt.timedelta(seconds=seconds))
    assert done == [
        "watch", "forget", "send", "send", "send", "watch", "send", "send", "watch", "forget", "send",
    ]  # fmt: skip


def test_without_a_channel_a_step_is_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert Courier().step() == 0


@pytest.mark.django_db(transaction=True)
def test_an_alert_reaches_its_receiver_by_itself(monkeypatch: pytest.MonkeyPatch):
    stop = threading.Event()

    def fly() -> None:
        courier.run_forever(stop, every=0.02)
        connection.close()

    with receiving((503, {}), (200, {})) as receiver:
        monkeypatch.setattr("alerts.pacing.FIRST_RETRY", 0.05)
        channel = make_channel(url=receiver.url)
        thread = threading.Thread(target=fly, daemon=True)
        thread.start()
        notifying.note_alerts([make_alert(make_source(), title="eve logged in")])
        for _ in range(500):
            if Delivery.objects.filter(state="sent").exists():
                break
            stop.wait(0.02)
        stop.set()
        thread.join()
    delivery = channel.deliveries.get()
    assert (delivery.state, delivery.attempts) == ("sent", 2)
    bodies = [body for _, _, body in receiver.taken]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert b"eve logged in" in bodies[0]


def test_a_fault_is_logged_and_the_courier_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    stop, faults = threading.Event(), iter([RuntimeError("odd"), OperationalError("gone")])

    def step(_: Courier) -> int:
        fault = next(faults, None)
        if fault is None:
            stop.set()
            return 0
        raise fault

    monkeypatch.setattr(Courier, "step", step)
    monkeypatch.setattr(connection, "close", lambda: None)
    courier.run_forever(stop, every=0.0)
    assert "the courier failed and goes on" in caplog.text
    assert "nothing is sent while the database does not answer: gone" in caplog.text


@pytest.mark.parametrize(("role", "has"), [("explain", True), ("learn", True), ("pipeline", False), ("worker", False)])
def test_no_worker_that_events_wait_for_has_a_courier(monkeypatch: pytest.MonkeyPatch, role: str, has: bool):
    started: list[object] = []
    monkeypatch.setattr(courier.threading.Thread, "start", lambda thread: started.append(thread.name))
    monkeypatch.setenv("WINNOW_ROLE", role)
    tasks.start_courier()
    assert started == (["courier"] if has else [])


def test_a_worker_that_is_ready_starts_one():
    from celery.signals import worker_ready

    assert tasks.start_courier in [receiver() for _, receiver in worker_ready.receivers if callable(receiver)]


def test_doctor_says_which_channel_does_not_get_through():
    well, bad = make_channel("well"), make_channel("bad")
    note(well)
    now = timezone.now()
    bad.deliveries.create(state="dead", created_at=now, due_at=now, error="no answer")
    found = {one.name: one for one in hooks.findings() if one.name.startswith("channel ")}
    assert (found["channel well"].healthy, found["channel well"].detail) == (True, "nothing sent yet")
    assert (found["channel bad"].healthy, found["channel bad"].detail) == (False, "1 given up in 7 days")
    assert "a test" in found["channel bad"].fix
