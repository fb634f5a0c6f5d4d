"""The canary goes through every stage and leaves nothing behind; a stage that stands still is told."""

import datetime as dt

import pytest
from django.apps import apps
from django.utils import timezone

from alerts import tasks as analyst_tasks
from alerts.models import Alert, AuditEntry, Explanation, MuteRule
from alerts.selectors import standing
from alerts.services import grouping, rehearsing
from tests.factories import make_source
from triage import canary, documents, pipeline, reading, store
from triage.hooks import Finding
from triage.management import diagnosis
from triage.models import CanaryRun, Event, EventChunk, RawBatch, Source

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hourly(settings):
    settings.CANARY_MINUTES = 60
    settings.CANARY_URL = ""


@pytest.fixture
def source():
    return make_source()


@pytest.fixture
def now():
    """The hour's beginning: nothing in a test crosses into the next one."""
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def rows_of_everything():
    """Return how many rows each table has, but the canary's own."""
    own = {"triage_canaryrun", "triage_source"}
    return {
        model._meta.db_table: model._base_manager.count()
        for model in apps.get_models()
        if model._meta.db_table not in own
    }


def all_stages():
    assert pipeline.process_pass("w") == 0  # nothing of anybody's was processed
    assert rehearsing.group() == 1
    assert rehearsing.explain() == 1


def test_it_goes_through_every_stage_and_only_its_times_stay(source, monkeypatch):
    before = rows_of_everything()
    seen = []
    for name, owner in (("insert_events", store), ("insert", documents), ("place", grouping)):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda rows, real=real, name=name: seen.append(name) or real(rows))
    now = timezone.now()
    assert canary.tick(now) is False
    assert RawBatch.objects.get().source.synthetic
    all_stages()
    stages = ["insert_events", "insert"]  # stored; stored and grouped; stored, grouped and explained
    assert seen == [*stages, *stages, "place", *stages, "place"]
    run = CanaryRun.objects.get()
    assert run.problem == ""
    assert run.started_at <= run.received_at <= run.stored_at <= run.grouped_at <= run.explained_at
    assert rows_of_everything() == before
    assert not any(model.objects.exists() for model in (Event, EventChunk, RawBatch, Alert, Explanation, AuditEntry))
    assert canary.judge(now).state == "ok"
    assert list(Source.objects.all()) == [source]


def test_while_it_is_on_its_way_it_is_in_no_count():
    canary.tick(timezone.now())
    assert store.stage_counts()["accepted"] == 0
    assert not Source.objects.exists()
    assert canary.judge().state == "unknown"


def test_each_span_has_one_canary_whoever_asks():
    start = dt.datetime(2026, 5, 4, 10, 0, tzinfo=dt.UTC)
    for minute in (0, 1, 59):
        canary.tick(start + dt.timedelta(minutes=minute))
    assert (CanaryRun.objects.count(), RawBatch.objects.count()) == (1, 1)
    canary.tick(start + dt.timedelta(minutes=60))
    assert (CanaryRun.objects.count(), RawBatch.objects.count()) == (2, 2)


def test_off_sends_none(settings):
    settings.CANARY_MINUTES = 0
    assert canary.tick(timezone.now()) is False
    assert not CanaryRun.objects.exists()
    assert not Source.every.exists()
    assert canary.judge().state == "off"


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (0, "the pipeline did not store it within 5 min"),
        (1, "it was not put into an alert within 5 min"),
        (2, "its alert was not explained within 5 min"),
    ],
)
def test_a_stage_that_stands_still_is_told_until_the_canary_comes_through(stages, words, now):
    canary.tick(now)
    steps = [lambda: pipeline.process_pass("w"), rehearsing.group, rehearsing.explain]
    for step in steps[:stages]:
        step()
    late = now + dt.timedelta(seconds=301)
    assert canary.judge(now).state == "unknown"
    assert canary.judge(late) == canary.Judgement("failed", words)
    (told,) = [one for one in standing.standing(late) if one.topic == "canary"]
    assert (told.subject, told.text) == ("canary", words)
    for step in steps[stages:]:
        step()
    assert canary.judge(late).state == "ok"
    assert not [one for one in standing.standing(late) if one.topic == "canary"]


def test_none_sent_for_long_means_that_beat_stands_still():
    now = timezone.now()
    canary.tick(now)
    all_stages()
    judged = canary.judge(now + dt.timedelta(hours=3))
    assert judged.state == "failed"
    assert judged.words == "none was sent for 3 h: beat or the pipeline workers stand still"
    assert judged.arrived_at == CanaryRun.objects.get().explained_at


def test_an_intake_that_cannot_be_reached_is_told_and_asked_again(settings, now):
    settings.CANARY_URL = "http://127.0.0.1:1"
    canary.tick(now)
    run = CanaryRun.objects.get()
    assert run.received_at is None
    assert run.problem.startswith("not taken: ")
    assert canary.judge(now + dt.timedelta(seconds=301)).state == "failed"
    settings.CANARY_URL = ""
    canary.tick(now + dt.timedelta(seconds=10))
    assert not RawBatch.objects.exists()  # tried a moment ago
    canary.tick(now + dt.timedelta(seconds=40))
    all_stages()
    assert canary.judge(now + dt.timedelta(seconds=301)).state == "ok"


@pytest.mark.once
@pytest.mark.parametrize("address", ["http://169.254.169.254", "ftp://127.0.0.1", "http://u:p@127.0.0.1"])
def test_its_address_cannot_be_one_that_is_never_reached(settings, address):
    settings.CANARY_URL = address
    canary.tick(timezone.now())
    problem = CanaryRun.objects.get().problem
    assert problem.startswith("not taken: ")
    assert "u:p" not in problem


def test_a_canary_that_breaks_the_pipeline_is_told_and_is_in_no_quarantine(monkeypatch, now):
    canary.tick(now)
    monkeypatch.setattr(store, "finish", lambda *_: 1 / 0)
    pipeline.process_pass("w")
    canary.tick(now)
    assert CanaryRun.objects.get().problem == "the pipeline: ZeroDivisionError: division by zero"
    assert not RawBatch.objects.exists()
    assert canary.judge(now).state == "failed"


def test_a_grouping_that_breaks_is_told_and_leaves_nothing(monkeypatch):
    canary.tick(timezone.now())
    pipeline.process_pass("w")
    monkeypatch.setattr(grouping, "_open", lambda *_: 1 / 0)
    assert analyst_tasks.group_flagged() == 0
    assert CanaryRun.objects.get().problem == "grouping: ZeroDivisionError: division by zero"
    assert not Event.objects.exists()


def test_a_mute_rule_that_fits_it_does_not_hold_it_up(charlie):
    canary.tick(timezone.now())
    pipeline.process_pass("w")
    run = CanaryRun.objects.get()
    with canary.rehearsed():
        event = canary.restage(run)
        template = grouping.grouping.template(grouping.flagged_event(event))
    MuteRule.objects.create(
        owner=charlie, reason="r", template=template, expires_at=timezone.now() + dt.timedelta(days=1)
    )
    assert rehearsing.group() == 1
    assert rehearsing.explain() == 1
    assert canary.judge().state == "ok"


def test_records_of_others_in_the_same_pass_are_stored(source):
    RawBatch.objects.create(
        source=source, receiver="syslog", received_at=timezone.now(), body_bytes=5, record_count=1,
        body=reading.compress(b"hello"),
    )  # fmt: skip
    canary.tick(timezone.now())
    assert pipeline.process_pass("w") == 1
    assert Event.objects.get().message == "hello"
    assert list(RawBatch.objects.values_list("status", "source")) == [("done", source.pk)]
    assert CanaryRun.objects.get().stored_at is not None


def test_old_runs_are_forgotten():
    now = timezone.now()
    canary.tick(now - dt.timedelta(days=31))
    canary.tick(now)
    assert canary.forget(now) == 1
    assert CanaryRun.objects.get().started_at == now


def test_doctor_tells_it(now):
    assert diagnosis.canary() == Finding("canary", True, "not measured yet: none was sent", diagnosis.canary().fix)
    canary.tick(now - dt.timedelta(hours=5))
    assert not diagnosis.canary().healthy


def test_the_overview_shows_it(client, alice, now):
    client.force_login(alice)
    assert "not measured yet: none was sent" in client.get("/overview/").content.decode()
    canary.tick(now - dt.timedelta(hours=5))
    assert "none was sent for" in client.get("/overview/").content.decode()
