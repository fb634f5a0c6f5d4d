"""What stands still is said on the pages, in words, for as long as it lasts."""

import datetime as dt

import pytest
from django.utils import timezone

from alerts.selectors.standstill import ROLES, standstill
from tests.factories import make_source
from triage import state
from triage.models import RawBatch, WorkerHeartbeat

pytestmark = pytest.mark.django_db


def beat(role: str, seconds_ago: float = 0.0) -> None:
    moment = timezone.now() - dt.timedelta(seconds=seconds_ago)
    WorkerHeartbeat.objects.update_or_create(name=f"h:{role}-0", defaults={"role": role, "seen_at": moment})


def all_alive() -> None:
    for role in ROLES:
        beat(role)


def make_batch(seconds_ago: float, status: str = "received") -> None:
    moment = timezone.now() - dt.timedelta(seconds=seconds_ago)
    source = make_source(f"s{RawBatch.objects.count()}")
    RawBatch.objects.create(
        source=source, receiver="lines", received_at=moment, body=b"", body_bytes=0, record_count=1, status=status,
        processed_at=moment if status == "done" else None,
    )  # fmt: skip


def test_nothing_is_said_while_all_is_well(django_assert_num_queries):
    assert standstill() == []  # nobody has ever worked here
    all_alive()
    make_batch(10)
    make_batch(4000, "done")
    make_batch(4000, "quarantined")
    with django_assert_num_queries(3):
        assert standstill() == []


@pytest.mark.parametrize("role", list(ROLES))
def test_a_role_that_nobody_has_is_named(role):
    all_alive()
    beat(role, seconds_ago=31)
    assert standstill() == [ROLES[role]]
    WorkerHeartbeat.objects.filter(role=role).delete()
    assert standstill() == [ROLES[role]]
    beat(role, seconds_ago=29)
    assert standstill() == []


@pytest.mark.parametrize("status", ["received", "processing"])
def test_what_waits_too_long_is_said_with_its_age(status):
    all_alive()
    make_batch(70, status)
    make_batch(5, status)
    assert standstill() == ["Records wait for 70 s: the pipeline does not keep up."]


def test_a_broker_that_cannot_be_used_is_said(monkeypatch):
    all_alive()
    monkeypatch.setattr(state, "broker_problem", lambda: "Redis: refused")
    assert standstill() == ["The broker cannot be used, so that nobody is woken: Redis: refused."]


def test_a_full_disk_is_said(settings):
    all_alive()
    settings.MIN_FREE_DISK_BYTES = 2**60
    (words,) = standstill()
    assert words.endswith(" are kept free: senders are told to come back.")


def test_the_queue_its_pulse_and_the_overview_say_it(client, bob):
    client.force_login(bob)
    for path in ("/", "/queue/pulse/", "/overview/"):
        headers = {"HX-Request": "true"} if "pulse" in path else {}
        all_alive()
        assert 'role="alert"' not in client.get(path, headers=headers).text
        beat("pipeline", seconds_ago=60)
        html = client.get(path, headers=headers).text
        assert html.count(ROLES["pipeline"]) == 1
        assert 'class="standstill" role="alert"' in html
